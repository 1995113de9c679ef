"""The process of one gateway: the hot path, and the rest of HTTP beside it."""

import asyncio
import gc
import math
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace

import structlog
import uvicorn
import uvloop
from prometheus_client.core import Metric
from structlog.typing import FilteringBoundLogger

from yuanjing.bootstrap.account import account_policy
from yuanjing.bootstrap.data_folder import node_name
from yuanjing.bootstrap.files import FileServices, make_delivery, make_intake, open_files
from yuanjing.bootstrap.handover import Handover
from yuanjing.bootstrap.http_server import HttpServer
from yuanjing.bootstrap.payments import open_payments
from yuanjing.bootstrap.process import open_files_max, published, raise_file_limit, return_large_blocks, say_ready
from yuanjing.bootstrap.receipts import make_receipts
from yuanjing.bootstrap.redemptions import make_redemptions
from yuanjing.bootstrap.services import Services, open_services
from yuanjing.bootstrap.sign_in import has_secure_cookies, make_sign_in
from yuanjing.bootstrap.sms import open_sms, outbox_reader
from yuanjing.bootstrap.sources import ChatClaims, Directory, Leases, NodeLife, tell_late
from yuanjing.bootstrap.store_metrics import collect_store
from yuanjing.bootstrap.upstreams import DeliveryCheck, Upstreams, make_callbacks
from yuanjing.domain.holds import LeasePolicy
from yuanjing.domain.money import parse_amount
from yuanjing.edge.app import create_app
from yuanjing.edge.file_answers import FileServing
from yuanjing.edge.multipart import FormOptions
from yuanjing.edge.parts import EdgeParts, TopUpDesk
from yuanjing.gateway import metrics
from yuanjing.gateway.options import GatewayOptions
from yuanjing.gateway.protocol import GatewayProtocol
from yuanjing.gateway.runtime import Gateway, GatewayParts
from yuanjing.kit.metrics import MetricsBoard
from yuanjing.ports.artifacts import ScratchFolder
from yuanjing.ports.messages import SmsSender
from yuanjing.settings import Settings
from yuanjing.usecases.key_finder import KeyFinder
from yuanjing.usecases.leases import LeaseKeeper
from yuanjing.usecases.nodes import BATCH_ROWS, NodeRef, register_node
from yuanjing.usecases.posting import UsagePoster
from yuanjing.usecases.topups import Notifications, TopUpParts, TopUps
from yuanjing.usecases.usage_pages import OwnUsage, UsagePolicy
from yuanjing.usecases.videos import VideoParts, VideoPolicy, Videos

_BACKLOG = 4096
_SHUTDOWN_MARGIN_SECONDS = 10
_DAY_SECONDS = 86_400.0
EXIT_FENCED = 75
"""A gateway ends with this code when its node was taken over; the supervisor starts a new life."""
EXIT_BROKEN = 70
"""And with this one when it cannot do its duties any more, but for the next life there is hope."""


_SANDBOX_SECONDS, _SANDBOX_WORK_SECONDS = 4.0, 4.0
"""A simulated video: the sandbox's pauses at their usual pace, and what making, finding and copying its file takes."""

GC_THRESHOLDS = (50_000, 20, 50)
"""How many new containers, and how many rounds of the generation before, until each generation is searched for garbage.

A request makes some hundred containers, which counting references frees; with Python's 700 the search for cycles among
them ran several times within each turn of a busy loop, for up to a sixth of its time.
"""


def run_gateway(handover: Handover) -> int:
    """Serve on the listening socket that was handed over; the exit code."""
    assert handover.listen_fd is not None
    raise_file_limit()
    return_large_blocks()
    gc.set_threshold(*GC_THRESHOLDS)
    listener = socket.socket(fileno=handover.listen_fd)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(handover, listener))


async def _serve(handover: Handover, listener: socket.socket) -> int:
    log = structlog.get_logger("gateway")
    settings = handover.settings()
    async with (
        open_services(settings) as services,
        open_files(services) as files,
        open_payments(services, address=handover.address, sandbox_address=handover.sandbox_address) as payments,
        open_sms(settings, services.clock) as sms,
    ):
        node = await _register(services, node_name(settings, handover.slot), log)
        desk = None if payments is None else _top_up_desk(payments, settings)
        process = GatewayProcess(services, files, Outside(topups=desk, sms=sms), node, handover, log)
        log.info("gateway started", node=node.id, incarnation=node.incarnation)
        await process.serve(listener)
        log.info("gateway stopped", node=node.id, incarnation=node.incarnation, is_fenced=process.is_fenced)
        if process.is_fenced:
            return EXIT_FENCED
        return EXIT_BROKEN if process.is_broken else 0


async def _register(services: Services, node_id: str, log: FilteringBoundLogger) -> NodeRef:
    """Begin a life of this process slot; if the one before was not ended, it ends now."""
    poster = UsagePoster(services.store, services.clock, batch_rows=BATCH_ROWS)
    try:
        return await register_node(
            services.store,
            services.clock,
            node_id=node_id,
            machine=services.settings.machine,
            role="gateway",
            spools=services.spools,
            poster=poster,
        )
    finally:
        tell_late(poster, node_id, log)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outside:
    """What reaches other companies' services; None where nothing is set up."""

    topups: TopUpDesk | None
    sms: SmsSender | None


