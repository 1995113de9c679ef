"""The only worker is killed again and again while three providers make videos: each is made and charged once."""

import json
import os
import signal
import time
import urllib.request
from contextlib import suppress

import pytest
from tests.support.load import wait_until
from tests.support.platform import Platform

MODELS = ("viduq3-pro", "happyhorse-1.0-t2v", "doubao-seedance-1-5-pro-251215")
SECONDS = {"viduq3-pro": "1", "happyhorse-1.0-t2v": "3", "doubao-seedance-1-5-pro-251215": "4"}
KILLS = 6


def call(url, key, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, headers=headers, data=data)  # noqa: S310  # our own platform
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # the same
        return json.load(answer)


@pytest.mark.soak
@pytest.mark.timeout(240)
def test_the_worker_is_killed_again_and_again(tmp_path):
    settings = {"YUANJING_VIDEO_CLAIM_SECONDS": "3", "YUANJING_SANDBOX_TIME_SCALE": "0.5"}
    with Platform(tmp_path / "var", **settings) as platform:
        sandbox = json.loads((platform.data / "address.json").read_text())["sandbox"]
        ids = []
        for number in range(KILLS):
            model = MODELS[number % len(MODELS)]
            body = {"model": model, "prompt": f"cat {number}", "seconds": SECONDS[model]}
            ids.append(call(f"{platform.url}/v1/videos", platform.key, body)["id"])
            time.sleep(0.13 * number)
            wait_until(lambda: len(platform.children("worker")) == 1, 40)
            os.kill(platform.children("worker")[0], signal.SIGKILL)

        def videos():
            return [call(f"{platform.url}/v1/videos/{task_id}", platform.key) for task_id in ids]

        def are_done(count):
            return lambda: sum(one["status"] == "completed" for one in videos()) >= count

        wait_until(are_done(KILLS - 2), 150, pause=0.5)
        with suppress(AssertionError):  # one that died between the row and the call is looked for much longer
            wait_until(are_done(KILLS), 20, pause=0.5)
        done = [one for one in videos() if one["status"] == "completed"]
        assert all(float(one["yuanjing"]["charge"]) > 0 for one in done)
        entries = call(f"{sandbox}/sandbox/journal?limit=200&bodies=1", "")["entries"]
        sent = [entry["body"] for entry in entries if "cat " in (entry.get("body") or "")]
        for number in range(KILLS):
            assert sum(f'"cat {number}"' in body for body in sent) <= 1, number
        assert len(done) <= len(platform.usages()) <= KILLS
        assert platform.verify() == []
