"""RSA2 against vectors of OpenSSL (`openssl dgst -sha256 -sign`), keys in all their forms, answers cut out by bytes."""

import base64
import json

import pytest
from alipay import DCAliPay
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from tests.support.alipay import DER, FORMATS, OTHER, PEM, certificate, key, private_text, public_text

from yuanjing.adapters.alipay.amounts import from_yuan, to_yuan
from yuanjing.adapters.alipay.keys import (
    AlipayKeyError,
    certificate_number,
    read_certificate_key,
    read_private_key,
    read_public_key,
    root_number,
)
from yuanjing.adapters.alipay.signing import is_signed, notification_text, parts_of, request_text, sign
from yuanjing.domain.topups import FEN_NANOS

PARAMS = {
    "app_id": "2021000000000001",
    "method": "alipay.trade.query",
    "format": "JSON",
    "charset": "utf-8",
    "sign_type": "RSA2",
    "timestamp": "2026-11-30 17:00:00",
    "version": "1.0",
    "notify_url": "",
    "biz_content": '{"out_trade_no":"t_1","subject":"元境充值","total_amount":"0.01"}',
    "sign": "not part of it",
}
PKCS1 = (
    "MIIEowIBAAKCAQEA7yLmZrxCm2uCZCPjBHpYSr98VOjSy/kLGCUbnh8rYwjYQEnfkKgnTe/JlgEtPmU4M24sKD4CN+Q69DXXGJYZNgexrBdgS4"
    "PL8Qb2HcmnLkjoZLaNk/hM/7CWK9FYlPGOp8xHcI3U2m0bzGKdf84cQUQJn2kpb0uJJaEzqQW8Ma4/vtZ2QRo4TKygiXlDdLt3wYJs0m3GYOGg"
    "8uaUJY53A9hjqSHxOZDBOrfuZGdPpS9sYQFxrqoJ2vgq771adw108YGGv2Bh8zRa7r44I45BnuNtT4e0CcH0B24mdrTq69jc0PMGMXSOlvYBWO"
    "Pwx6p/EHXts87hRQiulCP+VH0kZwIDAQABAoIBAEgcY5L2UTWRyVuOMM5wYECGFqV6IdrNSimpQvc/GfO+votAW5DBDD0lwkmgKDcJCdYEcn9e"
    "F4goJBjxRWAOHyMaVdr5n5mV8EFJ4pyf6vB7nsyD+hR1Sy7NXrNu6QHdB7IU2TQZKOcHANt0n17jVcTekfJGoW6EviIhRrVA2/u0pR1igkLbKF"
    "QNsBDG9H5yD/Qz9ZX1awlEguaGJMA7qltlka+1WRLfWyTWIC6N7rz49gy1O78mLqkwHdG4rhrJ8FvbfSVR6fc4K72MdLrednquyP7E2328emmy"
    "osyxs/iGzHHqPmWi8OfEc7UsH3pp5PBcDbrRxXZvu09RlhNG9z0CgYEA+S0USsywfuXXE6k7fGPabqXrMC8/dxfFjnpWuwckgXrWPYgZLxWWyV"
    "hBQ1sviVQGi+OOLhSJpMGZksyOMtpR/OmG68kNI9KFXedVBrYATEAfdns0+YrHJ4okjboIgs+wCyJ8Yxy03ftc5y7IXmlM+AeaVq85WBkVhRK9"
    "UczqLw0CgYEA9a9vIJnnBImiady5XdY5MAslonFPAVcKdzmwn8y6aF68CrByEb7T0AXwykJFgie8u0p60RXUfOqYm5/GLDYUQkt7uPjjpfNrzc"
    "vkWr1uinrTlzXDhUR8sPx0XsVVQ59g00dNnV0Ne8kvNiL8PAfoHANl2E6M6voTOeQzhUmpJEMCgYAJPinViHg3jNEIkqt5Nr8AgbkSpX4GLeSP"
    "H2yeLWqmPuc5ixXcEEHyoApztCs0PeCsSbmZbfuZF/FZZ6sSqdSGvCbcEi4hmQqHbDBUOmYSbgJ8w584bnRqvA4VD8SHDasrDpFsn8D5xvwwOy"
    "UFk4ReYvHPq1pGMVACCqrpIN/C9QKBgQDC+LM+8wPjlPo/+rtcXYpKtz3pmPQywwl6Ll0do9H2y998uCP+MytStbQuPsN8k95x35xx21oiu+XZ"
    "8sTJBy2yosaPt2ypoPDXg8w3uodD/E94e2ErnHs71UzgfMe6f3vOj5JnpJXzu2ftFXyIg1nPCV9EdqncPBMP6Sp9x0QkkwKBgDSeIt5xmnulY+"
    "rPOilcxs9/sMwXQ3DF/H90zTUVdjiU25IsIR2U/viFz7MNIO90PVd0Li87w8IJv30pjQkvPqGVvOsPirsjdUPNXnb8FTtPy11nZlXk3d2laBKY"
    "/6KoTz20qYQHj64Q0wkvpe9jyJfE08Y4FiqYCAqNl4GWOPYE"
)
PUBLIC = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA7yLmZrxCm2uCZCPjBHpYSr98VOjSy/kLGCUbnh8rYwjYQEnfkKgnTe/JlgEtPmU4M2"
    "4sKD4CN+Q69DXXGJYZNgexrBdgS4PL8Qb2HcmnLkjoZLaNk/hM/7CWK9FYlPGOp8xHcI3U2m0bzGKdf84cQUQJn2kpb0uJJaEzqQW8Ma4/vtZ2"
    "QRo4TKygiXlDdLt3wYJs0m3GYOGg8uaUJY53A9hjqSHxOZDBOrfuZGdPpS9sYQFxrqoJ2vgq771adw108YGGv2Bh8zRa7r44I45BnuNtT4e0Cc"
    "H0B24mdrTq69jc0PMGMXSOlvYBWOPwx6p/EHXts87hRQiulCP+VH0kZwIDAQAB"
)
SIGNATURE = (
    "MIorSSrNYq0isHlafNFJi+La4QkSeEmpDiESAj8EyWEkOjc/v1KqQMKp/shVvFv+qIpb2tHPjeKsY1rp99xDPxQTQ1j3yvecDVONd2NUboTDbC"
    "S93T0b2QRjnYMDsw/LVRhDY9ncizPQdJ4Hs2RcQfi8vRiN6BkuG93ivAmn9g07C0Uq0GHf5g/lHefI2z5jR5bVzh6Ryf8cOjR/Zk4OF3hvtsvq"
    "KSo6YakDMSHWhqooIlcp8F1Mr4ymRDB04xlkAfiRbDFe2O2zHra9rcMkBg485Psxs0GaZO/7Zkw8gBxvzNR3+IHFz42fikXmt31ENgSZDcK3So"
    "ye487DdsMfrQ=="
)
SHA1 = (
    "NLFCvDpx8Ync4jFipcjDcTHAZ2vQ3wD9qlWi/8RhOXohMm7RiohtS8qPEkQllOhd/Qnqvb10IuuU3p+Ko/TOpXqNVX3lcz4kU4R+qA3H3U5Hr6"
    "cwSgWxbB4MTPQvmHNF/WBQDY/AOi5nchcqZGC5I+C/FnhKwuVMmuEbh7V5tfuVFfGaDBdTpFc/FPzepxYhlvcwRVOEp4sWf1Yz/dBPHPMKTFbu"
    "FTRHV+BtxlHBiBDE9E+cg0QxfYkWnilWhDg7AKod2o8vcKGvr5tMjJEojYPrY0iIydc/eMwCD70tWXW+ig/HOsBsbx3XP0bhB7XZ3G+J1D1/Y2"
    "WWN+4txk4dYA=="
)


