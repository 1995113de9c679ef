import dataclasses
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.reference import PAGE, settings_page

from yuanjing.bootstrap.checks import check, check_secrets, check_sms_sender
from yuanjing.bootstrap.ports import listen
from yuanjing.bootstrap.services import load_secrets
from yuanjing.bootstrap.sign_in import has_secure_cookies, sign_in_policy
from yuanjing.bootstrap.sms import last_message, open_sms, outbox_reader
from yuanjing.domain.money import NANOS_PER_YUAN
from yuanjing.gateway.options import GatewayOptions
from yuanjing.kit.clock import SystemClock
from yuanjing.ports.messages import Notice
from yuanjing.settings import Settings, SettingsError
from yuanjing.settings.reference import list_settings
from yuanjing.usecases.signin import SignInPolicy


@pytest.mark.usefixtures("environment")
def test_defaults_are_good(tmp_path):
    settings = Settings.load()
    assert (settings.host, settings.port, settings.sandbox_port) == ("127.0.0.1", 8080, 8090)
    assert settings.data == tmp_path / "var"
    assert settings.store_url == f"sqlite:///{tmp_path}/var/yuanjing.db"
    assert settings.workers >= 1


def test_flags_win_over_variables_and_none_is_not_given(environment):
    environment.setenv("YUANJING_PORT", "9000")
    assert Settings.load(port=None).port == 9000
    assert Settings.load(port=9001).port == 9001


def test_lists_are_separated_by_commas(environment):
    environment.setenv("YUANJING_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1")
    assert Settings.load().trusted_proxies == ("10.0.0.0/8", "192.0.2.1")


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("YUANJING_PORT", "x", "integer"),
        ("YUANJING_PORT", "70000", "65535"),
        ("YUANJING_MODE", "prod", "'development' or 'production'"),
        ("YUANJING_WORKERS", "0", "greater than or equal to 1"),
        ("YUANJING_HEARTBEAT_SECONDS", "-1", "greater than 0"),
        ("YUANJING_HEARTBEAT_SECONDS", "nan", ""),
        ("YUANJING_SMS_COST", "free", "such as 0.05"),
        ("YUANJING_SMS_SENDER", "console", "'dypnsapi', 'dysmsapi' or 'tencent'"),
        ("YUANJING_SMS_COUNTRY_CODES", "+86", "without the plus"),
        ("YUANJING_SMS_COUNTRY_CODES", "", "without the plus"),
        ("YUANJING_SMS_BLOCKED_PREFIXES", "170", "with the plus"),
        ("YUANJING_CODE_SECONDS", "601", "600"),
        ("YUANJING_CODE_ATTEMPTS_MAX", "11", "10"),
        ("YUANJING_PASSWORD_LENGTH_MIN", "7", "8"),
        ("YUANJING_WELCOME_TEST_GRANT", "ten", "such as 12.50"),
        ("YUANJING_WELCOME_TEST_GRANT", "-1", "such as 12.50"),
        ("YUANJING_DATABASE_URL", "mysql://x", "postgresql://"),
        ("YUANJING_DATABASE_URL", "sqlite+aiosqlite:///x.db", "sqlite:///file"),
        ("YUANJING_DATABASE_URL", "postgresql+psycopg2://u:hunter2@h/d", "postgresql://"),
        ("YUANJING_DATABASE_URL", "sqlite://", "sqlite:///file"),
        ("YUANJING_DATABASE_URL", "sqlite:///:memory:", "sqlite:///file"),
        ("YUANJING_DATABASE_URL", "sqlite:///", "sqlite:///file"),
        ("YUANJING_HOST", "", "address to listen on"),
        ("YUANJING_HOST", " ", "address to listen on"),
        ("YUANJING_SANDBOX_HOST", "", "address to listen on"),
        ("YUANJING_DATA", "", "folder"),
        ("YUANJING_DATA", "  ", "folder"),
        ("YUANJING_MACHINE", "", "letters, digits"),
        ("YUANJING_KEY_PEPPER", f"{'ab' * 32},{'cd' * 32}", "one pepper"),
        ("YUANJING_ENCRYPTION_KEY", f"{'ab' * 32},", "64 hexadecimal digits"),
        ("YUANJING_TRUSTED_PROXIES", "here", "network"),
        ("YUANJING_PUBLIC_BASE_URL", "ai.example.com", "such as https://ai.example.com"),
        ("YUANJING_MACHINE", "a b", "letters, digits"),
        ("YUANJING_PROT", "1", "did you mean YUANJING_PORT?"),
        ("YUANJING_ZZZZZZ", "1", "docs/reference/settings.md"),
    ],
)
def test_a_wrong_value_is_named_with_what_to_write(environment, variable, value, words):
    environment.setenv(variable, value)
    with pytest.raises(SettingsError) as error:
        Settings.load()
    (line,) = error.value.lines
    assert line.startswith(f"{variable}: ")
    assert words in line
    assert "hunter2" not in line


