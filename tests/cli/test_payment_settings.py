"""The settings of payments: what cannot work is refused before anything starts, and no secret is told."""

import base64
from pathlib import Path
from typing import Any

import pytest
from tests.support.alipay import ALIPAY, DER, FORMATS, MERCHANT, certificate, key, private_text, public_text

from yuanjing.bootstrap.checks import check
from yuanjing.bootstrap.payment_choice import is_simulated, payments_folder
from yuanjing.bootstrap.simulated_payments import merchant_options, simulated_options
from yuanjing.cli.app import main
from yuanjing.settings import Mode, Settings, SettingsError

APP = {"alipay_app_id": "2021000000000001", "alipay_seller_id": "2088000000000001"}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """An account's settings, with keys in files."""
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    private.write_bytes(private_text(key(MERCHANT)))
    private.chmod(0o600)
    public.write_text(public_text(key(ALIPAY)))
    return {**APP, "alipay_private_key_file": str(private), "alipay_public_key_file": str(public)}


def settings(tmp_path: Path, **changes: Any) -> Settings:
    return Settings.load(data=str(tmp_path / "var"), **changes)


def test_an_account_with_usable_keys_is_taken(tmp_path: Path, files: dict[str, Any]):
    made = settings(tmp_path, **files)
    check(made)
    assert not is_simulated(made)
    assert Settings.from_json(made.to_json()) == made
    bare = private_text(key(MERCHANT), FORMATS.TraditionalOpenSSL, DER)
    Path(files["alipay_private_key_file"]).write_bytes(base64.b64encode(bare))
    check(settings(tmp_path, **files))


def test_an_account_with_certificates_is_taken(tmp_path: Path, files: dict[str, Any]):
    del files["alipay_public_key_file"]
    names = ("alipay_app_certificate_file", "alipay_certificate_file", "alipay_root_certificate_file")
    for number, name in enumerate(names):
        path = tmp_path / f"{name}.crt"
        path.write_text(certificate(key(ALIPAY), name, number + 1))
        files[name] = str(path)
    check(settings(tmp_path, **files))
    Path(files[names[1]]).write_text("nothing")
    with pytest.raises(SettingsError, match="certificate"):
        check(settings(tmp_path, **files))


@pytest.mark.parametrize("name", ["alipay_private_key_file", "alipay_public_key_file"])
@pytest.mark.parametrize("content", [b"", b"x", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_key_that_cannot_be_used_is_refused_without_its_text(
    tmp_path: Path, files: dict[str, Any], name: str, content: bytes
):
    Path(files[name]).write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        check(settings(tmp_path, **files))
    assert "AAAA" not in str(refused.value)


def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path, files: dict[str, Any]):
    Path(files["alipay_private_key_file"]).chmod(0o644)
    with pytest.raises(SettingsError, match=r"YUANJING_ALIPAY_PRIVATE_KEY_FILE: .*chmod 600"):
        check(settings(tmp_path, **files))


@pytest.mark.parametrize("name", ["alipay_private_key_file", "alipay_public_key_file"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, files: dict[str, Any], name: str):
    Path(files[name]).unlink()
    with pytest.raises(SettingsError, match=f"YUANJING_{name.upper()}: .*No such file"):
        check(settings(tmp_path, **files))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"alipay_app_id": "12"}, "16 digits"),
        ({"alipay_app_id": "1" * 15 + "x"}, "16 digits"),
        ({"alipay_seller_id": "1"}, "16 digits"),
        ({"alipay_app_id": None}, "YUANJING_ALIPAY_APP_ID is missing"),
        ({"alipay_seller_id": None}, "YUANJING_ALIPAY_SELLER_ID must be given"),
        ({"alipay_private_key_file": None}, "YUANJING_ALIPAY_PRIVATE_KEY_FILE must be given"),
        ({"alipay_public_key_file": None}, "either YUANJING_ALIPAY_PUBLIC_KEY_FILE or all three"),
        ({"alipay_certificate_file": "/x"}, "either YUANJING_ALIPAY_PUBLIC_KEY_FILE or all three"),
        ({"alipay_gateway_url": "openapi.alipay.com"}, "write an address"),
        ({"alipay_simulator": "on"}, "choose one"),
        ({"topup_amount_min": "0"}, "write an amount"),
        ({"topup_amount_min": "1.001"}, "write an amount"),
        ({"topup_amount_min": "60000"}, "must not be more than"),
        ({"topup_check_seconds": "301"}, "must not be more than"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, files: dict[str, Any], changes: dict[str, Any], words: str):
    with pytest.raises(SettingsError) as refused:
        settings(tmp_path, **(files | changes))
    assert words in str(refused.value)


def test_production_calls_alipay_encrypted_only(tmp_path: Path, files: dict[str, Any]):
    plain = {**files, "mode": Mode.PRODUCTION, "alipay_gateway_url": "http://openapi.alipay.com/gateway.do"}
    with pytest.raises(SettingsError, match="YUANJING_ALIPAY_GATEWAY_URL: in production"):
        check(
            settings(tmp_path, **plain, database_url="postgresql://u@h/d", key_pepper="0" * 64, encryption_key="0" * 64)
        )


def test_production_never_simulates_payments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("YUANJING_MODE", "production")
    made = settings(tmp_path)
    assert not is_simulated(made)
    assert payments_folder(made) is None
    monkeypatch.setenv("YUANJING_ALIPAY_SIMULATOR", "on")
    assert main(["serve", "--sandbox", "--data", str(tmp_path / "var")]) == 2
    assert "YUANJING_ALIPAY_SIMULATOR: simulated payments are for development" in capsys.readouterr().err
    assert not (tmp_path / "var").exists()


def test_each_side_of_the_simulation_has_its_own_secret_only(tmp_path: Path):
    made = settings(tmp_path)
    folder = payments_folder(made)
    assert folder is not None
    ours, theirs = simulated_options(made, "http://127.0.0.1:8090"), merchant_options(folder)
    assert ours == simulated_options(made, "http://127.0.0.1:8090")
    assert theirs == merchant_options(folder)
    assert ours.private_key != theirs.private_key
    assert "PRIVATE" not in theirs.merchant_public_key + ours.alipay_public_key
    assert "PRIVATE" not in repr(ours) + repr(theirs)
    assert (ours.app_id, ours.seller_id) == (theirs.app_id, theirs.seller_id)
    assert ours.gateway_url == "http://127.0.0.1:8090/alipay/gateway.do"
    assert {path.stat().st_mode & 0o777 for path in Path(folder).iterdir()} == {0o600}
    for path in Path(folder).iterdir():
        path.write_text("nothing")
    with pytest.raises(SettingsError, match="there is no RSA key"):
        merchant_options(folder)
