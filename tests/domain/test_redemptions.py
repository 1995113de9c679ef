import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuanjing.domain.redemptions import (
    ALPHABET,
    BODY_LENGTH,
    MistypedRedeemCodeError,
    RedeemCode,
    make_code,
    read_code,
)

bodies = st.text(alphabet=ALPHABET, min_size=BODY_LENGTH, max_size=BODY_LENGTH)
CODE = RedeemCode(id="code_1", batch_id="b", digest=b"d", hint="7K3M", amount_nanos=5, created_at=1.0)


def is_read(text: str) -> bool:
    try:
        read_code(text)
    except MistypedRedeemCodeError:
        return False
    return True


@given(bodies)
def test_a_code_is_read_as_it_was_made(body):
    text = make_code(body)
    assert len(text) == 19
    assert [len(group) for group in text.split("-")] == [4, 4, 4, 4]
    assert read_code(text) == text.replace("-", "")
    assert read_code(text)[:BODY_LENGTH] == body


@given(bodies, st.sampled_from([" ", "", "-", "\u2014", "\t"]), st.booleans(), st.booleans())
def test_what_people_do_to_codes_is_forgiven(body, between, is_small, is_swapped):
    text = make_code(body).replace("-", between)
    typed = text.replace("0", "O").replace("1", "l" if is_small else "I") if is_swapped else text
    assert read_code(typed.lower() if is_small else typed) == read_code(text)


@given(bodies, st.integers(0, 15), st.sampled_from(ALPHABET))
def test_every_wrong_character_is_seen(body, place, character):
    plain = read_code(make_code(body))
    wrong = plain[:place] + character + plain[place + 1 :]
    assert is_read(wrong) == (wrong == plain)


@given(bodies, st.integers(0, 14))
def test_every_swap_of_neighbours_is_seen(body, place):
    plain = read_code(make_code(body))
    swapped = plain[:place] + plain[place + 1] + plain[place] + plain[place + 2 :]
    assert is_read(swapped) == (swapped == plain)


@pytest.mark.parametrize(
    "text", ["", "0", "0" * 15, "0" * 17, "U" * 16, "é" * 16, "0000-0000-0000-0000" + " " * 60, "\0" * 16]
)
def test_what_is_no_code(text):
    assert not is_read(text)
    assert is_read("0000-0000-0000-0000"), "the code of thirteen noughts"


@given(st.text(max_size=80))
def test_no_text_does_harm(text):
    assert is_read(text) in (True, False)


def test_when_a_code_can_be_redeemed():
    def changed(**changes: object) -> RedeemCode:
        return RedeemCode(**({name: getattr(CODE, name) for name in CODE.__slots__} | changes))

    assert changed().is_redeemable(1e12)
    assert changed(expires_at=9.0).is_redeemable(8.9)
    assert not changed(expires_at=9.0).is_redeemable(9.0)
    assert not changed(revoked_at=2.0).is_redeemable(3.0)
    assert not changed(customer_id="cus_a", redeemed_at=2.0).is_redeemable(3.0)
    for wrong in ({"customer_id": "cus_a"}, {"redeemed_at": 1.0}, {"amount_nanos": 0}):
        with pytest.raises(AssertionError):
            changed(**wrong)
    assert CODE.cause == "code:code_1"
