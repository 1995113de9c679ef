"""Made-up but well-formed log probabilities, the same for the same token."""

from dataclasses import dataclass

from yuanjing.sandbox.chat.usage import digest

Json = dict[str, object]
STEP = 0.01


@dataclass(frozen=True)
class Logprobs:
    """What `logprobs` and `top_logprobs` ask for; `top` alternatives are told per token."""

    top: int

    def of(self, pieces: list[str]) -> Json:
        """The `logprobs` object for these tokens."""
        return {"content": [self._of(piece) for piece in pieces], "refusal": None}

    def _of(self, piece: str) -> Json:
        byte = digest(piece.encode("utf-8", "surrogatepass"))[0]
        best = round(-STEP * (byte % 50 + 1), 2)
        others = [_entry(f"{piece}{rank or ''}", round(best - rank, 2)) for rank in range(self.top)]
        return {**_entry(piece, best), "top_logprobs": others}


def _entry(token: str, logprob: float) -> Json:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace"))}
