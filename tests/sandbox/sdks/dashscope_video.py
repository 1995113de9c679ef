"""Alibaba's own SDK against the sandbox; run by its environment's python, tells what it saw as JSON.

Tasks that nobody waits for are stuck, so that nothing is rendered for them.

Arguments: the sandbox's address, the path of a picture, the address of a picture.
"""

import json
import sys

import dashscope
from dashscope import VideoSynthesis

BASE_URL, PATH, WEB = sys.argv[1:]
MODEL = "happyhorse-1.0-t2v"
dashscope.base_http_api_url = f"{BASE_URL}/api/v1"
dashscope.api_key = "sandbox-key"


def submit(prompt, **fields):
    options = {"model": MODEL, "resolution": "720P", "duration": 3, "watermark": False, **fields}
    return VideoSynthesis.async_call(prompt=prompt, **options)


def plain(answer):
    output = dict(answer.output) if answer.output else None
    usage = dict(answer.usage) if answer.usage else None
    return {
        "status": answer.status_code,
        "code": answer.code,
        "message": answer.message,
        "output": output,
        "usage": usage,
    }


seen = {}
accepted = submit("你好 a cat", ratio="16:9")
seen["accepted"] = plain(accepted)
frame = [{"type": "first_frame", "url": f"file://{PATH}"}]
upload = submit(None, model="happyhorse-1.0-i2v", media=frame)
references = submit("character1 runs", model="wan2.6-r2v", reference_urls=[WEB, PATH], size="1280*720", resolution=None)
waited = {"text": accepted, "upload": upload, "references": references}
waited |= {"moderated": submit("sandbox:moderation"), "invalid": submit("p", resolution="480P")}
seen |= {name: plain(VideoSynthesis.wait(one)) for name, one in waited.items()}
seen["fetched"] = plain(VideoSynthesis.fetch(accepted))

queued, running = submit("sandbox:long-queue=600 sandbox:stuck"), submit("sandbox:stuck")
seen["queued"], seen["running"] = plain(VideoSynthesis.fetch(queued)), plain(VideoSynthesis.fetch(running))
listed = VideoSynthesis.list(status="RUNNING", model_name=MODEL)
seen["listed"] = {"ids": [one["task_id"] for one in listed.output["data"]], "running": running.output.task_id}
seen["cancel_queued"] = plain(VideoSynthesis.cancel(queued))
seen["canceled"] = plain(VideoSynthesis.fetch(queued))
seen["cancel_running"] = plain(VideoSynthesis.cancel(running))

seen["unknown"] = plain(VideoSynthesis.fetch("no-such-task"))
seen["model"] = plain(submit("p", model="nothing"))
seen["rate"] = plain(submit("sandbox:429"))
seen["money"] = plain(submit("sandbox:no-money"))
seen["error"] = plain(submit("sandbox:500-after-accept sandbox:stuck"))
dashscope.api_key = "wrong"
seen["key"] = plain(submit("p"))

sys.stdout.write(json.dumps(seen) + "\n")
