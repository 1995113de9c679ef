"""Mobile numbers in one written form."""


def parse_mobile(text: str, region: str = "CN") -> str:
    """Read a mobile number as people write it and return E.164 (`+8613800138000`).

    Numbers without a country code are taken to be of `region`.

    Raises:
        ValueError: not a number that a mobile phone can have; the message says so without the number.
    """
    import phonenumbers  # noqa: PLC0415  # it takes a while, and no gateway reads a number

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise ValueError("not a phone number; write it like 13800138000 or +8613800138000") from error
    if not phonenumbers.is_valid_number(number):
        raise ValueError("not a number in use; write it like 13800138000 or +8613800138000")
    kind = phonenumbers.number_type(number)
    if kind not in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE):
        raise ValueError("not a mobile number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def masked_mobile(number: str) -> str:
    """A number in E.164 that its owner knows again and nobody can call: `+86138****8000`."""
    return f"{number[:-8]}****{number[-4:]}"
