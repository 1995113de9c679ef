"""What pictures are made of, counted before a decoder sees them: a small file of many pieces costs it minutes."""

import mmap
import re
from pathlib import Path

from yuanjing.adapters.media.findings import BrokenFileError

SCANS_MAX = 100
"""Of one JPEG; cameras and programs write some ten. The same limit is libtiff's."""
SCANNED_PIXELS_MAX = 1_500_000_000
"""Of one JPEG: its pixels times its scans, each of which goes over all of them."""
_SEGMENTS_MAX = 10_000
_CHUNKS_MAX = 100_000
_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd8]")
"""One with which a segment begins (ITU T.81, B.1.1): no fill byte, and none of those that stand among coded data."""
_SCAN, _END = b"\xff\xda", b"\xff\xd9"
_SIGNATURE_BYTES, _CHUNK_BYTES = 8, 12


def count_scans(place: Path) -> int:
    """The scans of a JPEG, up to its end or to where it is broken.

    Raises:
        BrokenFileError: there are more of them, or of its segments, than any picture needs.
    """
    scans = 0
    with place.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = _MARKER.search(data)
        for _ in range(_SEGMENTS_MAX):
            if found is None or found[0] == _END:
                return scans
            scans += found[0] == _SCAN
            if scans > SCANS_MAX:
                raise BrokenFileError(f"the picture is coded in more than {SCANS_MAX} scans")
            length = int.from_bytes(data[found.end() : found.end() + 2])
            found = _MARKER.search(data, found.end() + length)
    raise BrokenFileError(f"the picture has more than {_SEGMENTS_MAX} segments")


def check_chunks(place: Path) -> None:
    """Refuse a PNG of more chunks (PNG, 5.3) than any picture needs.

    Raises:
        BrokenFileError: it is one.
    """
    with place.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = _SIGNATURE_BYTES
        for _ in range(_CHUNKS_MAX):
            if at >= len(data):
                return
            at += _CHUNK_BYTES + int.from_bytes(data[at : at + 4])
    raise BrokenFileError(f"the picture has more than {_CHUNKS_MAX} chunks")
