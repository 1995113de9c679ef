"""What there is before a simulation begins: two offers, their prices and channels, customers with keys and money."""

import datetime as dt
from dataclasses import dataclass, replace

from tests.edge.videos import T2V, video_offer

from yuanjing.domain import ledger
from yuanjing.domain.catalog import Channel, ChatLimits, Offer, Operation, Provider
from yuanjing.domain.identity import ApiKey, Customer, KeyLimits, format_key
from yuanjing.domain.money import Book
from yuanjing.domain.pricing import ChatPrice, ChatTier
from yuanjing.domain.tasks import VideoMeter
from yuanjing.domain.video_offers import VideoLimits
from yuanjing.domain.video_pricing import VideoPrice, VideoRate
from yuanjing.kit.digest import keyed_digest
from yuanjing.ports.store import Tx

YUAN = 10**9
PEPPER = b"pepper of the simulation"
INPUT_NANOS = 320_000_007
OUTPUT_NANOS = 1_280_000_003
"""Per thousand tokens, so that a chat costs some fen and the last money is soon competed for."""
SECOND_NANOS = 10_000_001
"""Per second of video."""
OPENING_YUAN = 5
METHOD = "fake"
LIMITS = VideoLimits(
    deadline_seconds=8,
    lost_seconds=3,
    poll_min_seconds=1,
    poll_max_seconds=2,
    queries_per_second=50,
    submits_per_minute=6000,
    tasks_max=4,
    result_seconds=600,
)
_LONG_AGO = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CHAT = Offer(
    id="chat-of-the-simulatio",
    model="m",
    operation=Operation.CHAT,
    label="M",
    provider_label="P",
    providers={"c": "m"},
    chat=ChatLimits(context_tokens=4096, output_tokens_max=64),
)
CHAT_PRICE = ChatPrice(
    id="price_chat",
    offer_id=CHAT.id,
    version=1,
    effective_from=_LONG_AGO,
    tiers=(ChatTier(input_up_to=None, input_nanos=INPUT_NANOS * 1000, output_nanos=OUTPUT_NANOS * 1000),),
)
VIDEO = replace(video_offer(T2V, "dream", Operation.TEXT_TO_VIDEO), providers={"v": "dream"})
VIDEO_PRICE = VideoPrice(
    id="price_video",
    offer_id=VIDEO.id,
    version=1,
    effective_from=_LONG_AGO,
    rates=(VideoRate(meter=VideoMeter.VIDEO_SECONDS, amount_nanos=SECOND_NANOS, per=1),),
)


@dataclass(frozen=True, kw_only=True)
class Held:
    """A key as its customer has it."""

    row: ApiKey
    text: str
    customer: Customer

    @property
    def book(self) -> Book:
        return self.row.book


def _key(number: int, customer: Customer, book: Book, budget_nanos: int | None = None) -> Held:
    text = format_key(book, f"simkey{number:02d}", f"{number:032d}")
    limits = KeyLimits(budget_nanos=budget_nanos)
    row = ApiKey(
        id=f"key_{number}",
        customer_id=customer.id,
        book=book,
        name="k",
        public_id=f"simkey{number:02d}",
        digest=keyed_digest(PEPPER, text),
        limits=limits,
        created_at=0.0,
    )
    return Held(row=row, text=text, customer=customer)


RICH, MIDDLE, POOR = (
    Customer(id=f"cus_{name}", mobile=f"+861380000000{number}", name="", created_at=0.0)
    for number, name in enumerate(("rich", "middle", "poor"))
)
CUSTOMERS = (RICH, MIDDLE, POOR)
KEYS = (
    _key(1, RICH, Book.LIVE),
    _key(2, RICH, Book.LIVE, YUAN // 4),
    _key(3, RICH, Book.TEST),
    _key(4, MIDDLE, Book.LIVE),
    _key(5, MIDDLE, Book.LIVE, YUAN // 7),
    _key(6, POOR, Book.LIVE),
    _key(7, POOR, Book.TEST),
)


def put_up(tx: Tx, poor_nanos: int) -> None:
    """Write it all; the poor customer has just so much in either book."""
    for provider_id, protocol, limits in (("c", "openai_compatible", None), ("v", "memory", LIMITS)):
        provider = Provider(
            id=provider_id,
            label="P",
            label_zh="P",
            protocol=protocol,
            base_url=f"http://{provider_id}.test",
            sandbox_path="",
            video=limits,
        )
        tx.catalog.save_provider(provider)
        for book, priority in ((book, priority) for book in Book for priority in range(2)):
            tx.catalog.save_channel(
                Channel(
                    id=f"ch_{provider_id}{priority}_{book}",
                    provider_id=provider_id,
                    book=book,
                    name=f"{provider_id}{priority} {book}",
                    priority=priority,
                    base_url=f"http://{provider_id}.test",
                    credential=b"",
                    connections_max=3,
                )
            )
    for offer in (CHAT, VIDEO):
        tx.catalog.save_offer(offer)
    tx.catalog.add_price(CHAT_PRICE)
    tx.catalog.add_price(VIDEO_PRICE)
    for customer in CUSTOMERS:
        tx.customers.add(customer)
    for key in KEYS:
        tx.keys.add(key.row)
    amounts = {RICH.id: OPENING_YUAN * YUAN, MIDDLE.id: YUAN // 2 + 3, POOR.id: poor_nanos}
    tx.ledger.post(
        [
            ledger.grant(book, customer_id, amount, cause=f"opening:{book}:{customer_id}")
            for book in Book
            for customer_id, amount in amounts.items()
        ]
    )
