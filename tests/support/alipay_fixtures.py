"""Fixtures of the simulated Alipay, for the conftest of whoever needs them."""

import pytest
from tests.support.alipay import Receiver, Simulated


@pytest.fixture(scope="session")
def box():
    """One simulated Alipay for all tests that leave its clock alone."""
    simulated = Simulated()
    yield simulated
    simulated.stop()


@pytest.fixture
def fresh():
    """A simulated Alipay of the test's own."""
    running = []

    def start(**changes):
        running.append(Simulated(**changes))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.stop()
