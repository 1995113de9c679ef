"""Everything about the sandbox that can be tuned, in one value that the caller makes."""

from dataclasses import dataclass, field
from pathlib import Path

from yuanjing.sandbox.alipay.options import AlipayOptions
from yuanjing.sandbox.sms.options import SmsOptions

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
        public_base_url: the address in the URLs of video results; None: as the client reached the sandbox.
        video_created_seconds: how long a video task is accepted before it is queued; scaled, as the next two.
        video_queue_seconds: how long it is queued.
        video_run_seconds: how long it runs, at least; it also waits for its file.
        video_off_peak_factor: factor on the queue of off-peak tasks.
        video_concurrency: how many tasks of one credential run at once, the others wait; None: no limit.
        video_submits_per_minute: submissions of one credential that are taken, the others get 429; None: no limit.
        video_queries_per_second: queries of one credential likewise; None: no limit.
        video_lists_per_second: those of them that are Ark's lists (1, third parties say); None: no limit of their own.
        video_fault_wait_max_seconds: the longest queue that a magic word may ask for.
        video_tasks_max: how many tasks are remembered; the oldest go.
        video_body_bytes_max: the largest request to the video protocols, uploads included.
        video_cache_bytes_max: how much disk the rendered files may take; the least used go.
        video_cache_folder: where rendered files are kept; None: a temporary folder of the process.
        video_uploads_bytes_max: how much memory uploaded files may take; the oldest go.
        media_image_bytes_max: the largest image that is fetched or decoded.
        media_clip_bytes_max: the largest video or audio likewise.
        media_wait_seconds: how long fetching one may take.
        callback_wait_seconds: how long a callback's receiver may take to answer (Ark: 5 s).
        callback_retries: how often a callback is repeated that failed (Ark, Vidu: 3).
        callback_pause_seconds: pause before a callback is repeated; scaled.
        alipay: the merchant of the simulated Alipay; None: there is none.
        sms: the accounts at the simulated vendors of messages.
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
    public_base_url: str | None = None
    video_created_seconds: float = 0.3
    video_queue_seconds: float = 0.7
    video_run_seconds: float = 3.0
    video_off_peak_factor: float = 10.0
    video_concurrency: int | None = None
    video_submits_per_minute: int | None = None
    video_queries_per_second: int | None = None
    video_lists_per_second: int | None = None
    video_fault_wait_max_seconds: float = 86_400.0
    video_tasks_max: int = 100_000
    video_body_bytes_max: int = 256 * 1024 * 1024
    video_cache_bytes_max: int = 1024 * 1024 * 1024
    video_cache_folder: Path | None = None
    video_uploads_bytes_max: int = 512 * 1024 * 1024
    media_image_bytes_max: int = 50 * 1024 * 1024
    media_clip_bytes_max: int = 200 * 1024 * 1024
    media_wait_seconds: float = 20.0
    callback_wait_seconds: float = 5.0
    callback_retries: int = 3
    callback_pause_seconds: float = 1.0
    alipay: AlipayOptions | None = None
    sms: SmsOptions = field(default_factory=SmsOptions)
