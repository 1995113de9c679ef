"""What a record counts is read back as it was, or refused."""

import pytest

from yuanjing.domain.recomputing import video_meters
from yuanjing.domain.tasks import VideoMeter
from yuanjing.domain.usage import COUNT_MAX


def test_possible_counts_are_read():
    counts = {meter.value: count for meter, count in zip(VideoMeter, (0, COUNT_MAX, 1), strict=False)}
    assert video_meters(counts) == {VideoMeter(name): count for name, count in counts.items()}


@pytest.mark.parametrize("impossible", [-1, COUNT_MAX + 1])
def test_one_impossible_count_is_enough(impossible):
    first, second, *_ = VideoMeter
    with pytest.raises(ValueError, match="impossible"):
        video_meters({first.value: 1, second.value: impossible})
    with pytest.raises(ValueError, match="no such meter"):
        video_meters({"no such meter": 1})
