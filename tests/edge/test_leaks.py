"""A platform that logs a secret fails the test that it runs in."""

import json

import pytest
import structlog
from tests.edge.platform import open_platform
from tests.support.leaks import Secrets

KEY = "yj_test_AbCd1234_0123456789abcdefghijABCDEFGHIJ01"
SETTINGS = {
    "YUANJING_SMS_KEY_SECRET": "of-the-sms-vendor",
    "YUANJING_ENCRYPTION_KEY": "a" * 64 + "," + "b" * 64,
    "YUANJING_DATABASE_URL": "postgresql://someone:his-password@host/name",
    "YUANJING_PORT": "12345678",
}


def known(folder):
    """Of every kind one."""
    secrets = Secrets()
    (folder / "secrets").mkdir()
    (folder / "secrets" / "pepper").write_text("a-pepper-of-this-platform\n")
    (folder / "demo-key").write_text("yj_test_Demo1234_demodemodemodemodemodemodemo12\n")
    (folder / "outbox.jsonl").write_text(json.dumps({"kind": "code", "code": "123456"}) + "\n")
    secrets.note_folder(folder)
    secrets.note_settings(SETTINGS)
    secrets.note_document(
        {"key": {"secret": KEY}, "new_password": "correct horse", "recovery_codes": ["abcd-efgh-ijkl"]}
    )
    return secrets


@pytest.mark.parametrize(
    "secret",
    [
        *("a-pepper-of-this-platform", "demodemodemodemodemodemodemo12", "of-the-sms-vendor", "b" * 64, "his-password"),
        *(KEY, KEY.split("_")[3], "correct horse", "abcd-efgh-ijkl"),
    ],
)
def test_every_kind_of_secret_is_found_in_a_log(tmp_path, secret):
    secrets = known(tmp_path)
    (line,) = {
        line.partition(" in: ")[2] for line in secrets.found_in(f'{{"event": "first"}}\n{{"event": "x{secret}"}}')
    }
    assert line == f'{{"event": "x{secret}"}}'


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ('{"event": "sent 123456"}', True),
        ('{"event": "sent", "fields": {"code": "123456"}}', True),
        ("Traceback: code=123456", True),
        ('{"event": "ended", "pid": 123456, "at": "2026-11-30T10:00:00.123456Z"}', False),
        ('{"event": "1234567 and 12345678"}', False),
        ('{"event": "yj_test_AbCd1234_***"}', False),
    ],
)
def test_a_code_is_one_only_where_it_stands_alone(tmp_path, line, is_found):
    secrets = known(tmp_path)
    assert bool(secrets.found_in(line)) is is_found
    if is_found:
        with pytest.raises(AssertionError, match="123456"):
            secrets.check(line)


async def told(folder, tell):
    """What happens if this logs while a customer signs in."""
    async with open_platform(folder) as platform:
        browser = platform.browser()
        async with browser.client:
            await browser.sign_in()
            tell(structlog.stdlib.get_logger("edge"), platform, browser)


async def test_nothing_is_said_of_an_application_that_keeps_its_secrets(tmp_path):
    await told(
        tmp_path, lambda log, platform, _: log.info("signed in", customer=platform.customer.id, key=platform.key)
    )


@pytest.mark.parametrize(
    "leak",
    [
        lambda log, platform, _: log.warning("key", which=platform.key.split("_")[3]),
        lambda log, _, browser: log.debug("with cookies", named={"of": browser.cookie("session")}),
        lambda log, _, browser: log.info("asked", name=browser.token),
        lambda log, platform, _: log.info("sent", number=platform.sms.code()),
        lambda log, platform, _: log.info("start", options=platform.parts),
    ],
    ids=["key", "cookie", "csrf token", "code", "pepper"],
)
async def test_an_application_that_logs_a_secret_is_found(tmp_path, leak):
    with pytest.raises(AssertionError, match="the log tells secrets"):
        await told(tmp_path, leak)
