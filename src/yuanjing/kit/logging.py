"""Log lines: one JSON object a line on stderr, with what looks like a secret or like content masked."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from typing import TextIO, cast

import structlog

MASK = "***"
_CONTENT_KEYS = frozenset(
    {"authorization", "body", "content", "cookie", "credential", "input", "key_text", "messages", "output"}
    | {"password", "pepper", "prompt", "secret", "set_cookie", "sys_prompt", "token"},
)
_DEPTH_MAX = 4
_PATTERNS = (
    (re.compile(r"yj_(live|test)_([0-9A-Za-z]{8})_[0-9A-Za-z_]*"), rf"yj_\1_\2_{MASK}"),
    (re.compile(r"yj_(live|test)_(?![0-9A-Za-z]{8}_)[0-9A-Za-z_]+"), rf"yj_\1_{MASK}"),
    (re.compile(r"\bsk-[0-9A-Za-z_-]{4,}"), f"sk-{MASK}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"',]+"), rf"\1 {MASK}"),
    (re.compile(r"(://[^/\s:@]*):[^/\s@]*@"), rf"\1:{MASK}@"),
)


def mask_text(text: str) -> str:
    """Replace what looks like an API key, a bearer credential or a password in an address.

    Of our own keys the public id stays, which names the key without opening anything.
    """
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def _mask(value: object, depth: int = 0) -> object:
    """A masked copy; deep things are never ours, and a cycle must end, so there is a depth limit."""
    masked: object
    if value is None or isinstance(value, bool | int | float):
        masked = value
    elif isinstance(value, bytes | bytearray):
        masked = f"<{len(value)} bytes>"
    elif isinstance(value, Mapping) and depth < _DEPTH_MAX:
        items = cast("Mapping[object, object]", value).items()
        masked = {str(key): _mask_item(str(key), item, depth) for key, item in items}
    elif isinstance(value, list | tuple | set | frozenset) and depth < _DEPTH_MAX:
        masked = [_mask(item, depth + 1) for item in cast("Sequence[object]", value)]
    else:
        masked = mask_text(str(cast("object", value)))
    return masked


def _mask_item(key: str, value: object, depth: int) -> object:
    return MASK if key.lower() in _CONTENT_KEYS and value is not None else _mask(value, depth + 1)


def mask_event(_logger: object, _name: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    """A structlog processor; the last one before the renderer, so that tracebacks are masked too."""
    return {key: _mask_item(key, value, 0) for key, value in event.items()}


def configure_logging(level: str = "info", *, stream: TextIO | None = None, process: str = "") -> None:
    """Send structlog's and the standard library's log lines as JSON to stderr (or `stream`).

    Args:
        level: `debug`, `info`, `warning` or `error`.
        stream: where to write, for tests.
        process: a name for this process, added to every line.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
    ]
    if process:
        shared.insert(0, _named(process))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                mask_event,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        ),
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in ("httpx2", "httpcore2"):  # a line for each call, with its whole address, costs as much as the call
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # handlers of its own would write unmasked lines
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


def _named(process: str) -> structlog.typing.Processor:
    def add(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.setdefault("process", process)
        return event

    return add
