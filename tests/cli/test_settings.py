import dataclasses
import stat
import subprocess
import sys

import pytest
from tests.support.reference import PAGE, settings_page

from yuanjing.bootstrap.checks import check, check_secrets
from yuanjing.bootstrap.ports import listen
from yuanjing.bootstrap.services import load_secrets
from yuanjing.gateway.options import GatewayOptions
from yuanjing.settings import Settings, SettingsError, list_settings


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
