import dataclasses

import pytest

from yuanjing.domain.catalog import upstream_model
from yuanjing.domain.errors import InvalidInputError, NotFoundError
from yuanjing.domain.money import Book
from yuanjing.kit.secretbox import SecretBox, SecretBoxError
from yuanjing.ports.store import Topic
from yuanjing.ports.upstream import ProbeReport
from yuanjing.usecases.catalog import import_catalog
from yuanjing.usecases.catalog_documents import shipped_documents
from yuanjing.usecases.channels import (
    ChannelChange,
    ChannelDraft,
    add_channel,
    add_sandbox_channels,
    check_channel,
    ensure_sandbox_channels,
    list_channels,
    set_channel_enabled,
    update_channel,
)

SECRET = "sk-do-not-show"
DRAFT = ChannelDraft(provider_id="dashscope", book=Book.LIVE, base_url="https://d.example/v1/")


class RecordingProbe:
    """A provider that answers everything well, or nothing."""

    def __init__(self, *, is_ok=True):
        self.targets, self.is_ok = [], is_ok

    async def probe(self, target):
        self.targets.append(target)
        return ProbeReport(is_ok=self.is_ok, status=200, message="it works", duration_ms=1)


def plain(box, channel):
    return box.open(channel.credential, channel.credential_context).decode()


async def test_a_channel_keeps_its_credential_sealed(catalog_store, clock, box, signals):
    made = await add_channel(catalog_store, clock, box, DRAFT, credential=SECRET)
    assert (made.base_url, made.name, made.is_enabled) == ("https://d.example/v1", "dashscope", True)
    assert await list_channels(catalog_store) == [made]
    assert SECRET.encode() not in made.credential
    assert plain(box, made) == SECRET
    assert (await signals())[-1] == (Topic.CATALOG, "")


@pytest.mark.parametrize("change", [{"base_url": "https://evil.example"}, {"id": "ch_2"}, {"book": Book.TEST}])
async def test_a_row_changed_behind_our_back_does_not_give_the_credential_away(catalog_store, clock, box, change):
    made = await add_channel(catalog_store, clock, box, DRAFT, credential=SECRET)
    with pytest.raises(SecretBoxError):
        plain(box, dataclasses.replace(made, **change))


async def test_without_an_address_it_is_the_documented_one(catalog_store, clock, box):
    draft = dataclasses.replace(DRAFT, base_url="")
    made = await add_channel(catalog_store, clock, box, draft, credential=SECRET)
    assert made.base_url == "https://dashscope.aliyuncs.com/compatible-mode/v1"


async def test_offers_are_found_by_any_name(catalog_store, clock, box):
    draft = dataclasses.replace(
        DRAFT, provider_id="deepseek", offers=("deepseek-chat",), upstream_models={"deepseek-chat": "ep-1"}
    )
    made = await add_channel(catalog_store, clock, box, draft, credential=SECRET)
    assert made.offers == ("OxxMmllMnrdo6i2fWzqYy",)
    assert made.upstream_models == {"OxxMmllMnrdo6i2fWzqYy": "ep-1"}
    assert made.serves("OxxMmllMnrdo6i2fWzqYy")
    assert not made.serves("other")


@pytest.mark.parametrize(
    ("change", "credential"),
    [
        ({}, ""),
        ({}, "two lines\r\nx-evil: 1"),
        ({}, "schlüssel"),
        ({}, "x" * 5000),
        ({"base_url": "example.com"}, SECRET),
        ({"base_url": "https://user:pw@example.com/v1"}, SECRET),
        ({"base_url": "https://example.com/v1?key=1"}, SECRET),
        ({"base_url": "https://example.com\\@evil.example"}, SECRET),
        ({"base_url": "file:///etc/passwd"}, SECRET),
        ({"base_url": "http://h:99999/v1"}, SECRET),
        ({"base_url": "http://[::1/v1"}, SECRET),
        ({"priority": -1}, SECRET),
        ({"weight": 0}, SECRET),
        ({"connections_max": 0}, SECRET),
        ({"name": "x" * 101}, SECRET),
        ({"offers": ("kimi-k2.5",)}, SECRET),
        ({"upstream_models": {"qwen3-max": " "}}, SECRET),
    ],
)
async def test_channels_that_cannot_work_are_refused(catalog_store, clock, box, change, credential):
    with pytest.raises(InvalidInputError) as error:
        await add_channel(catalog_store, clock, box, dataclasses.replace(DRAFT, **change), credential=credential)
    assert not credential or credential not in str(error.value)
    assert await list_channels(catalog_store) == []


async def test_what_is_not_there_is_not_found(catalog_store, clock, box):
    with pytest.raises(NotFoundError, match="known are: ark, ark-video"):
        await add_channel(catalog_store, clock, box, dataclasses.replace(DRAFT, provider_id="x"), credential=SECRET)
    with pytest.raises(NotFoundError):
        await add_channel(catalog_store, clock, box, dataclasses.replace(DRAFT, offers=("x",)), credential=SECRET)
    with pytest.raises(NotFoundError):
        await update_channel(catalog_store, clock, box, "ch_x", ChannelChange())
    with pytest.raises(NotFoundError):
        await set_channel_enabled(catalog_store, clock, "ch_x", is_enabled=True)
    with pytest.raises(NotFoundError):
        await check_channel(catalog_store, clock, box, RecordingProbe(), "ch_x")


