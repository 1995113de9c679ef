"""An S3 server of this test process: nanio, which checks signatures, over a folder."""

import http.client
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

BUCKET = "yuanjing-tests"
ACCESS_KEY, SECRET_KEY = "AKIATESTS", "secret-for-tests"


class S3Server:
    """Started with the first use; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / BUCKET).mkdir(parents=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._process = subprocess.Popen(  # noqa: S603  # a tool of the development environment
            [
                sys.executable, "-m", "nanio", "serve",
                "--data-dir", str(folder), "--host", "127.0.0.1", "--port", str(self.port), "--no-access-log",
            ],
            env={"NANIO_ACCESS_KEY": ACCESS_KEY, "NANIO_SECRET_KEY": SECRET_KEY},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def __enter__(self) -> Self:
        deadline = time.monotonic() + 20
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/")
                connection.getresponse().read()
                connection.close()
            except OSError:
                assert time.monotonic() < deadline
                assert self._process.poll() is None
                time.sleep(0.05)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
