"""QR codes as pictures, for what a telephone is to read."""

from io import BytesIO

import segno

_SCALE = 6


def qr_svg(text: str) -> str:
    """A QR code as an SVG element that stands by itself, as an `img` needs it; dark on white, with a margin."""
    picture = BytesIO()
    segno.make_qr(text).save(picture, kind="svg", scale=_SCALE, light="white", xmldecl=False, nl=False)
    return picture.getvalue().decode("utf-8")
