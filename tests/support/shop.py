"""Our application on a real port, a simulated Alipay that tells it of payments, and a customer with a browser."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn
from tests.edge.platform import Platform, open_platform
from tests.support.alipay import Client, Simulated, alipay_options
from tests.support.signin import MOBILE, Browser

from yuanjing.domain.ledger import is_posting
from yuanjing.domain.money import Book
from yuanjing.domain.topups import TopUp, Verdict
from yuanjing.edge.app import create_app
from yuanjing.edge.parts import TopUpDesk
from yuanjing.kit.clock import SystemClock
from yuanjing.ports.store import Store, Tx
from yuanjing.ports.topups import TopUpFilter
from yuanjing.usecases.breaches import Breach, Findings
from yuanjing.usecases.customers import create_customer
from yuanjing.usecases.topups import Bills, Notifications, Refunds, TopUpParts, TopUpPolicy, TopUps
from yuanjing.usecases.verify_ledger import check_accounts, check_entries, check_transfers
from yuanjing.usecases.verify_topups import check_topups

YUAN = 10**9
POLICY = TopUpPolicy(ask_seconds=0.001, ask_wait_seconds=0.5, first_check_seconds=5.0)


class ShiftedClock(SystemClock):
    """The system's time, put forward together with the simulator's."""

    ahead = 0.0

    def unix(self) -> float:
        return super().unix() + self.ahead


def breaches(tx: Tx) -> list[Breach]:
    """What `verify` finds of top-ups and the ledger."""
    findings = Findings()
    check_accounts(tx, findings, check_entries(tx, findings))
    check_transfers(tx, findings)
    check_topups(tx, findings)
    return findings.breaches


@dataclass
class Shop:
    """Everything of one installation, and what a test does with it."""

    box: Simulated
    platform: Platform
    store: Store
    parts: TopUpParts
    clock: ShiftedClock
    browser: Browser
    url: str
    customer: str

    @property
    def orders(self) -> TopUps:
        return TopUps(self.parts)

    @property
    def refunds(self) -> Refunds:
        return Refunds(self.parts)

    @property
    def bills(self) -> Bills:
        return Bills(self.parts)

    async def order(self, way: str = "page", amount: str = "10.00") -> Any:
        """A customer's order, begun at Alipay."""
        answer = await self.browser.post("/api/topups", {"method": "alipay", "way": way, "amount": amount})
        assert answer.status_code == 200, answer.text
        made = answer.json()
        await self.enter(made)
        return made

    async def enter(self, made: Any) -> None:
        """The payer's browser opens the address, if it is one for browsers."""
        if made["payment"]["url"]:
            answer = await asyncio.to_thread(self.box.client.get, made["payment"]["url"])
            assert answer.status_code == 302, answer.text

    async def press(self, made: Any, action: str, fault: str = "", **fields: str) -> Any:
        """The payer presses a button of the cashier."""
        return await asyncio.to_thread(self.box.press, made["number"], action, fault, **fields)

    async def pay(self, made: Any, fault: str = "", **fields: str) -> Any:
        answer = await self.press(made, "pay", fault, **fields)
        assert answer.status_code in (200, 302), answer.text
        return answer

    async def attempts(self, number: str, count: int) -> Any:
        """Sends of notifications, once there are so many."""
        return await asyncio.to_thread(self.box.attempts, number, count)

    async def advance(self, seconds: float) -> None:
        """Put both clocks forward."""
        self.clock.ahead += seconds
        await asyncio.to_thread(self.box.advance, seconds)

    async def show(self, made: Any) -> Any:
        """What the customer's page shows, which asks Alipay."""
        answer = await self.browser.client.get(f"/api/topups/{made['id']}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def row(self, made: Any) -> TopUp:
        found = await self.store.read(lambda tx: tx.topups.get(made["id"]))
        assert found is not None
        return found

    async def verdicts(self, number: str) -> list[Verdict]:
        return [one.verdict for one in await self.store.read(lambda tx: tx.topups.notifications(number))]

    async def available(self) -> int:
        return (await self.store.read(lambda tx: tx.ledger.balances(Book.LIVE, self.customer))).available_nanos

    async def check(self, available: int) -> None:
        """The customer has this much, the books are even, and each credited order has exactly its transfer."""
        assert await self.available() == available
        assert await self.store.read(breaches) == []
        transfers = await self.store.read(lambda tx: list(tx.ledger.scan_transfers()))
        assert all(is_posting(one) for one in transfers)
        credited = [one for one in await self.store.read(lambda tx: tx.topups.list(TopUpFilter())) if one.credited_at]
        assert len([one for one in transfers if one.id.startswith("topup:")]) == len(credited)


@asynccontextmanager
async def open_shop(box: Simulated, folder: Path, store: Store | None = None, **policy: Any) -> AsyncGenerator[Shop]:
    """An installation over a store in memory, or over this one, with its customer signed in."""
    async with open_platform(folder) as platform, _serving(platform, box, store, policy) as shop:
        yield shop


@asynccontextmanager
async def _serving(
    platform: Platform, box: Simulated, store: Store | None, policy: Mapping[str, Any]
) -> AsyncGenerator[Shop]:
    clock = ShiftedClock()
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with Client(alipay_options(gateway_url=box.gateway), clock) as method:
        parts = TopUpParts(
            store=store or platform.store,
            clock=clock,
            methods={"alipay": method},
            policy=replace(POLICY, **policy),
            subject="元境充值",
            return_url=lambda id_: f"{url}/?topup={id_}",
            notify_url=lambda name: f"{url}/callbacks/payments/{name}",
        )
        desk = TopUpDesk(orders=TopUps(parts), notifications=Notifications(parts))
        edge = platform.changed(topups=desk)
        config = uvicorn.Config(create_app(edge), log_config=None, lifespan="off", access_log=False, ws="none")
        server = uvicorn.Server(config)
        serving = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
        browser = platform.browser(parts=edge)
        customer = (await browser.sign_in())["customer"]["id"]
        if store is not None:  # the session's customer is in memory
            made = await create_customer(store, clock, mobile=MOBILE, test_grant_nanos=0)
            customer = made.id
        try:
            yield Shop(
                box=box,
                platform=platform,
                store=parts.store,
                parts=parts,
                clock=clock,
                browser=browser,
                url=url,
                customer=customer,
            )
        finally:
            await browser.client.aclose()
            server.should_exit = True
            await serving
