"""Feeds one target by Atheris, guided by what of our code it reaches: `python -m tests.faults.fuzz TARGET SECONDS`.

It ends with an error, and with the input in the current folder, if the target raises anything.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["yuanjing.gateway", "yuanjing.edge.multipart", "python_multipart"]):
    from tests.faults.targets import TARGETS


def main() -> None:
    name, seconds = sys.argv[1:]
    target, samples = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        for number, sample in enumerate(samples):
            (Path(folder) / str(number)).write_bytes(sample)
        words = Path(folder) / "words"
        words.write_text("".join(f'"{word}"\n' for word in WORDS), encoding="ascii")
        limits = [f"-max_total_time={seconds}", "-max_len=8000", "-timeout=10", "-rss_limit_mb=2048"]
        atheris.Setup([sys.argv[0], *limits, f"-dict={words}", folder], target)
        atheris.Fuzz()


WORDS = (
    *(
        "data: ",
        "\\x0a\\x0a",
        "\\x0d\\x0a\\x0d\\x0a",
        "[DONE]",
        "\\xef\\xbb\\xbf",
        "\\xff",
        "\\\\ud800",
        "1e999",
        "null",
    ),
    *("choices", "delta", "content", "usage", "error", "prompt_tokens", "completion_tokens", "tool_calls", "reasoning"),
    *("HTTP/1.1 200 OK", "content-length: ", "transfer-encoding: chunked", "content-encoding: gzip"),
    *("--XyZ", "--XyZ--", "filename="),
)
"""What stands in such inputs, so that it need not be found by chance."""

if __name__ == "__main__":
    main()