async def test_your_own_server_needs_no_credential(catalog_store, clock, box):
    draft = ChannelDraft(provider_id="ollama", book=Book.LIVE)
    assert plain(box, await add_channel(catalog_store, clock, box, draft, credential="")) == ""


async def test_a_change_leaves_the_rest(catalog_store, clock, box):
    made = await add_channel(catalog_store, clock, box, DRAFT, credential=SECRET)
    changed = await update_channel(catalog_store, clock, box, made.id, ChannelChange(priority=3, name="second"))
    assert changed == dataclasses.replace(made, priority=3, name="second")
    renewed = await update_channel(catalog_store, clock, box, made.id, ChannelChange(), credential="sk-new")
    assert plain(box, renewed) == "sk-new"
    with pytest.raises(InvalidInputError):
        await update_channel(catalog_store, clock, box, made.id, ChannelChange(weight=0))


async def test_a_new_address_needs_the_credential_again(catalog_store, clock, box):
    made = await add_channel(catalog_store, clock, box, DRAFT, credential=SECRET)
    move = ChannelChange(base_url="https://other.example/v1")
    with pytest.raises(InvalidInputError, match="credential again"):
        await update_channel(catalog_store, clock, box, made.id, move)
    moved = await update_channel(catalog_store, clock, box, made.id, move, credential=SECRET)
    assert plain(box, moved) == SECRET


async def test_switching_off_and_on_signals_only_changes(catalog_store, clock, box, signals):
    made = await add_channel(catalog_store, clock, box, DRAFT, credential=SECRET)
    before = len(await signals())
    assert not (await set_channel_enabled(catalog_store, clock, made.id, is_enabled=False)).is_enabled
    assert not (await set_channel_enabled(catalog_store, clock, made.id, is_enabled=False)).is_enabled
    assert (await set_channel_enabled(catalog_store, clock, made.id, is_enabled=True)).is_enabled
    assert len(await signals()) == before + 2


async def test_a_check_uses_the_channels_own_names(catalog_store, clock, box):
    draft = dataclasses.replace(DRAFT, upstream_models={"qwen3-max": "my-qwen"})
    made = await add_channel(catalog_store, clock, box, draft, credential=SECRET)
    probe = RecordingProbe()
    for model in (None, "qwen3-max", "qwen-flash"):
        assert (await check_channel(catalog_store, clock, box, probe, made.id, model=model)).is_ok
    assert [target.model for target in probe.targets] == [None, "my-qwen", "qwen-flash"]
    assert {target.credential for target in probe.targets} == {SECRET}
    assert SECRET not in repr(probe.targets)
    with pytest.raises(NotFoundError):
        await check_channel(catalog_store, clock, box, probe, made.id, model="kimi-k2.5")


async def test_gateways_are_told_of_a_channel_that_works(catalog_store, clock, box, signals):
    made = await add_channel(catalog_store, clock, box, DRAFT, credential=SECRET)
    before = await signals()
    assert not (await check_channel(catalog_store, clock, box, RecordingProbe(is_ok=False), made.id)).is_ok
    assert await signals() == before
    assert (await check_channel(catalog_store, clock, box, RecordingProbe(), made.id)).is_ok
    assert await signals() == [*before, (Topic.CATALOG, made.id)]


async def test_a_check_with_a_lost_key_says_what_to_do(catalog_store, clock, box):
    made = await add_channel(catalog_store, clock, box, DRAFT, credential=SECRET)
    report = await check_channel(catalog_store, clock, SecretBox([b"other" * 6 + b"xx"]), RecordingProbe(), made.id)
    assert not report.is_ok
    assert "give it again" in report.message


async def test_the_sandbox_serves_every_provider_in_the_test_book(catalog_store, clock, box, signals):
    made = await ensure_sandbox_channels(catalog_store, clock, box, base_url="http://127.0.0.1:8090", credential="s")
    assert len(made) == 12
    assert {channel.book for channel in made} == {Book.TEST}
    addresses = {channel.provider_id: channel.base_url for channel in made}
    assert addresses["dashscope"] == "http://127.0.0.1:8090/compatible-mode/v1"
    assert addresses["dashscope-video"] == "http://127.0.0.1:8090/api/v1"
    assert addresses["vidu"] == "http://127.0.0.1:8090"
    count = len(await signals())
    again = await ensure_sandbox_channels(catalog_store, clock, box, base_url="http://127.0.0.1:8090/", credential="s")
    assert again == []
    assert len(await signals()) == count


