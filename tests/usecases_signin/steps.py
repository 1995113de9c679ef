"""What a person does, in one call each."""

from tests.support.signin import MOBILE, FakeSender

from yuanjing.domain.signin import Purpose
from yuanjing.usecases.signin import SignInParts
from yuanjing.usecases.signin.codes import send_code
from yuanjing.usecases.signin.factors import SecondFactor, set_password
from yuanjing.usecases.signin.parts import SignedIn, Visitor
from yuanjing.usecases.signin.sessions import NewSession, Wish, sign_in_by_code, sign_in_by_password

HERE = Visitor(browser="browser-1", address="192.0.2.1", agent="Browser 1")
PASSWORD = "correct-horse-battery-staple"


def sender_of(parts: SignInParts) -> FakeSender:
    assert isinstance(parts.sms, FakeSender)
    return parts.sms


def wrong(code: str) -> str:
    """Another code than this."""
    return f"{(int(code) + 1) % 10**6:06}"


async def ask(
    parts: SignInParts,
    mobile: str = MOBILE,
    visitor: Visitor = HERE,
    purpose: Purpose = Purpose.SIGN_IN,
    captcha: str | None = None,
) -> tuple[str, str]:
    """A challenge and its code."""
    sent = await send_code(parts, visitor, mobile=mobile, purpose=purpose, captcha=captcha)
    return sent.id, sender_of(parts).code(sent.mobile)


async def enter(
    parts: SignInParts,
    challenge_id: str,
    code: str,
    mobile: str = MOBILE,
    visitor: Visitor = HERE,
    wish: Wish | None = None,
) -> NewSession:
    return await sign_in_by_code(
        parts, visitor, challenge_id=challenge_id, mobile=mobile, code=code, wish=wish or Wish()
    )


async def arrive(parts: SignInParts, mobile: str = MOBILE, visitor: Visitor = HERE) -> SignedIn:
    """Signed in by a code."""
    challenge_id, code = await ask(parts, mobile, visitor)
    return (await enter(parts, challenge_id, code, mobile, visitor)).signed_in


async def arrive_with_password(parts: SignInParts, mobile: str = MOBILE) -> SignedIn:
    """Signed in, with a password set."""
    found = await arrive(parts, mobile)
    await set_password(parts, found, PASSWORD)
    return found


async def enter_by_password(
    parts: SignInParts,
    password: str = PASSWORD,
    mobile: str = MOBILE,
    visitor: Visitor = HERE,
    second: SecondFactor | None = None,
) -> NewSession:
    wish = Wish(second=second or SecondFactor())
    return await sign_in_by_password(parts, visitor, mobile=mobile, password=password, wish=wish)
