"""Volcengine's or BytePlus's own SDK against the sandbox; run by its environment's python, tells what it saw as JSON.

Tasks that nobody waits for are stuck, so that nothing is rendered for them.

Arguments: the SDK's module, the base URL, the model, a data URI of a picture, the address of callbacks.
"""

import importlib
import json
import sys
import time

MODULE, BASE_URL, MODEL, PICTURE, CALLBACK = sys.argv[1:]
sdk = importlib.import_module(MODULE)
errors = importlib.import_module(f"{MODULE}._exceptions")
client = sdk.Ark(base_url=BASE_URL, api_key="sandbox-key", max_retries=0)
tasks = client.content_generation.tasks


def text(words):
    return {"type": "text", "text": words}


def create(words, content=(), **fields):
    return tasks.create(model=MODEL, content=[text(words), *content], resolution="480p", duration=4, **fields).id


def finished(task):
    deadline = time.monotonic() + 40
    while (told := tasks.get(task_id=task)).status in {"queued", "running"}:
        assert time.monotonic() < deadline, told
        time.sleep(0.05)
    return told


def plain(told):
    return told.model_dump(mode="json", exclude_unset=True)


def problem(call):
    try:
        call()
    except errors.ArkError as error:
        names = ("code", "type", "param", "status_code", "message")
        return {"class": type(error).__name__, **{name: getattr(error, name, None) for name in names}}
    return None


def refused(words="p", *, key="sandbox-key", **fields):
    one = sdk.Ark(base_url=BASE_URL, api_key=key, max_retries=0)
    body = {"model": MODEL, "content": [text(words)], **fields}
    return problem(lambda: one.content_generation.tasks.create(**body))


seen = {}
first = create("你好 a cat", ratio="16:9", return_last_frame=True, watermark=True, callback_url=CALLBACK)
seen["text"] = plain(finished(first))

frame = {"type": "image_url", "image_url": {"url": PICTURE}, "role": "first_frame"}
seen["frame"] = plain(finished(create("p", [frame], generate_audio=False)))
reference = {"type": "image_url", "image_url": {"url": PICTURE}, "role": "reference_image"}
queued = create("sandbox:long-queue=600 sandbox:stuck", [reference])
running = create("sandbox:stuck")
seen["queued"], seen["running"] = plain(tasks.get(task_id=queued)), plain(tasks.get(task_id=running))
seen["moderated"] = plain(finished(create("sandbox:moderation")))

listed = tasks.list(page_num=1, page_size=20, status="succeeded", task_ids=[first, running], model=MODEL)
seen["listed"] = {"total": listed.total, "ids": [item.id for item in listed.items], "first": first}
seen["all"] = tasks.list(page_num=1, page_size=2).total

seen["cancel_running"] = problem(lambda: tasks.delete(task_id=running))
seen["cancel_queued"] = problem(lambda: tasks.delete(task_id=queued))
seen["cancelled"] = plain(tasks.get(task_id=queued))
seen["cancel_cancelled"] = problem(lambda: tasks.delete(task_id=queued))
seen["delete_done"] = problem(lambda: tasks.delete(task_id=first))
seen["deleted"] = problem(lambda: tasks.get(task_id=first))

seen["ratio"] = refused(ratio="9:21")
seen["model"] = refused(model="nothing")
seen["key"] = refused(key="wrong")
seen["rate"] = refused("sandbox:429")
seen["money"] = refused("sandbox:no-money")
seen["error"] = refused("sandbox:500-after-accept sandbox:stuck")
seen["lost"] = refused("sandbox:lost-reply sandbox:stuck")

sys.stdout.write(json.dumps(seen) + "\n")
