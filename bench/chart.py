"""A chart of requests a second, for people: `docs/images/bench.svg`, which the README shows."""

from collections.abc import Sequence
from html import escape

from bench.report import Row

_SCENARIOS = (("plain", "Plain answers, requests/s"), ("streams", "Streams of 64 chunks, requests/s"))
_OURS = "yuanjing"
_NOT_SHOWN = ("direct", "crowd")
_WIDTH, _NAME_WIDTH, _VALUE_WIDTH = 760, 150, 80
_BAR, _STEP, _TITLE, _EDGE = 18, 26, 40, 16
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}.note{font-size:11px;fill:#656d76}"
    "rect{fill:#afb8c1}rect.ours{fill:#0f766e}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#8d96a0}rect{fill:#57606a}rect.ours{fill:#2dd4bf}}"
)


def chart(rows: Sequence[Row], facts: dict[str, str]) -> str:
    """Draw plain requests and streams of every target but `direct` and the crowd, as SVG with date and machine.

    Raises:
        ValueError: a scenario has no figures, or one with errors, which would show what was not measured.
    """
    parts: list[str] = []
    y = _EDGE
    for scenario, title in _SCENARIOS:
        chosen = [row for row in rows if row.scenario == scenario and not row.target.startswith(_NOT_SHOWN)]
        if not chosen or any(row.errors for row in chosen):
            raise ValueError(f"{scenario}: no figures, or errors")
        parts.append(f'<text class="title" x="{_EDGE}" y="{y + _BAR}">{title}</text>')
        y += _TITLE
        for row in chosen:
            parts += _bar(row, max(row.requests_per_second for row in chosen), y)
            y += _STEP
        y += _EDGE
    note = (
        f"{facts['date'][:10]}, {facts['cpu']}, {facts['cores']} cores, Python {facts['python']}. "
        "One gateway process on one core; load, upstream and worker on the other."
    )
    parts.append(f'<text class="note" x="{_EDGE}" y="{y + _EDGE}">{escape(note)}</text>')
    height = y + 2 * _EDGE
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" role="img">'
    return "\n".join([head, "<title>Requests a second</title>", f"<style>{_STYLE}</style>", *parts, "</svg>", ""])


def _bar(row: Row, most: float, y: int) -> list[str]:
    width = round((_WIDTH - _NAME_WIDTH - _VALUE_WIDTH - 2 * _EDGE) * row.requests_per_second / most)
    kind = ' class="ours"' if row.target.startswith(_OURS) else ""
    x = _EDGE + _NAME_WIDTH
    return [
        f'<text x="{_EDGE}" y="{y + _BAR - 4}">{escape(row.target)}</text>',
        f'<rect{kind} x="{x}" y="{y}" width="{max(1, width)}" height="{_BAR}" rx="3"/>',
        f'<text x="{x + width + 8}" y="{y + _BAR - 4}">{row.requests_per_second:,.0f}</text>',
    ]
