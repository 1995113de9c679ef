"""Text helpers."""


def utf8_length(text: str) -> int:
    """How many bytes the text has in UTF-8; lone surrogates, which JSON can carry, count three."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
