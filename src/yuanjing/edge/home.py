"""The page at `/`: what this is and where to go on, without anything from elsewhere."""
# ruff: noqa: RUF001  # Chinese has its own punctuation

import base64
import hashlib
import html

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from yuanjing.edge.parts import Parts

_STYLE = (
    "body{font:16px/1.6 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}"
    "code,pre{background:#8881;border-radius:4px;padding:.1em .3em}pre{padding:1rem;overflow:auto}"
    ":root{color-scheme:light dark}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Yuanjing 元境</title>
<style>{style}</style>
</head>
<body>
<h1>Yuanjing 元境</h1>
<p>An AI model platform: chat and video models of many providers, through one API, with one key
and one exact prepaid balance.</p>
<p lang="zh">AI 模型平台：一个接口、一个密钥、一份精确到分毫的预付余额，调用多家供应商的模型。</p>
<h2>API</h2>
<ul>
<li><a href="/openapi.json">/openapi.json</a>: the description of every call</li>
<li><code>POST /v1/chat/completions</code>: chat, as OpenAI's SDKs speak it</li>
<li><code>POST /llmage/v1/chat/completions</code>: chat with <code>prompt</code> and <code>sys_prompt</code></li>
<li><code>POST /llmage/video</code>, <code>GET /llmage/tasks</code>: videos, and how they stand</li>
<li><code>POST /v1/videos</code>: the same, as OpenAI's SDKs speak it</li>
<li><code>GET /v1/models</code>, <code>GET /llmage/v1/models</code>: what your key may use</li>
<li><code>GET /llmage/v1/pricing?model=…</code>: what it costs</li>
<li><code>GET /llmage/v1/balance</code>: what you have</li>
</ul>
<p>Every call needs <code>Authorization: Bearer &lt;your key&gt;</code>.</p>
{test}{outbox}</body>
</html>
"""
_TEST = """<h2>Try it</h2>
<p>A key that begins with <code>yj_test_</code> spends play money and is answered by simulated providers.</p>
<pre>curl {base}/v1/chat/completions \\
  -H "Authorization: Bearer &lt;your key&gt;" -H "Content-Type: application/json" \\
  -d '{{"model": "qwen3-max", "messages": [{{"role": "user", "content": "Hello"}}]}}'</pre>
"""
_OUTBOX = """<p>Codes by SMS are not sent but kept: <a href="/outbox">/outbox</a>, for browsers on this machine.</p>
"""

router = APIRouter(include_in_schema=False)


@router.get("/", response_class=HTMLResponse)
async def get_home(parts: Parts) -> HTMLResponse:
    """What this is, for people."""
    base = html.escape(parts.public_base_url or "http://127.0.0.1:8080")
    test = _TEST.format(base=base) if parts.allow_test_pages else ""
    outbox = _OUTBOX if parts.outbox is not None else ""
    return HTMLResponse(
        _PAGE.format(style=_STYLE, test=test, outbox=outbox), headers={"content-security-policy": _POLICY}
    )