@pytest.mark.parametrize("name", ["host", "data"])
@pytest.mark.usefixtures("environment")
def test_an_empty_flag_is_no_default(name):
    with pytest.raises(SettingsError, match=f"^--{name}: "):
        Settings.load(**{name: ""})


@pytest.mark.parametrize("name", ["key_pepper", "encryption_key", "ca_file", "database_url"])
@pytest.mark.parametrize("value", ["", " "])
def test_empty_secrets_and_files_are_not_given(environment, name, value):
    environment.setenv(f"YUANJING_{name.upper()}", value)
    assert not getattr(Settings.load(), name)
    assert load_secrets(Settings.load())


@pytest.mark.parametrize("kind", ["missing", "empty", "folder"])
@pytest.mark.usefixtures("environment")
def test_a_file_of_authorities_that_cannot_be_used_is_refused(tmp_path, kind):
    path = tmp_path / "ca.pem"
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.write_text("no certificate\n")
    with pytest.raises(SettingsError, match=f"^YUANJING_CA_FILE: {path}: "):
        check(Settings.load(ca_file=str(path)))
    assert not (tmp_path / "var").exists()


def test_a_wrong_secret_is_not_repeated(environment):
    environment.setenv("YUANJING_KEY_PEPPER", "hunter2" * 3)
    with pytest.raises(SettingsError, match="64 hexadecimal digits") as error:
        Settings.load()
    assert "hunter2" not in str(error.value)


def test_all_wrong_values_are_told_at_once(environment):
    environment.setenv("YUANJING_PORT", "x")
    environment.setenv("YUANJING_WORKERS", "x")
    with pytest.raises(SettingsError) as error:
        Settings.load(lease_share_percent=0)
    assert [line.split(":")[0] for line in error.value.lines] == [
        "YUANJING_PORT",
        "YUANJING_WORKERS",
        "--lease-share-percent",
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"heartbeat_seconds": 5.0},
        {"heartbeat_fresh_seconds": 15.0},
        {"first_byte_seconds": 600.0},
        {"total_seconds": 900.0},
        {"sse_line_bytes_max": 4 * 1024 * 1024},
        {"port": 8090},
    ],
)
@pytest.mark.usefixtures("environment")
def test_settings_that_contradict_each_other_are_refused(values):
    with pytest.raises(SettingsError, match=r"must be less than|must differ"):
        Settings.load(**values)


def test_neither_secrets_nor_the_database_password_show(environment):
    environment.setenv("YUANJING_KEY_PEPPER", "ab" * 32)
    environment.setenv("YUANJING_DATABASE_URL", "postgresql://u:hunter2@h/d")
    shown = repr(Settings.load())
    assert "hunter2" not in shown
    assert "abab" not in shown


def test_every_setting_is_documented_with_its_default():
    for info in list_settings():
        assert info.text, info.variable
        assert info.text.endswith("."), info.variable
    expected = settings_page()
    assert PAGE.read_text(encoding="utf-8") == expected, "run: .venv/bin/python -m tests.support.reference"
    assert all(f"`{info.variable}`" in expected for info in list_settings())


def test_the_gateways_own_defaults_are_those_of_the_settings():
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    for field in dataclasses.fields(GatewayOptions):
        assert defaults[field.name] == field.default, field.name


@pytest.mark.usefixtures("environment")
def test_generated_secrets_stay_the_same(tmp_path):
    pepper, box = load_secrets(Settings.load())
    again, other_box = load_secrets(Settings.load())
    assert again == pepper
    assert other_box.open(box.seal(b"x", b"c"), b"c") == b"x"
    for name in ("key-pepper", "encryption-key"):
        assert stat.S_IMODE((tmp_path / "var" / "secrets" / name).stat().st_mode) == 0o600


