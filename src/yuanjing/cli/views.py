"""The JSON shapes of what commands print; documented in docs/reference/cli.md and stable."""

from collections.abc import Mapping

from yuanjing.cli.tables import api_time
from yuanjing.domain.catalog import Channel, Offer
from yuanjing.domain.identity import ApiKey, Customer
from yuanjing.domain.ledger import Balances, Entry
from yuanjing.domain.money import Book, format_amount
from yuanjing.domain.pricing import UNITS_PER_RATE, ChargeLine, ChatPrice, ChatTier
from yuanjing.domain.promotions import Lot
from yuanjing.domain.usage import PostedUsage
from yuanjing.domain.video_pricing import OfferPrice, VideoLine, VideoRate
from yuanjing.usecases.usages import UsageExplanation, format_exact, format_micro_nanos

Json = Mapping[str, object]


def to_json_customer(customer: Customer) -> Json:
    """A customer."""
    return {
        "id": customer.id,
        "mobile": customer.mobile,
        "name": customer.name,
        "created_at": api_time(customer.created_at),
        "disabled_at": api_time(customer.disabled_at),
    }


def to_json_balances(balances: Mapping[Book, Balances]) -> Json:
    """Balances of both books."""
    return {book.value: to_json_balance(balance) for book, balance in balances.items()}


def to_json_balance(balance: Balances) -> Json:
    """Posted balances of one book."""
    return {
        "available": format_amount(balance.available_nanos),
        "held": format_amount(balance.held_nanos),
        "promotion": format_amount(balance.promotion_nanos),
    }


def to_json_lot(lot: Lot) -> Json:
    """A lot of promotion money."""
    return {
        "id": lot.id,
        "book": lot.book.value,
        "amount": format_amount(lot.amount_nanos),
        "left": format_amount(lot.left_nanos),
        "expired": format_amount(lot.expired_nanos),
        "expires_at": api_time(lot.expires_at),
        "cause": lot.cause,
        "created_at": api_time(lot.created_at),
    }


def to_json_entry(entry: Entry) -> Json:
    """A ledger entry."""
    return {
        "version": entry.version,
        "at": api_time(entry.created_at),
        "reason": entry.reason.value,
        "amount": format_amount(entry.amount_nanos),
        "balance_before": format_amount(entry.balance_before_nanos),
        "balance_after": format_amount(entry.balance_after_nanos),
        "transfer_id": entry.transfer_id,
        "hold_id": entry.hold_id,
        "note": entry.note,
    }


def to_json_key(key: ApiKey) -> Json:
    """A key; never its digest."""
    limits = key.limits
    return {
        "id": key.id,
        "customer_id": key.customer_id,
        "book": key.book.value,
        "name": key.name,
        "public_id": key.public_id,
        "created_at": api_time(key.created_at),
        "expires_at": api_time(key.expires_at),
        "revoked_at": api_time(key.revoked_at),
        "limits": {
            "models": list(limits.models),
            "networks": list(limits.networks),
            "requests_per_minute": limits.requests_per_minute,
            "tokens_per_minute": limits.tokens_per_minute,
            "concurrency": limits.concurrency,
            "budget": None if limits.budget_nanos is None else format_amount(limits.budget_nanos),
            "budget_period": limits.budget_period.value,
        },
    }


def to_json_offer(offer: Offer, *, is_enabled: bool, price: OfferPrice | None) -> Json:
    """An offer with its price in force; without its parameters, which `offer show` adds."""
    chat = offer.chat
    return {
        "id": offer.id,
        "model": offer.model,
        "aliases": list(offer.aliases),
        "operation": offer.operation.value,
        "models": [model.name for model in offer.video.models] if offer.video else [],
        "label": offer.label,
        "provider_label": offer.provider_label,
        "providers": dict(offer.providers),
        "capabilities": list(offer.capabilities),
        "is_enabled": is_enabled,
        "enabled_from": api_time(offer.enabled_from),
        "enabled_until": api_time(offer.enabled_until),
        "context_tokens": chat.context_tokens if chat else None,
        "output_tokens_max": chat.output_tokens_max if chat else None,
        "price": to_json_price(price) if price else None,
    }


