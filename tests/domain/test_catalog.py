"""Offers, and tasks by their names."""

import datetime as dt
from dataclasses import replace

from tests.support.video import OFFER, make_task

NOW = dt.datetime(2026, 11, 30, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def test_an_offer_is_sold_from_its_beginning_until_its_end():
    assert OFFER.is_enabled(NOW)
    for begin, end, is_sold in (
        (NOW, None, True),
        (NOW + HOUR, None, False),
        (None, NOW, False),
        (None, NOW + HOUR, True),
        (NOW - HOUR, NOW + HOUR, True),
    ):
        assert replace(OFFER, enabled_from=begin, enabled_until=end).is_enabled(NOW) is is_sold


def test_each_submission_of_a_task_has_an_id_of_its_own():
    task = make_task(1, 0.0)
    assert replace(task, submissions=2).submission_id == f"{task.id}-2"
