"""Who may call, and from where."""

import dataclasses

import pytest
from tests.edge.platform import Platform

from yuanjing.domain.identity import KeyLimits, format_key
from yuanjing.domain.money import Book
from yuanjing.edge.errors import KEY_MESSAGE
from yuanjing.gateway import admission
from yuanjing.usecases.keys import revoke_key

OPENAI_PATHS = ("/v1/models", "/v1/models/qwen3-max")
LLMAGE_PATHS = ("/llmage/v1/models", "/llmage/v1/pricing?model=qwen3-max", "/llmage/v1/balance")
UNKNOWN = format_key(Book.TEST, "AbCd1234", "0" * 32)


async def assert_refused(platform: Platform, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    async with platform.client(key=None) as client:
        for path in OPENAI_PATHS:
            answer = await client.get(path, headers=headers)
            assert answer.json() == {
                "error": {
                    "message": KEY_MESSAGE,
                    "type": "authentication_error",
                    "param": None,
                    "code": "invalid_api_key",
                }
            }
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        for path in LLMAGE_PATHS:
            answer = await client.get(path, headers=headers)
            assert (answer.status_code, answer.text) == (401, '{"error": "Invalid API Key"}')


async def assert_allowed(platform: Platform, authorization: str) -> None:
    async with platform.client(key=None) as client:
        for path in (*OPENAI_PATHS, *LLMAGE_PATHS):
            assert (await client.get(path, headers={"authorization": authorization})).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        None, "", "Bearer", "Bearer ", "Basic dTpw", f"Token {UNKNOWN}", "Bearer nonsense", f"Bearer {UNKNOWN}",
        f"Bearer {UNKNOWN}x", b"Bearer \xe9",
    ],
    ids=["none", "empty", "scheme only", "blank", "basic", "other scheme", "malformed", "unknown", "too long", "latin"],
)  # fmt: skip
async def test_without_a_known_key_nothing_is_told(platform: Platform, authorization: str | None) -> None:
    await assert_refused(platform, authorization)


async def test_a_wrong_secret_is_refused(platform: Platform) -> None:
    public_id = platform.key.split("_")[2]
    await assert_refused(platform, f"Bearer {format_key(Book.TEST, public_id, 'x' * 32)}")


async def test_the_key_may_be_written_as_in_the_examples(platform: Platform) -> None:
    for text in (f"Bearer {platform.key}", f"bearer  <{platform.key}>", f"BEARER <{platform.key}"):
        await assert_allowed(platform, text)


async def test_both_books_may_look(platform: Platform) -> None:
    _, live = await platform.make_key(book=Book.LIVE)
    await assert_allowed(platform, f"Bearer {live}")


async def test_a_revoked_key_is_refused(platform: Platform) -> None:
    key, text = await platform.make_key()
    await assert_allowed(platform, f"Bearer {text}")
    await revoke_key(platform.store, platform.clock, key.id)
    await assert_refused(platform, f"Bearer {text}")


async def test_an_expired_key_is_refused(platform: Platform) -> None:
    _, text = await platform.make_key(expires_at=platform.clock.unix() + 60)
    await assert_allowed(platform, f"Bearer {text}")
    platform.clock.advance(60)
    await assert_refused(platform, f"Bearer {text}")


async def test_a_disabled_customer_is_refused(platform: Platform) -> None:
    disabled = dataclasses.replace(
        platform.customer, id="cus_2", mobile="+8613800138001", disabled_at=platform.clock.unix()
    )
    await platform.store.write(lambda tx: tx.customers.add(disabled))
    _, text = await platform.make_key(customer_id=disabled.id)
    await assert_refused(platform, f"Bearer {text}")


async def test_the_key_is_asked_for_before_the_parameters(platform: Platform) -> None:
    async with platform.client(key=None) as client:
        assert (await client.get("/llmage/v1/pricing")).status_code == 401


async def test_an_allow_list_of_addresses_holds(platform: Platform) -> None:
    _, key = await platform.make_key(limits=KeyLimits(networks=("203.0.113.0/24",)))
    for peer, forwarded, proxies, status in (
        ("203.0.113.9", None, (), 200),
        ("198.51.100.1", None, (), 403),
        ("198.51.100.1", "203.0.113.9", (), 403),
        ("10.0.0.1", "203.0.113.9", ("10.0.0.0/8",), 200),
        ("10.0.0.1", "203.0.113.9, 198.51.100.1", ("10.0.0.0/8",), 403),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9, 10.0.0.2", ("10.0.0.0/8",), 200),
        ("10.0.0.1", "203.0.113.9, rubbish", ("10.0.0.0/8",), 403),
        ("::ffff:10.0.0.1", "203.0.113.9", ("10.0.0.0/8",), 200),
        ("unix", None, (), 403),
    ):
        headers = {"x-forwarded-for": forwarded} if forwarded else {}
        parts = platform.changed(trusted_proxies=proxies)
        async with platform.client(key=key, peer=peer, parts=parts) as client:
            answer = await client.get("/v1/models", headers=headers)
            assert answer.status_code == status, (peer, forwarded)
            if status == 403:
                assert answer.json()["error"]["code"] == "ip_not_allowed"


def test_the_hot_path_says_the_same() -> None:
    assert admission._KEY_MESSAGE == KEY_MESSAGE
