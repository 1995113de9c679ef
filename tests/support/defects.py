"""Copies of the product with a defect in them, for tests that must find it."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yuanjing

_PRODUCT = Path(next(iter(yuanjing.__path__)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A text that occurs once in a file of the product, and what takes its place."""

    file: str
    old: str
    new: str

    def fits(self) -> bool:
        """Whether it can be made in the product as it is."""
        return (_PRODUCT / self.file).read_text(encoding="utf-8").count(self.old) == 1

    def apply(self, copy: Path) -> None:
        """Make the change in a copy of the product.

        Raises:
            AssertionError: the old text is not there exactly once.
        """
        path = copy / self.file
        text = path.read_text(encoding="utf-8")
        assert text.count(self.old) == 1, f"{self.file} has {self.old!r} {text.count(self.old)} times"
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


def mutated(changes: Sequence[Change], folder: Path) -> Path:
    """A copy of the product with the changes; what to put into PYTHONPATH."""
    copy = folder / "yuanjing"
    shutil.copytree(_PRODUCT, copy, ignore=shutil.ignore_patterns("__pycache__", "static"))
    for change in changes:
        change.apply(copy)
    return folder