def test_given_secrets_are_used_and_the_first_key_seals(environment, tmp_path):
    old, new = "aa" * 32, "bb" * 32
    environment.setenv("YUANJING_KEY_PEPPER", "cc" * 32)
    environment.setenv("YUANJING_ENCRYPTION_KEY", old)
    _, before = load_secrets(Settings.load())
    environment.setenv("YUANJING_ENCRYPTION_KEY", f"{new},{old}")
    pepper, after = load_secrets(Settings.load())
    assert pepper == b"\xcc" * 32
    sealed = before.seal(b"x", b"c")
    assert after.open(sealed, b"c") == b"x"
    assert not after.is_current(sealed)
    assert not (tmp_path / "var").exists()


@pytest.mark.usefixtures("environment")
def test_production_with_a_shared_database_never_invents_a_secret():
    settings = Settings.load(mode="production", database_url="postgresql://u@h/d")
    with pytest.raises(SettingsError, match="YUANJING_KEY_PEPPER: must be given"):
        check_secrets(settings)
    assert not settings.data.exists()
    check_secrets(Settings.load(mode="production"))


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("mode", ["development", "production"])
def test_a_secret_that_a_database_was_made_with_is_never_replaced_by_another(mode: str):
    settings = Settings.load(mode=mode)
    database = Path(settings.store_url.removeprefix("sqlite:///"))
    check_secrets(settings)  # there is nothing yet
    database.parent.mkdir(parents=True)
    database.write_bytes(b"a database")
    with pytest.raises(SettingsError, match="was made with it; put it back") as raised:
        check_secrets(settings)
    assert [line.partition(":")[0] for line in raised.value.lines] == ["YUANJING_KEY_PEPPER", "YUANJING_ENCRYPTION_KEY"]
    assert [path.name for path in settings.data.iterdir()] == [database.name], "nothing was made"
    load_secrets(settings)
    check_secrets(settings)
    check_secrets(Settings.load(mode=mode, key_pepper="ab" * 32, encryption_key="cd" * 32))


@pytest.mark.usefixtures("environment")
async def test_production_never_writes_codes_to_a_file():
    production = Settings.load(mode="production", sms_sender="outbox")
    for refuse in (check, check_sms_sender):
        with pytest.raises(SettingsError, match="YUANJING_SMS_SENDER: the outbox is for development"):
            refuse(production)
    with pytest.raises(SettingsError, match="the outbox is for development"):
        async with open_sms(production, SystemClock()):
            raise AssertionError
    with pytest.raises(SettingsError, match="the outbox is for development"):
        last_message(Settings.load(mode="production"), None)
    async with open_sms(Settings.load(mode="production"), SystemClock()) as nobody:
        assert nobody is None
    assert outbox_reader(Settings.load(mode="production")) is None
    for sender in ("", "outbox"):
        settings = Settings.load(sms_sender=sender, sms_cost="0.045")
        async with open_sms(settings, SystemClock()) as made:
            assert made is not None
            assert (made.name, made.cost_nanos) == ("outbox", 45_000_000)
        assert outbox_reader(settings) is not None


VENDOR = {
    "sms_key_id": "id",
    "sms_key_secret": "a-secret-word",
    "sms_sign_name": "元境",
    "sms_code_template": "SMS_1",
    "sms_app_id": "14",
}


@pytest.mark.parametrize("mode", ["development", "production"])
@pytest.mark.parametrize("sender", ["dysmsapi", "dypnsapi", "tencent"])
@pytest.mark.usefixtures("environment")
async def test_a_vendor_is_made_of_its_settings(sender, mode):
    settings = Settings.load(mode=mode, sms_sender=sender, **VENDOR)
    check_sms_sender(settings)
    async with open_sms(settings, SystemClock()) as made:
        assert made is not None
        assert (made.name, made.makes_codes, made.cost_nanos) == (sender, sender == "dypnsapi", 50_000_000)
        assert made.notices == frozenset()
    assert outbox_reader(settings) is None
    assert "a-secret-word" not in repr(settings)


