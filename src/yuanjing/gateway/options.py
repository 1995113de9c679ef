"""Every limit and time of the hot path; `settings` documents the names and gives the defaults."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayOptions:
    """See `settings`; seconds are of the boot-time clock, sizes are bytes."""

    request_header_bytes_max: int = 64 * 1024
    request_body_bytes_max: int = 32 * 1024 * 1024
    request_body_unchecked_bytes_max: int = 64 * 1024
    request_bodies_bytes_max: int = 512 * 1024 * 1024
    request_head_seconds: float = 10.0
    request_body_seconds: float = 60.0
    request_body_bytes_per_second_min: int = 16 * 1024
    client_write_seconds: float = 30.0
    close_seconds: float = 5.0
    admission_seconds: float = 10.0
    connect_seconds: float = 3.0
    first_byte_seconds: float = 120.0
    plain_answer_seconds: float = 600.0
    idle_seconds: float = 60.0
    total_seconds: float = 600.0
    keepalive_comment_seconds: float = 15.0
    sse_line_bytes_max: int = 1024 * 1024
    sse_event_bytes_max: int = 4 * 1024 * 1024
    answer_bytes_max: int = 64 * 1024 * 1024
    upstream_header_bytes_max: int = 64 * 1024
    upstream_idle_seconds: float = 30.0
    retries_max: int = 2
    retry_share: float = 0.1
    retries_per_second: float = 10.0
    breaker: str = "live"
    breaker_failures: int = 5
    breaker_failure_share: float = 0.2
    breaker_tries_min: int = 20
    breaker_window_seconds: float = 10.0
    breaker_pause_seconds: float = 1.0
    breaker_pause_seconds_max: float = 4.0
    refused_pause_seconds: float = 10.0
    refused_pause_seconds_max: float = 300.0
    adaptive_concurrency: bool = True
    adaptive_concurrency_min: int = 64
    adaptive_tolerance: float = 3.0
    adaptive_answers_min: int = 20
    adaptive_window_seconds: float = 1.0
    upstream_stale_seconds: float = 1.0
    drain_streams_max: int = 64
    drain_seconds: float = 60.0
    shutdown_drain_seconds: float = 120.0
    watermark_seconds: float = 2.0
    settling_seconds: float = 5.0
    spool_retry_seconds: float = 2.0
    clamp_output_tokens_min: int = 16
    idempotency_wait_seconds: float = 0.3
    idempotency_answer_bytes_max: int = 1024 * 1024
    idempotency_answers_bytes_max: int = 64 * 1024 * 1024
    exchanges_max: int = 4096
    overload_lag_seconds: float = 0.25
    overload_exchanges_min: int = 64
    connections_max: int = 16_384
    pipeline_pause_depth: int = 16
    tick_seconds: float = 0.25
    heartbeat_seconds: float = 1.0
    heartbeat_fresh_seconds: float = 5.0
    signal_poll_seconds: float = 0.1
    refuse_seconds: float = 0.25
    lease_idle_seconds: float = 30.0
    lease_wait_seconds: float = 2.0
    key_cache_size: int = 100_000
    key_cache_seconds: float = 30.0
    log_slow_request_seconds: float = 30.0
    log_repeat_seconds: float = 60.0
    ca_file: str | None = None