async def test_the_sandbox_channels_follow_its_address_credential_and_our_key(catalog_store, clock, box):
    async def ensure(*, base_url="http://127.0.0.1:1", credential="s", with_box=box):
        return await ensure_sandbox_channels(catalog_store, clock, with_box, base_url=base_url, credential=credential)

    first = await ensure()
    await set_channel_enabled(catalog_store, clock, first[0].id, is_enabled=False)
    assert len(await ensure(base_url="http://127.0.0.1:2")) == 12
    assert len(await ensure(base_url="http://127.0.0.1:2", credential="t")) == 12
    new_box = SecretBox([b"n" * 32])
    assert len(await ensure(base_url="http://127.0.0.1:2", credential="t", with_box=new_box)) == 12
    found = {channel.id: channel for channel in await list_channels(catalog_store)}
    assert len(found) == 12
    assert not found[first[0].id].is_enabled, "what an operator has switched off stays off"
    assert {plain(new_box, channel) for channel in found.values()} == {"t"}


async def test_new_providers_get_their_channel_into_the_sandbox_that_is_there(store, clock, box, signals):
    documents = shipped_documents()
    old = [dataclasses.replace(one, offers=(), providers=one.providers[:3]) for one in documents if one.providers]
    await import_catalog(store, clock, old)
    assert await add_sandbox_channels(store, clock, box) == [], "nobody has started a sandbox"
    first = await ensure_sandbox_channels(store, clock, box, base_url="http://127.0.0.1:8090", credential="s")
    await set_channel_enabled(store, clock, first[0].id, is_enabled=False)
    await import_catalog(store, clock, documents)
    other_key = SecretBox([b"n" * 32])
    assert await add_sandbox_channels(store, clock, other_key) == [], "the credential cannot be known"
    count = len(await signals())
    made = await add_sandbox_channels(store, clock, box)
    assert len(made) == 9
    assert len(await signals()) == count + 1
    assert {plain(box, channel) for channel in made} == {"s"}
    addresses = {channel.provider_id: channel.base_url for channel in made}
    assert addresses["dashscope-video"] == "http://127.0.0.1:8090/api/v1"
    assert await add_sandbox_channels(store, clock, box) == []
    everything = await ensure_sandbox_channels(store, clock, box, base_url="http://127.0.0.1:8090", credential="s")
    assert everything == [], "they are those that a start would have made"


async def test_models_of_other_names_can_be_changed_later(catalog_store, clock, box):
    made = await add_channel(catalog_store, clock, box, DRAFT, credential=SECRET)
    change = ChannelChange(offers=("qwen3-max",), upstream_models={"qwen3-max": " ep-2 "})
    changed = await update_channel(catalog_store, clock, box, made.id, change)
    assert changed.offers == ("VaKNrpZ37Ybrg5DWGio6b",)
    assert changed.upstream_models == {"VaKNrpZ37Ybrg5DWGio6b": "ep-2"}
    assert plain(box, changed) == SECRET


VIDEO = ChannelDraft(provider_id="ark-video", book=Book.LIVE)
FAST = "doubao-seedance-2-0-fast-260128"
LLMID = "YjjGgxO_Xma8PWsMjJvps"


async def test_a_channel_of_videos_may_rename_every_model(catalog_store, clock, box):
    draft = dataclasses.replace(VIDEO, upstream_models={LLMID: "ep-1", f"{LLMID}/{FAST}": "ep-2"})
    made = await add_channel(catalog_store, clock, box, draft, credential=SECRET)
    offers = {offer.id: offer for offer in await catalog_store.read(lambda tx: tx.catalog.offers())}
    offer = offers[LLMID]

    def name(model, provider_id=made.provider_id, own=made.upstream_models):
        return upstream_model(offer, model, provider_id, own)

    assert (name(offer.model), name(FAST)) == ("ep-1", "ep-2")
    assert (name(offer.model, own={}), name(FAST, own={})) == (offer.model, FAST)
    assert name(FAST, provider_id="vidu") is None
    for key in (f"{LLMID}/{offer.model}", f"{LLMID}/zap", "VaKNrpZ37Ybrg5DWGio6b/x"):
        bad = dataclasses.replace(VIDEO, upstream_models={key: "ep-3"})
        with pytest.raises(InvalidInputError):
            await add_channel(catalog_store, clock, box, bad, credential=SECRET)


async def test_a_check_of_a_video_channel_costs_nothing(catalog_store, clock, box):
    made = await add_channel(catalog_store, clock, box, VIDEO, credential=SECRET)
    probe = RecordingProbe()
    assert (await check_channel(catalog_store, clock, box, probe, made.id)).is_ok
    (target,) = probe.targets
    assert (target.protocol, target.model, target.quirks) == ("ark", None, ())
    with pytest.raises(InvalidInputError, match="costs money"):
        await check_channel(catalog_store, clock, box, probe, made.id, model=LLMID)


async def test_a_model_of_several_offers_is_named_by_id(catalog_store, clock, box):
    with pytest.raises(InvalidInputError, match=f"several offers: .*{LLMID}"):
        await add_channel(catalog_store, clock, box, dataclasses.replace(VIDEO, offers=(FAST,)), credential=SECRET)
    draft = dataclasses.replace(VIDEO, offers=(LLMID,))
    assert (await add_channel(catalog_store, clock, box, draft, credential=SECRET)).offers == (LLMID,)
