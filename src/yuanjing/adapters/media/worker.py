"""A process of the pool: takes jobs from its standard input, one a line, and answers each with a line.

It gets no secrets (its environment is empty), may take so much memory and no more, writes no large files, and dies with
the process that started it. Whatever happens to it, happens to one file.
"""

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

from yuanjing.adapters.media.findings import BrokenFileError, Finding, Job
from yuanjing.adapters.media.kinds import HEAD_BYTES, Family, find_kind

READY = Finding(media_type="ready")
_OUTPUT_BYTES_MAX = 256 * 1024 * 1024
_FILES_MAX = 64
_PR_SET_PDEATHSIG = 1
_UNKNOWN = "it is no picture, video or sound of a kind that is read here"
_BROKEN = "the file is broken: it cannot be decoded"


def main(memory_bytes_max: int, pixels_max: int, nice: int) -> None:
    """Work until there is nothing to read any more."""
    jobs, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints is no answer
    _limit(memory_bytes_max, nice)
    from yuanjing.adapters.media import clips, pictures  # noqa: PLC0415  # within the limits

    del clips  # loaded before the first job, whose time is limited
    pictures.prepare(pixels_max)
    answers.write(READY.to_line())
    while line := jobs.readline():
        answers.write(work(Job.from_line(line), pixels_max).to_line())


def work(job: Job, pixels_max: int) -> Finding:
    """Do one job; whatever a library says about a broken file is a finding."""
    try:
        return _work(job, pixels_max)
    except BrokenFileError as error:
        return Finding(problem=str(error))
    except MemoryError:
        return Finding(problem="the file needs too much memory to be decoded")
    except Exception:  # noqa: BLE001  # decoders raise what they like; a file that raises is broken
        return Finding(problem=_BROKEN)


def _work(job: Job, pixels_max: int) -> Finding:
    from yuanjing.adapters.media import clips, pictures  # noqa: PLC0415  # see `main`

    place, target = Path(job.place), Path(job.target)
    with place.open("rb") as file:
        kind = find_kind(file.read(HEAD_BYTES))
    if kind is None:
        raise BrokenFileError(_UNKNOWN)
    if job.what == "normalise":
        if kind.family is not Family.PICTURE:
            raise BrokenFileError("the file is no picture")
        return pictures.normalise(place, target, kind, pixels_max)
    if kind.family is Family.PICTURE:
        return pictures.inspect(place, kind, pixels_max)
    return clips.inspect(place, kind, pixels_max, first_frame=target if job.what == "examine" else None)


def _limit(memory_bytes_max: int, nice: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_OUTPUT_BYTES_MAX, _OUTPUT_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES_MAX, _FILES_MAX))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes_max, memory_bytes_max))
    os.nice(nice)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
