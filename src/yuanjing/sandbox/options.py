"""Everything about the sandbox that can be tuned, in one value that the caller makes."""

from dataclasses import dataclass

DEFAULT_CREDENTIAL = "sandbox-key"


@dataclass(frozen=True, kw_only=True)
class SandboxOptions:
    """What the sandbox accepts and how fast it answers.

    Attributes:
        credentials: the bearer credentials that are accepted; each also in the form
            `<credential>-fail-<fault>`, which applies that fault to every request.
        time_scale: factor on the pacing waits; 0 answers at once. Waits that a fault asks for are
            never scaled.
        first_token_seconds: wait before the first token.
        chunks_per_second: content events of one stream per second.
        tokens_per_chunk: tokens in one content event.
        plain_wait_max_seconds: the longest wait of a non-stream answer.
        keep_alive_seconds: pause between two keep-alive comments (DeepSeek flavour).
        fault_wait_max_seconds: the longest wait that a fault may ask for.
        body_bytes_max: the largest request body.
        output_tokens_max: the longest answer, all choices together, whatever the request asks for.
        huge_bytes_max: the largest event that a fault may ask for.
        echo_chars_max: how much of the caller's text an answer repeats.
        journal_length: how many requests the journal keeps.
        journal_body_bytes_max: larger request bodies are not kept in the journal.
        cache_seconds: how long a prompt's prefix counts as cached.
        cache_blocks_max: how many prefix blocks of 64 tokens are remembered.
    """

    credentials: frozenset[str] = frozenset({DEFAULT_CREDENTIAL})
    time_scale: float = 1.0
    first_token_seconds: float = 0.15
    chunks_per_second: float = 60.0
    tokens_per_chunk: int = 2
    plain_wait_max_seconds: float = 10.0
    keep_alive_seconds: float = 10.0
    fault_wait_max_seconds: float = 600.0
    body_bytes_max: int = 32 * 1024 * 1024
    output_tokens_max: int = 200_000
    huge_bytes_max: int = 16 * 1024 * 1024
    echo_chars_max: int = 300
    journal_length: int = 200
    journal_body_bytes_max: int = 64 * 1024
    cache_seconds: float = 300.0
    cache_blocks_max: int = 65_536
