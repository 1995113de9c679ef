"""How customers pay: the payment methods that the settings set up, and what top-ups are made with."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from yuanjing.adapters.transfers import TransferMethod
from yuanjing.bootstrap.alipay import Alipay, account_options
from yuanjing.bootstrap.payment_choice import is_simulated
from yuanjing.bootstrap.services import Services
from yuanjing.bootstrap.simulated_payments import simulated_options
from yuanjing.domain.money import parse_amount
from yuanjing.ports.payments import PaymentMethod
from yuanjing.settings import Settings
from yuanjing.usecases.topups import TopUpParts, TopUpPolicy

NOTIFY_PATH = "/callbacks/payments"
_DAY_SECONDS = 86_400.0


@asynccontextmanager
async def open_payments(
    services: Services, *, address: str, sandbox_address: str | None
) -> AsyncGenerator[TopUpParts | None]:
    """What top-ups are made with; None where no payment method is set up.

    Args:
        services: of the process.
        address: where this machine reaches the platform; empty if it is not known.
        sandbox_address: the same of its sandbox; None if there is none.

    Raises:
        SettingsError: a key cannot be used.
    """
    settings, clock = services.settings, services.clock
    methods: dict[str, PaymentMethod] = {}
    async with AsyncExitStack() as stack:
        reach = settings.public_base_url
        if settings.alipay_app_id:
            account = Alipay(lambda: account_options(settings), clock, stack, ca_file=settings.ca_file)
            account.make()  # now, while nobody waits
            methods[account.name] = account
        elif sandbox_address is not None and is_simulated(settings):
            simulated = Alipay(lambda: simulated_options(settings, sandbox_address), clock, stack, ca_file=None)
            methods[simulated.name] = simulated
            reach = address
        if settings.transfer_instructions:
            manual = TransferMethod(settings.transfer_instructions, seconds=settings.transfer_days * _DAY_SECONDS)
            methods[manual.name] = manual
        yield _parts(services, methods, address=address, reach=reach) if methods else None


def _parts(services: Services, methods: Mapping[str, PaymentMethod], *, address: str, reach: str) -> TopUpParts:
    """`reach` is where payment methods reach us; empty if they cannot."""
    settings = services.settings
    browse = settings.public_base_url or address
    return TopUpParts(
        store=services.store,
        clock=services.clock,
        methods=methods,
        policy=top_up_policy(settings),
        subject=settings.topup_subject,
        return_url=lambda id_: f"{browse}/finance/orders/{id_}" if browse else "",
        notify_url=lambda name: f"{reach}{NOTIFY_PATH}/{name}" if reach else "",
    )


def top_up_policy(settings: Settings) -> TopUpPolicy:
    """The limits of top-ups."""
    return TopUpPolicy(
        amount_min_nanos=parse_amount(settings.topup_amount_min),
        amount_max_nanos=parse_amount(settings.topup_amount_max),
        order_seconds=settings.topup_order_seconds,
        open_max=settings.topup_open_max,
        per_hour=settings.topup_per_hour,
        ask_seconds=settings.topup_ask_seconds,
        ask_wait_seconds=settings.topup_ask_wait_seconds,
        first_check_seconds=settings.topup_check_seconds,
        check_seconds_max=settings.topup_check_seconds_max,
        asked_at_once=settings.topup_asked_at_once,
        refund_seconds=settings.topup_refund_seconds,
        late_seconds=settings.topup_late_seconds,
        forged_per_hour=settings.topup_forged_per_hour,
        forged_seconds=settings.topup_forged_days * _DAY_SECONDS,
        bill_days=settings.topup_bill_days,
    )
