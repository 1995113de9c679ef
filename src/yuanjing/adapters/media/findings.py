"""What the processes of the pool find, and how they say it: a line of JSON."""

import json
from dataclasses import asdict, dataclass


class BrokenFileError(Exception):
    """The file is not what it should be; the message completes "Invalid parameter: image1_file; …"."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """See `MediaFacts` and `Inspection`; fractions are written as text."""

    media_type: str = ""
    width: int | None = None
    height: int | None = None
    seconds: str | None = None
    frame_rate: str | None = None
    has_audio: bool = False
    is_ready: bool = True
    is_black: bool = False
    has_frame: bool = False
    problem: str = ""

    def to_line(self) -> bytes:
        """As it is sent to the pool."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Finding":
        """As it was sent.

        Raises:
            ValueError: it is none.
        """
        try:
            return cls(**json.loads(line))
        except TypeError as error:
            raise ValueError(str(error)) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What a process is asked to do with a file: `inspect`, `examine` or `normalise`.

    Attributes:
        target: where the normalised picture, or the first frame of the examined clip, is written.
    """

    what: str
    place: str
    target: str = ""

    def to_line(self) -> bytes:
        """As it is sent to the process."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Job":
        """As it was sent."""
        return cls(**json.loads(line))
