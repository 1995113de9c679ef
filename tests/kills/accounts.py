"""Who asks, with which money, and the channels into the simulated providers: set up as an operator would do it."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from yuanjing.bootstrap.services import Services, open_services
from yuanjing.domain.identity import KeyLimits
from yuanjing.domain.money import Book, parse_amount
from yuanjing.settings import PREFIX, Settings
from yuanjing.usecases.catalog import import_catalog
from yuanjing.usecases.catalog_documents import parse_document, shipped_documents
from yuanjing.usecases.channels import ChannelDraft, add_channel
from yuanjing.usecases.customers import create_customer, grant_money, grant_promotion
from yuanjing.usecases.keys import create_key

RICH, POOR = 8, 3
BUDGETS = ("0.02", "0.3")
RICH_START, POOR_START, TOPUP = parse_amount("100000"), parse_amount("0.02"), parse_amount("0.003")
CREDENTIAL = "sandbox-key"
"""For the channels; a provider's key is as secret as a customer's."""
_BOOK = Book.LIVE
_NO_LIMITS = """
[[provider]]
id = "dashscope-video"
label = "Alibaba Cloud Model Studio, video"
label_zh = "阿里云百炼视频"
protocol = "dashscope"
base_url = "https://dashscope.aliyuncs.com/api/v1"
sandbox_path = "/api/v1"

[provider.video]
poll_min_seconds = 1
queries_per_second = 10000
submits_per_minute = 1000000
tasks_max = 1000000
lost_seconds = 1

[[provider]]
id = "ark-video"
label = "Volcengine Ark, video"
label_zh = "火山方舟视频"
protocol = "ark"
base_url = "https://ark.cn-beijing.volces.com/api/v3"
sandbox_path = "/api/v3"

[provider.video]
poll_min_seconds = 1
queries_per_second = 10000
lists_per_second = 100
submits_per_minute = 1000000
tasks_max = 1000000
lost_seconds = 1
"""
"""The providers' rows with their limits lifted, since not they are under test."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Accounts:
    """Who asks.

    Attributes:
        keys: of those with enough money.
        rich: customers with enough money; the owner of the keys with budgets is one of them.
        poor: customer → key of those who have little, and get some more now and then.
        budgets: key → what it may spend in all, in nano-yuan; their owner has enough.
    """

    keys: list[bytes] = field(default_factory=list)
    rich: list[str] = field(default_factory=list)
    poor: dict[str, bytes] = field(default_factory=dict)
    budgets: dict[bytes, int] = field(default_factory=dict)

    @property
    def scarce(self) -> list[bytes]:
        """The keys that run out of money."""
        return [*self.poor.values(), *self.budgets]


@asynccontextmanager
async def open_house(environment: Mapping[str, str]) -> AsyncGenerator[Services]:
    """What commands work with, for the settings of a machine."""
    given = {name.removeprefix(PREFIX).lower(): value for name, value in environment.items() if name.startswith(PREFIX)}
    async with open_services(Settings.from_json(json.dumps(given))) as services:
        yield services


async def set_up(house: Services, chat_url: str, video_url: str) -> Accounts:
    """Catalogue, channels, customers with money, keys."""
    store, clock = house.store, house.clock
    await import_catalog(store, clock, shipped_documents())
    await import_catalog(store, clock, [parse_document("no-limits", _NO_LIMITS)])
    addresses = {
        "dashscope": f"{chat_url}/v1",
        "deepseek": f"{chat_url}/v1",
        "dashscope-video": f"{video_url}/api/v1",
        "ark-video": f"{video_url}/api/v3",
    }
    for provider, address in addresses.items():
        draft = ChannelDraft(provider_id=provider, book=_BOOK, base_url=address)
        await add_channel(store, clock, house.box, draft, credential=CREDENTIAL)
    made = Accounts()
    for number in range(RICH):
        made.rich.append(await _new_customer(house, number, RICH_START))
        made.keys.append(await _new_key(house, made.rich[-1]))
    for number in range(POOR):
        customer = await _new_customer(house, 100 + number, POOR_START)
        made.poor[customer] = await _new_key(house, customer)
    for amount in BUDGETS:
        made.budgets[await _new_key(house, made.rich[0], amount)] = parse_amount(amount)
    return made


async def top_up(house: Services, customer: str, *, is_promotion: bool) -> None:
    """A little more for somebody who has nothing."""
    grant = grant_promotion if is_promotion else grant_money
    await grant(house.store, house.clock, customer_id=customer, book=_BOOK, amount_nanos=TOPUP)


async def _new_customer(house: Services, number: int, amount: int) -> str:
    mobile = f"+86138{number:08}"
    made = await create_customer(house.store, house.clock, mobile=mobile, test_grant_nanos=0)
    await grant_money(house.store, house.clock, customer_id=made.id, book=_BOOK, amount_nanos=amount)
    return made.id


async def _new_key(house: Services, customer: str, budget: str = "") -> bytes:
    limits = KeyLimits(budget_nanos=parse_amount(budget)) if budget else KeyLimits()
    _, text = await create_key(house.store, house.clock, house.pepper, customer_id=customer, book=_BOOK, limits=limits)
    return text.encode()