@pytest.mark.usefixtures("environment")
async def test_a_notice_needs_its_template():
    settings = Settings.load(sms_sender="tencent", sms_low_balance_template="2", **VENDOR)
    async with open_sms(settings, SystemClock()) as made:
        assert made is not None
        assert made.notices == {Notice.LOW_BALANCE}
    both = settings.model_copy(update={"sms_low_balance_template_en": "3"})
    async with open_sms(both, SystemClock()) as made:
        assert made is not None
        assert made.notices == {Notice.LOW_BALANCE, Notice.LOW_BALANCE_EN}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sms_key_id": ""}, "YUANJING_SMS_KEY_ID: tencent needs it"),
        ({"sms_key_secret": " "}, "YUANJING_SMS_KEY_SECRET: tencent needs it"),
        ({"sms_sign_name": ""}, "YUANJING_SMS_SIGN_NAME: tencent needs it"),
        ({"sms_code_template": ""}, "YUANJING_SMS_CODE_TEMPLATE: tencent needs it"),
        ({"sms_app_id": ""}, "YUANJING_SMS_APP_ID: tencent needs it"),
        ({"sms_endpoint": "http://127.0.0.1:8090"}, "YUANJING_SMS_ENDPOINT: codes leave over HTTPS only"),
        (
            {"sms_sender": "dypnsapi", "sms_country_codes": "86,852"},
            r"YUANJING_SMS_COUNTRY_CODES: dypnsapi sends to numbers in China \(86\) only",
        ),
        (
            {"sms_sender": "dypnsapi", "sms_low_balance_template_en": "2"},
            "YUANJING_SMS_LOW_BALANCE_TEMPLATE_EN: dypnsapi sends codes only",
        ),
        (
            {"sms_sender": "dypnsapi", "sms_low_balance_template": "2"},
            "YUANJING_SMS_LOW_BALANCE_TEMPLATE: dypnsapi sends codes only",
        ),
    ],
)
@pytest.mark.usefixtures("environment")
async def test_a_vendor_whose_settings_cannot_be_does_not_start(changes, said):
    settings = Settings.load(**({"mode": "production", "sms_sender": "tencent"} | VENDOR | changes))
    with pytest.raises(SettingsError, match=said):
        check(settings)
    with pytest.raises(SettingsError, match=said):
        async with open_sms(settings, SystemClock()):
            raise AssertionError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sms_sender", "smoke signals"),
        ("sms_endpoint", "dysmsapi.aliyuncs.com"),
        ("sms_endpoint", "https://dysmsapi.aliyuncs.com/path"),
        ("sms_endpoint", "https://user:word@[::1]"),
        ("sms_code_fields", "minutes"),
        ("sms_code_fields", "code,name=who"),
        ("sms_code_fields", "code==code"),
        ("sms_low_balance_fields", "a-b"),
        ("sms_region", "ap guangzhou"),
        ("sms_timeout_seconds", "0"),
    ],
)
@pytest.mark.usefixtures("environment")
def test_settings_of_messages_that_cannot_be(name, value):
    with pytest.raises(SettingsError, match=f"--{name.replace('_', '-')}: "):
        Settings.load(**{name: value})


@pytest.mark.usefixtures("environment")
def test_cookies_are_kept_to_https_but_for_plain_development():
    assert not has_secure_cookies(Settings.load())
    assert not has_secure_cookies(Settings.load(public_base_url="http://192.0.2.1:8080"))
    assert has_secure_cookies(Settings.load(public_base_url="https://ai.example.com"))
    assert has_secure_cookies(Settings.load(mode="production", public_base_url="http://ai.example.com"))


@pytest.mark.usefixtures("environment")
def test_the_defaults_of_signing_in_are_the_policys_own():
    policy = SignInPolicy(test_grant_nanos=100 * NANOS_PER_YUAN)
    assert sign_in_policy(Settings.load()) == policy


@pytest.mark.parametrize("host", ["300.1.1.1", "nowhere.invalid", "192.0.2.1"])
@pytest.mark.usefixtures("environment")
def test_a_host_that_cannot_be_listened_on_is_named(host):
    with pytest.raises(SettingsError) as error:
        listen(Settings.load(host=host, port=0), "port")
    (line,) = error.value.lines
    assert line.startswith(f"YUANJING_HOST: cannot listen on {host} port 0: ")
    assert "(" not in line


def test_a_bad_setting_ends_the_program_before_anything_starts(tmp_path):
    environment = {"YUANJING_PORT": "x", "YUANJING_DATA": str(tmp_path / "var"), "PYTHONPATH": "src", "PATH": "/bin"}
    found = subprocess.run(  # our own program
        [sys.executable, "-m", "yuanjing", "serve"], env=environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 2
    assert found.stderr.startswith("yuanjing: YUANJING_PORT: ")
    assert found.stderr.count("\n") == 1
    assert found.stdout == ""
    assert not (tmp_path / "var").exists()