def test_a_request_is_signed_as_openssl_signs_it():
    text = request_text(PARAMS)
    assert sign(read_private_key(PKCS1), text) == SIGNATURE
    assert is_signed(read_public_key(PUBLIC), text, SIGNATURE)
    assert "notify_url" not in text


@pytest.mark.parametrize("signature", [SHA1, "", "====", SIGNATURE[:-8], SIGNATURE + "\n", "AAAA" + SIGNATURE[4:]])
def test_what_is_not_that_signature_is_refused(signature):
    assert not is_signed(read_public_key(PUBLIC), request_text(PARAMS), signature)


def test_a_changed_text_is_refused():
    assert not is_signed(read_public_key(PUBLIC), request_text(PARAMS | {"version": "1.1"}), SIGNATURE)


def test_blank_values_stay_in_notifications_only():
    fields = {"b": "", "a": "1", "sign": "x", "sign_type": "RSA2"}
    assert notification_text(fields) == "a=1&b="
    assert request_text(fields) == "a=1&sign_type=RSA2"


@pytest.mark.parametrize("form", [FORMATS.PKCS8, FORMATS.TraditionalOpenSSL])
@pytest.mark.parametrize("is_bare", [False, True])
def test_a_private_key_is_read_in_each_form(form, is_bare):
    one = key(OTHER)
    text = base64.b64encode(private_text(one, form, DER)).decode() if is_bare else private_text(one, form, PEM).decode()
    spellings = [text, f"  {text}\n", text.replace("\n", "\\n") if not is_bare else f"{text[:64]}\n{text[64:]}"]
    assert {read_private_key(it).private_numbers() for it in spellings} == {one.private_numbers()}