def to_json_price(price: OfferPrice) -> Json:
    """A price version: tiers of chat, rates of video."""
    is_chat = isinstance(price, ChatPrice)
    terms = {"tiers": [to_json_tier(t) for t in price.tiers]} if is_chat else {"rates": [_rate(r) for r in price.rates]}
    return {
        "id": price.id,
        "version": price.version,
        "effective_from": api_time(price.effective_from),
        "source": price.source,
        **terms,
    }


def _rate(rate: VideoRate) -> Json:
    """A rate of video; a condition of null always holds."""
    return {
        "meter": rate.meter.value,
        "rate": format_amount(rate.amount_nanos),
        "per": rate.per,
        "model": rate.model,
        "resolution": rate.resolution,
        "audio": rate.has_audio,
        "off_peak": rate.is_off_peak,
        "video_input": rate.has_video_input,
    }


def to_json_tier(tier: ChatTier) -> Json:
    """The rates of one tier per million tokens, as they are applied."""
    return {
        "input_up_to": tier.input_up_to,
        "input": format_amount(tier.input_nanos),
        "output": format_amount(tier.output_nanos),
        "cache_read": format_amount(tier.cache_read),
        "cache_write": format_amount(tier.cache_write),
    }


def to_json_channel(channel: Channel) -> Json:
    """A channel; never its credential."""
    return {
        "id": channel.id,
        "provider": channel.provider_id,
        "book": channel.book.value,
        "name": channel.name,
        "base_url": channel.base_url,
        "is_enabled": channel.is_enabled,
        "priority": channel.priority,
        "weight": channel.weight,
        "connections_max": channel.connections_max,
        "requests_per_minute": channel.limits.requests_per_minute,
        "tokens_per_minute": channel.limits.tokens_per_minute,
        "concurrency": channel.limits.concurrency,
        "offers": list(channel.offers),
        "upstream_models": dict(channel.upstream_models),
        "created_at": api_time(channel.created_at),
    }


def to_json_usage(posted: PostedUsage) -> Json:
    """A usage record."""
    record = posted.record
    return {
        "id": record.id,
        "book": record.book.value,
        "customer_id": record.customer_id,
        "key_id": record.key_id,
        "model": record.model,
        "operation": record.operation,
        "status": record.status.value,
        "is_stream": record.is_stream,
        "is_estimated": record.is_estimated,
        "meters": dict(record.meters),
        "charge": format_amount(record.charge_nanos),
        "ceiling": format_amount(record.ceiling_nanos),
        "overrun": format_amount(record.overrun_nanos),
        "late_shortfall": format_amount(posted.late_shortfall_nanos),
        "price_id": record.price_id,
        "channel_id": record.channel_id,
        "upstream_model": record.upstream_model,
        "upstream_request_id": record.upstream_request_id,
        "request_id": record.request_id,
        "attempts": record.attempts,
        "first_byte_ms": record.first_byte_ms,
        "duration_ms": record.duration_ms,
        "settle_transfer_id": posted.settle_transfer_id,
        "started_at": api_time(record.started_at),
        "posted_at": api_time(posted.posted_at),
    }


def to_json_explanation(explanation: UsageExplanation) -> Json:
    """The arithmetic of a charge."""
    return {
        "is_consistent": explanation.is_consistent,
        "price": to_json_price(explanation.price),
        "lines": [_line(line) for line in explanation.charge.lines],
        "total": format_amount(explanation.charge.total_nanos),
        "text": list(explanation.lines),
    }


def _line(line: ChargeLine | VideoLine) -> Json:
    """A line of a charge: quantity x rate / per = amount."""
    is_video = isinstance(line, VideoLine)
    return {
        "meter": line.meter.value,
        "quantity": line.quantity,
        "rate": format_amount(line.amount_nanos if is_video else line.rate_nanos),
        "per": line.per if is_video else UNITS_PER_RATE,
        "amount": format_exact(line.exact_nanos) if is_video else format_micro_nanos(line.micro_nanos),
    }
