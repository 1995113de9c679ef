"""Secrets that a platform under test was given or has made, and the search for them in what it logs.

Every test whose platform logs one fails: `Platform.stop` of real processes searches what they have written, and
`watched` what the application in this process has.
"""

import io
import json
import logging
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Self

import structlog

from yuanjing.kit.logging import configure_logging

_LENGTH_MIN = 8
"""What is shorter is found by chance; codes, of six digits, only where they stand alone."""
_KEY = re.compile(r"yj_(?:live|test)_[0-9A-Za-z]{8}_([0-9A-Za-z]{8,})")
_FIELDS = re.compile(r"(?i)(^|_)(password|secret|csrf_token|recovery_codes?)$")
_SETTINGS = re.compile(r"SECRET|PEPPER|ENCRYPTION_KEY|PASSWORD")
_PASSWORD_OF_ADDRESS = re.compile(r"://[^/\s:@]*:([^/\s@]+)@")
_CODE = re.compile(r"(?<![\w.:+-])\d{6}(?![\w.:-])")


class Secrets:
    """What one platform must not tell."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._codes: set[str] = set()

    def note(self, *texts: str) -> None:
        """Secrets as such; of an API key also the part that opens."""
        for text in texts:
            self._known |= {one for one in (text, *_KEY.findall(text)) if len(one) >= _LENGTH_MIN}

    def note_code(self, code: str) -> None:
        """A code that was sent to somebody."""
        self._codes |= set(_CODE.findall(code))

    def note_document(self, document: object) -> None:
        """What a request or an answer has in fields of secrets, at any depth, and every API key in it."""
        for name, text in _texts(document):
            self.note(*(match[0] for match in _KEY.finditer(text)))
            if _FIELDS.search(name):
                self.note(text)

    def note_cookies(self, jar: CookieJar) -> None:
        """What a browser keeps for the platform."""
        self.note(*(one.value for one in jar if one.value and len(one.value) > 2 * _LENGTH_MIN))

    def note_settings(self, settings: Mapping[str, str]) -> None:
        """Secrets among the variables, and the passwords in addresses."""
        for name, value in settings.items():
            self.note(*_PASSWORD_OF_ADDRESS.findall(value))
            if _SETTINGS.search(name) and not name.endswith("_FILE"):
                self.note(*value.split(","))

    def note_folder(self, data: Path) -> None:
        """What lies in a platform's data folder: the secrets that it has made, the first key, and the codes sent."""
        for path in (data / "secrets").glob("*") if (data / "secrets").is_dir() else ():
            if "public" not in path.name and path.is_file():
                lines = path.read_text(encoding="ascii", errors="replace").splitlines()
                self.note(*(line for line in lines if not line.startswith("-----")))
        if (data / "demo-key").exists():
            self.note((data / "demo-key").read_text(encoding="ascii").strip())
        if (data / "outbox.jsonl").exists():
            for line in (data / "outbox.jsonl").read_text(encoding="utf-8").splitlines():
                self.note_code(str(json.loads(line).get("code", "")))

    def found_in(self, log: str) -> list[str]:
        """The lines that tell one."""
        wrong = [f"{secret} in: {_line_of(log, secret)}" for secret in sorted(self._known) if secret in log]
        if self._codes:
            for line in log.splitlines():
                words = " ".join(text for _, text in _texts(_read(line)))
                wrong += [f"{code} in: {line}" for code in _CODE.findall(words) if code in self._codes]
        return wrong

    def check(self, log: str) -> None:
        """Fail if the log tells one."""
        found = self.found_in(log)
        assert not found, "the log tells secrets:\n" + "\n".join(found)


class _Log:
    """What the product's own logging writes in this process, in its way."""

    def __enter__(self) -> Self:
        root = logging.getLogger()
        self._level, others = root.level, root.handlers[:]
        self._stream = io.StringIO()
        configure_logging("debug", stream=self._stream)
        (self._handler,) = root.handlers
        root.handlers += others
        return self

    def __exit__(self, *_: object) -> None:
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._level)
        structlog.reset_defaults()

    def text(self) -> str:
        return self._stream.getvalue()


@contextmanager
def watched(secrets: Secrets) -> Generator[None]:
    """Let the application of this process log as in earnest, and fail if that tells one of the secrets at the end."""
    with _Log() as log:
        yield
    secrets.check(log.text())


def _texts(document: object, name: str = "") -> Iterator[tuple[str, str]]:
    """All texts in a document, each with the name of its field; numbers are none."""
    if isinstance(document, str):
        yield name, document
    elif isinstance(document, Mapping):
        for key, value in document.items():
            yield from _texts(value, str(key))
    elif isinstance(document, Iterable) and not isinstance(document, bytes):
        for value in document:
            yield from _texts(value, name)


def _read(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return line


def _line_of(log: str, secret: str) -> str:
    return next((line for line in log.splitlines() if secret in line), "several lines")[:1000]
