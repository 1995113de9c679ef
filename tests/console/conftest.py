"""One platform and one browser for all tests of the console: a customer of their own keeps them apart."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.browser import Seats, Visitor, browser
from tests.support.people import enter
from tests.support.platform import Platform

_numbers = itertools.count(13900000001)


@pytest.fixture(scope="session")
def seats() -> Iterator[Seats]:
    with browser() as made:
        yield Seats(made)


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    settings = {
        "YUANJING_SMS_PER_ADDRESS_HOUR": "1000",
        "YUANJING_SMS_RESEND_SECONDS": "0.01",
        "YUANJING_CAPTCHA_AFTER": "1000",
        "YUANJING_SANDBOX_TIME_SCALE": "0.2",
    }
    with Platform(Path(tmp_path_factory.mktemp("console")) / "var", **settings) as made:
        yield made


@pytest.fixture
def visit(seats: Seats, platform: Platform) -> Iterator[Callable[..., Visitor]]:
    """Makes browsers; at the end none may have complained."""
    made: list[Visitor] = []

    def open_one(**how: object) -> Visitor:
        made.append(Visitor(seats, platform.url, **how))  # type: ignore[arg-type]
        return made[-1]

    yield open_one
    complaints = [one for visitor in made for one in visitor.complaints()]
    for visitor in made:
        visitor.close()
    assert complaints == []


@pytest.fixture
def signed_in(visit: Callable[..., Visitor], platform: Platform) -> Callable[..., Visitor]:
    """Makes browsers in which a new customer is signed in."""

    def open_one(**how: object) -> Visitor:
        visitor = visit(**how)
        enter(visitor, platform, str(next(_numbers)))
        return visitor

    return open_one
