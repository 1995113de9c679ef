"""The chart shows what was measured, and nothing else."""

import re
from xml.etree import ElementTree as ET

import pytest
from bench.chart import chart
from bench.report import Row

FACTS = {"date": "2026-11-30 22:20:04+0000", "cpu": "A & B", "cores": "2", "python": "3.11.7"}


def row(target: str, per_second: float, *, scenario: str = "plain", errors: int = 0) -> Row:
    return Row(
        scenario=scenario,
        target=target,
        requests_per_second=per_second,
        p50_ms=1,
        p99_ms=2,
        max_ms=3,
        cpu_us=50,
        core_share=1,
        others_share=0,
        pss_mb=100,
        errors=errors,
    )


def rows() -> list[Row]:
    plain = [row("direct", 90_000), row("envoy", 40_000), row("yuanjing openai", 20_000)]
    return [*plain, row("envoy", 30_000, scenario="streams"), row("yuanjing openai", 6_000, scenario="streams")]


def test_bars_are_as_long_as_what_they_stand_for() -> None:
    drawn = chart(rows(), FACTS)
    ET.fromstring(drawn)  # noqa: S314  # our own text
    widths = [int(width) for width in re.findall(r'<rect[^>]* width="(\d+)"', drawn)]
    assert widths[1] * 2 == widths[0]
    assert widths[3] * 5 == pytest.approx(widths[2], abs=5)
    assert "direct" not in drawn
    assert [text in drawn for text in ("20,000", "6,000", "2026-11-30", "A &amp; B", "Python 3.11.7")] == [True] * 5
    assert drawn.count('class="ours"') == 2


@pytest.mark.parametrize("spoilt", [[], [row("envoy", 1.0, errors=1)]])
def test_what_was_not_measured_is_not_drawn(spoilt: list[Row]) -> None:
    with pytest.raises(ValueError, match="plain"):
        chart(spoilt, FACTS)