def test_a_public_key_is_read_in_each_form():
    one = public_text(key(OTHER))
    bare = "".join(one.strip().split("\n")[1:-1])
    for text in (one, bare):
        assert read_public_key(text).public_numbers() == key(OTHER).public_key().public_numbers()


def short_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505  # too short on purpose


def test_keys_that_cannot_be_used_are_refused_without_a_word_of_them():
    curve = ec.generate_private_key(ec.SECP256R1())
    bad = [
        "",
        "secretsecret",
        "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----",
        private_text(curve).decode(),
        private_text(short_key()).decode(),
        PKCS1[:-40],
    ]
    for text in bad:
        with pytest.raises(AlipayKeyError) as caught:
            read_private_key(text)
        assert "secret" not in str(caught.value)
        assert caught.value.__cause__ is None
    for text in ["", "secret", public_text(curve), public_text(short_key()), PUBLIC[:-40]]:
        with pytest.raises(AlipayKeyError):
            read_public_key(text)


@pytest.mark.filterwarnings("ignore:.*cryptography:DeprecationWarning")  # of pyOpenSSL, which the SDK calls
def test_certificates_have_the_numbers_that_the_sdk_gives_them():
    curve = certificate(ec.generate_private_key(ec.SECP256R1()), "SM2 in the wild", 3)
    root, app = certificate(key(OTHER), "Root R1", 2**70 + 1), certificate(key(OTHER), "App R1", 77)
    roots = f"{curve}\n{root}\n{app}"
    assert certificate_number(app) == DCAliPay.get_cert_sn(app)
    assert root_number(roots) == DCAliPay.get_root_cert_sn(roots)
    assert root_number(roots).count("_") == 1
    broken = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
    assert root_number(f"{broken}\n{roots}") == root_number(roots)
    assert certificate_number(f"{app}\n{broken}") == certificate_number(app)
    with pytest.raises(AlipayKeyError, match="cannot be read"):
        certificate_number(broken)
    assert read_certificate_key(app).public_numbers() == key(OTHER).public_key().public_numbers()
    for call, text in (
        (root_number, curve),
        (root_number, ""),
        (certificate_number, "x"),
        (read_certificate_key, curve),
    ):
        with pytest.raises(AlipayKeyError):
            call(text)


def test_an_answers_parts_are_the_bytes_that_were_sent():
    inner = '{"a" : "}{\\"\\/", "元":[1, {"b":null}] }'
    text = f' {{ "x_response" : {inner} ,\n"sign":"s" }} '
    assert parts_of(text) == {"x_response": inner, "sign": '"s"'}
    assert parts_of("{}") == {}


BROKEN = [
    "",
    "[]",
    "{",
    '{"a":1',
    '{"a":1,}',
    '{"a" 1}',
    '{"a":1 "b":2}',
    '{"a":1,"a":2}',
    '{"a":1} x',
    "{1:2}",
    '{,"a":1}',
]


@pytest.mark.parametrize("text", [*BROKEN, '{"a":' + "[" * 100_000])
def test_what_is_not_an_object_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parts_of(text)


@given(st.dictionaries(st.text(), st.text()))
def test_parts_of_any_object(values):
    assert {name: json.loads(it) for name, it in parts_of(json.dumps(values)).items()} == values


@given(st.integers(1, 10_000_000_000))
def test_amounts_go_there_and_back(fen):
    text = to_yuan(fen * FEN_NANOS)
    assert text == f"{fen // 100}.{fen % 100:02}"
    assert from_yuan(text) == fen * FEN_NANOS


def test_amounts_that_alipay_does_not_move():
    for nanos in (0, -FEN_NANOS, 1, FEN_NANOS + 1, FEN_NANOS - 1, 10_000_000_001 * FEN_NANOS):
        with pytest.raises(ValueError, match="whole fen"):
            to_yuan(nanos)
    for text in ("", "1.", ".1", "1.234", "1e2", "1,00", " 1", "\uff11", "--1", "nan", "1" * 13):
        with pytest.raises(ValueError, match="not an amount"):
            from_yuan(text)
    assert (from_yuan("-1.5"), from_yuan("7"), from_yuan("0.00")) == (-150 * FEN_NANOS, 700 * FEN_NANOS, 0)
