"""The sandbox's own pages: health, the index of magic words, the journal."""

import html

from yuanjing.sandbox.asgi import Reply, Request
from yuanjing.sandbox.chat.flavours import FLAVOURS
from yuanjing.sandbox.faults import FAULTS, Fault
from yuanjing.sandbox.journal import Journal
from yuanjing.sandbox.video.magic import WORDS, Word
from yuanjing.sandbox.video.service import VIDEO_BASES

LIMIT = 50
LIMIT_MAX = 1000

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "td,th{text-align:left;padding:.2rem .8rem}"
)


async def handle(request: Request, reply: Reply, journal: Journal) -> bool:
    """Answer if the path is one of the sandbox's own; whether it is."""
    if request.path == "/healthz" and request.method == "GET":
        await reply.json(200, {"status": "ok"})
    elif request.path == "/sandbox" and request.method == "GET":
        await _index(request, reply)
    elif request.path == "/sandbox/journal" and request.method == "GET":
        await _journal(request, reply, journal)
    elif request.path == "/sandbox/journal" and request.method == "DELETE":
        journal.clear()
        await reply.json(200, {"cleared": True})
    else:
        return False
    return True


async def _journal(request: Request, reply: Reply, journal: Journal) -> None:
    given = request.query.get("limit", [str(LIMIT)])[-1]
    if not given.isdecimal():
        await reply.json(400, {"error": {"message": "limit must be a whole number", "type": "invalid_request_error"}})
        return
    bodies = request.query.get("bodies", ["0"])[-1] == "1"
    await reply.json(200, {"entries": journal.last(min(int(given), LIMIT_MAX), with_bodies=bodies)})


async def _index(request: Request, reply: Reply) -> None:
    if "text/html" in request.headers.get("accept", ""):
        await reply.whole(200, "text/html; charset=utf-8", _page().encode())
        return
    words = {
        _word(fault): {"stream": doc.stream, "plain": doc.plain, "default": doc.default}
        for fault, doc in FAULTS.items()
    }
    bases = {flavour.name: list(flavour.bases) for flavour in FLAVOURS}
    body = {
        "magic_words": words,
        "flavours": bases,
        "video_magic_words": {
            _video_word(word): {"effect": doc.effect, "default": doc.default} for word, doc in WORDS.items()
        },
        "video_bases": VIDEO_BASES,
        "messages": "/sms/",
        "journal": "/sandbox/journal",
    }
    await reply.json(200, body)


def _word(fault: Fault) -> str:
    number = FAULTS[fault].number
    return f"sandbox:{fault}={number}" if number else f"sandbox:{fault}"


def _video_word(word: Word) -> str:
    number = WORDS[word].number
    return f"sandbox:{word}={number}" if number else f"sandbox:{word}"


def _page() -> str:
    words = "".join(
        f"<tr><td><code>{_word(fault)}</code></td><td>{html.escape(doc.stream)}</td>"
        f"<td>{html.escape(doc.plain)}</td></tr>"
        for fault, doc in FAULTS.items()
    )
    bases = "".join(f"<li>{flavour.name}: <code>{flavour.bases[0]}</code></li>" for flavour in FLAVOURS)
    effects = "".join(
        f"<tr><td><code>{_video_word(word)}</code></td><td>{html.escape(doc.effect)}</td></tr>"
        for word, doc in WORDS.items()
    )
    video = "".join(f"<li>{name}: <code>{base}</code></li>" for name, base in VIDEO_BASES.items())
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Sandbox</title><style>{_STYLE}</style>"
        f"<h1>Sandbox</h1><p>Put a magic word into the last user message.</p>"
        f"<table><tr><th>Word<th>In a stream<th>In a plain answer</tr>{words}</table>"
        f"<h2>Flavours</h2><ul>{bases}</ul>"
        f"<h2>Video</h2><ul>{video}</ul><p>Put magic words into the prompt; several may stand together.</p>"
        f"<table><tr><th>Word<th>Effect</tr>{effects}</table><p><a href=/sandbox/journal>Journal</a>, "
        "<a href=/sms/>messages to mobiles</a></p></html>"
    )
