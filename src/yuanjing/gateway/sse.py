"""Server-sent events: splitting a byte stream into events at any byte, within limits.

Source: the WHATWG HTML standard, "9.2.6 Interpreting an event stream"; only `data` matters to chat.
"""

_BOM = b"\xef\xbb\xbf"


class SseError(Exception):
    """The upstream's event stream is longer than allowed in one line or event."""


class SseSplitter:
    """Turns reads of any size into the `data` of whole events.

    Comments and other fields are dropped; several `data` lines of one event are joined by a newline. Line ends may be
    LF, CRLF or CR. At most `event_bytes_max` bytes are kept, and no byte is looked at more than a few times, however
    small the reads.
    """

    __slots__ = ("_buffer", "_event_bytes_max", "_is_fresh", "_line_at", "_line_bytes_max", "_skips_lf")

    def __init__(self, *, line_bytes_max: int, event_bytes_max: int) -> None:
        self._buffer = bytearray()
        self._line_bytes_max = line_bytes_max
        self._event_bytes_max = event_bytes_max
        self._is_fresh = True
        self._line_at = 0
        """Where in the buffer its last line begins."""
        self._skips_lf = False
        """The last byte was a CR, taken as a line end already: an LF now belongs to it."""

    def feed(self, data: bytes) -> list[bytes]:
        """The data of every event that is complete with these bytes.

        Raises:
            SseError: a line or an event is longer than allowed.
        """
        if self._is_fresh:
            data = self._skip_bom(data)
        if self._skips_lf and data:
            self._skips_lf = False
            data = data.removeprefix(b"\n")
        if b"\r" in data:
            self._skips_lf = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        buffer = self._buffer
        if buffer and not self._is_fresh:
            seen = len(buffer)
            buffer += data
            if buffer.find(b"\n\n", seen - 1) < 0:
                self._check_rest(seen)
                return []
            data = bytes(buffer)
            buffer.clear()
        blocks = data.split(b"\n\n")
        rest = blocks.pop()
        if rest:
            buffer += rest
            self._line_at = rest.rfind(b"\n") + 1
            if len(rest) > self._line_bytes_max:
                self._check(rest)
        return self._events(blocks)

    def _check_rest(self, seen: int) -> None:
        """The limits of an event that is still arriving; `seen` bytes of it were there before this read."""
        buffer = self._buffer
        if len(buffer) > self._event_bytes_max:
            raise SseError(f"an event of more than {self._event_bytes_max} bytes")
        last = buffer.rfind(b"\n", seen)
        longest = len(buffer) - self._line_at
        if last >= 0:
            longest = max(map(len, buffer[self._line_at :].split(b"\n")))
            self._line_at = last + 1
        if longest > self._line_bytes_max:
            raise SseError(f"a line of more than {self._line_bytes_max} bytes")

    def _events(self, blocks: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        for block in blocks:
            if len(block) > self._line_bytes_max:
                self._check(block)
            if block.startswith(b"data: ") and b"\n" not in block:
                events.append(block[6:])
            else:
                event = _event_data(block)
                if event is not None:
                    events.append(event)
        return events

    def finish(self) -> list[bytes]:
        """What an end of the stream without a final blank line leaves behind, if it is an event."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        event = _event_data(rest.removeprefix(_BOM))
        return [] if event is None else [event]

    def _skip_bom(self, data: bytes) -> bytes:
        """The first bytes without a byte order mark; held in the buffer while they may still become one."""
        data = bytes(self._buffer) + data
        self._buffer.clear()
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._buffer += data
            return b""
        self._is_fresh = False
        return data.removeprefix(_BOM)

    def _check(self, block: bytes) -> None:
        if len(block) > self._event_bytes_max:
            raise SseError(f"an event of more than {self._event_bytes_max} bytes")
        if max(map(len, block.split(b"\n"))) > self._line_bytes_max:
            raise SseError(f"a line of more than {self._line_bytes_max} bytes")


def _event_data(block: bytes) -> bytes | None:
    parts: list[bytes] = []
    for line in block.split(b"\n"):
        if line.startswith(b"data:"):
            value = line[5:]
            parts.append(value[1:] if value.startswith(b" ") else value)
        elif line == b"data":
            parts.append(b"")
    return b"\n".join(parts) if parts else None
