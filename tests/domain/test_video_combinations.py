"""What an offer admits, and the requests that stand for all of it."""

import pytest

from yuanjing.domain.tasks import PROVIDER_CHOOSES
from yuanjing.domain.video_combinations import _longest, choices
from yuanjing.domain.video_examples import USUAL_SECONDS, _nearest

SIZES = {"enum": ["480p", "720p", "1080p"], "x-omit": ["720p"], "x-rewrites": {"1080p": "FHD"}}


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        (None, [None]),
        ({"type": "boolean"}, [True, False, None]),
        ({"type": "boolean", "default": True}, [True, False]),
        ({"enum": ["a", "b"]}, ["a", "b", None]),
        ({"enum": ["a", "b"], "default": "a"}, ["a", "b"]),
        (SIZES, ["480p", None, "FHD"]),
        ({"enum": [5, 10], "default": 5, "x-rewrites": {"5": "five"}}, [5, 10]),
    ],
)
def test_choices_are_what_the_provider_may_be_asked(keywords, expected):
    assert choices({} if keywords is None else {"name": keywords}, "name") == expected


@pytest.mark.parametrize(
    ("duration", "longest"),
    [
        ({}, PROVIDER_CHOOSES),
        ({"maximum": 12}, 12),
        ({"maximum": "12"}, PROVIDER_CHOOSES),
        ({"maximum": 1}, 1),
        ({"enum": [5, 10]}, 10),
        ({"enum": [5, "10"], "maximum": 12}, 5),
        ({"enum": [-1]}, PROVIDER_CHOOSES),
        ({"maximum": 0}, PROVIDER_CHOOSES),
    ],
)
def test_the_longest_duration(duration, longest):
    assert _longest(duration) == longest


@pytest.mark.parametrize(
    ("duration", "nearest"),
    [
        ({}, USUAL_SECONDS),
        ({"enum": [1, 20]}, 1),
        ({"enum": [-1, 0, 20]}, 20),
        ({"enum": ["5", 20]}, 20),
        ({"minimum": USUAL_SECONDS + 1}, USUAL_SECONDS + 1),
        ({"minimum": 1, "maximum": USUAL_SECONDS - 1}, USUAL_SECONDS - 1),
        ({"maximum": USUAL_SECONDS + 9}, USUAL_SECONDS),
    ],
)
def test_the_length_of_an_example_is_the_usual_one_or_the_nearest(duration, nearest):
    assert _nearest(duration) == nearest