class GatewayProcess:
    """A gateway and the server that it runs in."""

    def __init__(  # one of each
        self,
        services: Services,
        files: FileServices,
        outside: Outside,
        node: NodeRef,
        handover: Handover,
        log: FilteringBoundLogger,
    ) -> None:
        settings = services.settings
        self.is_fenced = False
        self.is_broken = False
        self._services = services
        self._files = files
        self._topups = outside.topups
        self._sms = outside.sms
        self._receipts = make_receipts(services)
        self._log = log
        self._ready_fd = handover.ready_fd
        self._address = handover.address
        self._board = MetricsBoard(settings.data / "metrics", f"g{handover.slot}", services.clock)
        keeper = LeaseKeeper(services.store, services.clock, _lease_policy(settings), settings.lease_ttl_seconds)
        self._gateway = Gateway(
            GatewayParts(
                options=gateway_options(settings),
                clock=services.clock,
                log=log,
                pepper=services.pepper,
                directory=Directory(services, log),
                leases=Leases(keeper, node),
                claims=ChatClaims(services, node),
                node=NodeLife(services, keeper, node, log),
                spool=services.spools.create(node.id, node.incarnation),
                trusted_proxies=settings.trusted_proxies,
                on_fenced=self._fenced,
                on_broken=self._broken,
            )
        )
        self._server = HttpServer(_config(self._app(), settings), on_stop=self._gateway.begin_stop)

    async def serve(self, listener: socket.socket) -> None:
        """Until the process is told to stop and has drained, or until it is fenced."""
        await self._server.serve(sockets=[listener])

    def _fenced(self) -> None:
        """Nothing can be acknowledged any more; what ran has ended, and the server follows."""
        self.is_fenced = True
        self._server.should_exit = True

    def _broken(self) -> None:
        """A new life is needed: drain, and end."""
        self.is_broken = True
        self._gateway.begin_stop()
        self._server.should_exit = True

    @asynccontextmanager
    async def _life(self, _app: object) -> AsyncGenerator[dict[str, object]]:
        gateway = self._gateway
        await self._receipts.keep_key()
        await gateway.start()
        try:
            async with published(self._board, self._metrics, self._log):
                say_ready(self._ready_fd)
                self._log.info("gateway ready")
                yield {"gateway": gateway}
        finally:
            await gateway.stop()

    def _metrics(self) -> list[Metric]:
        return [*metrics.collect(self._gateway), *collect_store(self._services.store.counters)]

    def _app(self) -> Callable[..., object]:
        services, settings, files = self._services, self._services.settings, self._files
        return create_app(
            EdgeParts(
                store=services.store,
                clock=services.clock,
                keys=KeyFinder(services.store),
                pepper=services.pepper,
                is_ready=lambda: self._gateway.is_ready,
                render_metrics=self._board.render,
                lifespan=self._life,
                public_base_url=settings.public_base_url,
                forms=_form_options(settings, files.scratch),
                files=FileServing(blobs=files.blobs, links=files.links, redirects=settings.idfile_redirect),
                videos=self._videos(),
                sign_in=make_sign_in(services, self._sms),
                outbox=outbox_reader(settings),
                usage=OwnUsage(
                    store=services.store,
                    clock=services.clock,
                    policy=UsagePolicy(
                        days_max=settings.usage_days_max, export_rows_max=settings.usage_export_rows_max
                    ),
                ),
                receipts=self._receipts,
                account=account_policy(settings),
                redemptions=make_redemptions(services),
                secure_cookies=has_secure_cookies(settings),
                console_body_bytes_max=settings.console_body_bytes_max,
                callbacks=make_callbacks(services),
                topups=self._topups,
                allow_test_pages=not settings.is_production,
                throttle=self._gateway.throttle,
                create_status_word="CREATED" if settings.create_status_case == "upper" else "created",
                metrics_public=settings.metrics_public,
                trusted_proxies=settings.trusted_proxies,
                why_not_ready=self._gateway.why_not_ready,
            )
        )

    def _videos(self) -> Videos:
        services, settings = self._services, self._services.settings
        return Videos(
            VideoParts(
                store=services.store,
                clock=services.clock,
                intake=make_intake(services, self._files, [self._address]),
                delivery=DeliveryCheck(
                    Upstreams(settings), make_delivery(settings, self._files, self._address), self._address
                ),
                policy=VideoPolicy(
                    tasks_per_customer_max=settings.video_tasks_per_customer_max,
                    refresh_seconds=settings.video_refresh_seconds,
                    lease_wait_seconds=settings.lease_wait_seconds,
                    input_seconds=settings.input_days * _DAY_SECONDS,
                    test_seconds=_SANDBOX_SECONDS * settings.sandbox_time_scale + _SANDBOX_WORK_SECONDS,
                ),
            )
        )


def _config(app: Callable[..., object], settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=GatewayProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=math.ceil(settings.keep_alive_seconds),
        timeout_graceful_shutdown=math.ceil(settings.shutdown_drain_seconds) + _SHUTDOWN_MARGIN_SECONDS,
    )


def gateway_options(settings: Settings) -> GatewayOptions:
    """The settings of the hot path; both use the same names. Half of the files are left for what is not clients'."""
    options = GatewayOptions(**{f.name: getattr(settings, f.name) for f in fields(GatewayOptions)})
    return replace(options, connections_max=min(options.connections_max, open_files_max() // 2))


def _top_up_desk(parts: TopUpParts, settings: Settings) -> TopUpDesk:
    return TopUpDesk(
        orders=TopUps(parts),
        notifications=Notifications(parts),
        notification_bytes_max=settings.topup_notification_bytes_max,
    )


def _form_options(settings: Settings, scratch: ScratchFolder) -> FormOptions:
    return FormOptions(
        scratch=scratch,
        request_bytes_max=settings.upload_request_bytes_max,
        file_bytes_max=settings.upload_file_bytes_max,
        text_bytes_max=settings.upload_text_bytes_max,
        parts_max=settings.upload_parts_max,
    )


def _lease_policy(settings: Settings) -> LeasePolicy:
    return LeasePolicy(
        share_percent=settings.lease_share_percent, amount_max_nanos=parse_amount(settings.lease_amount_max)
    )
