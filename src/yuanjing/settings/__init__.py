"""Every setting of the platform, from `YUANJING_…` variables; the only module that reads the environment.

A wrong setting is refused before anything starts, with the name of its variable and what to write instead.
Each one is described in docs/reference/settings.md.
"""

import difflib
import json
import os
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from yuanjing.settings.audit import AuditSettings
from yuanjing.settings.console import ConsoleSettings
from yuanjing.settings.engine import EngineSettings
from yuanjing.settings.files import FileSettings
from yuanjing.settings.kinds import KIB, MIB, Count, Port, Seconds, Share, Size, Words, check_networks
from yuanjing.settings.payments import PaymentSettings
from yuanjing.settings.promotions import PromotionSettings
from yuanjing.settings.signin import SignInSettings
from yuanjing.settings.sms import SmsSettings

PREFIX = "YUANJING_"
_AMOUNT = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)


class Mode(StrEnum):
    """What the installation is for; production refuses what is only good for trying things out."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Role(StrEnum):
    """Which processes `serve` runs."""

    ALL = "all"
    GATEWAY = "gateway"
    WORKER = "worker"
    SANDBOX = "sandbox"


@dataclass(frozen=True, kw_only=True, slots=True)
class ServeOptions:
    """What one `serve` command is to run; everything else is in `Settings`.

    Attributes:
        role: all of the platform, or a part of it.
        sandbox: start the simulated providers too.
        demo: make the demonstration customer and print how to call the platform.
        sandbox_url: where a sandbox listens that someone else started.
        as_json: announce what is ready as one JSON document instead of text.
    """

    role: Role = Role.ALL
    sandbox: bool = False
    demo: bool = False
    sandbox_url: str | None = None
    as_json: bool = False


class SettingsError(Exception):
    """Settings that cannot be used; `lines` name each variable and say what to write."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("\n".join(self.lines))


class Settings(
    SmsSettings,
    SignInSettings,
    PromotionSettings,
    ConsoleSettings,
    PaymentSettings,
    FileSettings,
    AuditSettings,
    EngineSettings,
):
    """All settings. The name of a variable is `YUANJING_` and the field's name in capitals."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    mode: Mode = Mode.DEVELOPMENT
    """`development` migrates by itself and writes a demonstration key; `production` does neither."""
    data: Path = Path("var")
    """Folder of the database, the spools and the generated secrets; on a disk that outlives the process."""
    host: str = "127.0.0.1"
    """Address that the platform listens on; `0.0.0.0` for all."""
    port: Port = 8080
    """Port of the platform; if it is taken, development takes the next free one. 0 for any."""
    sandbox_host: str = "127.0.0.1"
    """Address that the sandbox listens on."""
    sandbox_port: Port = 8090
    """Port of the sandbox; if it is taken, development takes the next free one. 0 for any."""
    sandbox_time_scale: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Factor on the sandbox's waits; 0 answers at once."""
    workers: Annotated[int, Field(ge=1, le=256)] = max(1, (os.cpu_count() or 1) - 1)
    """Gateway processes on this machine; the default is the number of cores minus one."""
    database_url: str = Field(default="", repr=False, validate_default=False)
    """`postgresql://user:password@host/name`, or `sqlite:///file`; the default is a SQLite file in `data`."""
    machine: str = socket.gethostname()
    """This machine's name among all that share the database; stable over restarts."""
    public_base_url: str = ""
    """The address that customers use, such as `https://ai.example.com`; without it, the one that each client called."""
    create_status_case: Literal["lower", "upper"] = "lower"
    """Whether `POST /llmage/video` answers `created`, as the seed's example has it, or `CREATED`, as its list."""
    video_tasks_per_customer_max: Count = 1000
    """Videos of one customer that may be under way; more are refused until some have ended."""
    trusted_proxies: Words = ()
    """Networks of reverse proxies whose `X-Forwarded-For` is believed, separated by commas."""

    metrics_public: bool = False
    """Whether anybody may read `/metrics`, and not only programs on this machine."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important log lines to write."""
    log_slow_request_seconds: Seconds = 30.0
    """Requests that take longer get a log line."""
    log_repeat_seconds: Seconds = 60.0
    """The same trouble of a channel, or with the number of connections, is told once in this time."""

    key_pepper: SecretStr | None = None
    """64 hexadecimal digits under which API keys are hashed; by default made once, in `data`."""
    encryption_key: SecretStr | None = None
    """64 hexadecimal digits under which credentials are encrypted; older ones may follow, after commas."""

    welcome_test_grant: str = "100"
    """Play money of the test book for each new customer, in CNY."""
    lease_share_percent: Annotated[int, Field(ge=1, le=100)] = 5
    """The most of a customer's available balance that one gateway process leases, in percent."""
    lease_amount_max: str = "100"
    """The most that one gateway process leases of one customer, in CNY."""
    lease_ttl_seconds: Annotated[int, Field(ge=10, le=86_400)] = 900
    """After this time a lease that nobody renews or returns is released; longer than any request lasts."""
    lease_idle_seconds: Seconds = 30.0
    """A lease without requests for this time is returned."""
    lease_wait_seconds: Seconds = 2.0
    """The longest that a request waits for money that another process is asked to return. It is answered in well under
    that, also if there is nothing to return; only a process that has died answers nothing."""
    refuse_seconds: Seconds = 0.25
    """How long a customer without money is refused from memory before the ledger is asked again, times the number of
    gateway processes, so that they ask no more often together. Money that comes in ends it at once."""
    clamp_output_tokens_min: Annotated[int, Field(ge=1, le=100_000)] = 16
    """Near the end of a balance `max_tokens` is lowered to what can be paid, but not below this."""

    idempotency_keep_hours: Annotated[int, Field(ge=24, le=24 * 365)] = 25
    """How long an `Idempotency-Key` and its answer are kept; a day, and an hour for clocks that are wrong."""
    idempotency_wait_seconds: Seconds = 0.3
    """A retry whose first request seems to run waits so long and looks once more: it may just have ended."""
    idempotency_answer_bytes_max: Size = 1 * MIB
    """The largest chat answer that is kept for retries; of a larger one they are told that it was given and charged."""
    idempotency_answers_bytes_max: Size = 64 * MIB
    """Memory for such answers under way in one gateway process; above it they are not kept."""

    spool_sync: Literal["normal", "full"] = "normal"
    """`normal` survives the death of a process, `full` also the loss of power (slower)."""
    spool_rows_max: Count = 200_000
    """With this many rows not posted, a gateway process stops taking requests."""
    spool_size_max_bytes: Size = 1024 * MIB
    """With a spool file of this size, a gateway process stops taking requests."""
    post_batch_rows: Annotated[int, Field(ge=1, le=20_000)] = 2000
    """Usage rows that the worker posts in one transaction at most."""
    post_interval_seconds: Seconds = 0.1
    """Pause of the worker between two looks into the spools."""
    watermark_seconds: Seconds = 2.0
    """How often what a running stream has used is written to the spool."""
    settling_seconds: Seconds = 5.0
    """The longest that a finished answer waits to hear whether its usage was written; more is a fault of ours."""
    spool_retry_seconds: Seconds = 2.0
    """A gateway process whose spool cannot be written looks so often whether its disk works, to begin a new one."""

    heartbeat_seconds: Seconds = 1.0
    """How often each gateway process shows the ledger that it lives."""
    heartbeat_fresh_seconds: Seconds = 5.0
    """Without a successful heartbeat for this time, a gateway process stops taking requests."""
    node_silent_seconds: Seconds = 15.0
    """A gateway process that is silent for this time is taken over by a worker."""
    signal_poll_seconds: Seconds = 0.1
    """How often each gateway process asks for changes of keys, funds and the catalogue."""
    key_cache_size: Count = 100_000
    """API keys that a gateway process remembers."""
    key_cache_seconds: Seconds = 30.0
    """How long it remembers one without asking again; revoking a key does not wait for it."""

    request_header_bytes_max: Size = 64 * KIB
    """The largest request header."""
    request_body_bytes_max: Size = 32 * MIB
    """The largest request body."""
    request_body_unchecked_bytes_max: Size = 64 * KIB
    """Of a larger body, no more than this is read for a key that cannot be right."""
    request_bodies_bytes_max: Size = 512 * MIB
    """Memory for such larger bodies on their way into one gateway process; above it they are answered 503."""
    request_head_seconds: Seconds = 10.0
    """Time in which a request's header must arrive."""
    request_body_seconds: Seconds = 60.0
    """Time in which a request's body must arrive, unless it keeps to the rate below."""
    request_body_bytes_per_second_min: Annotated[int, Field(ge=1, le=2**30)] = 16 * KIB
    """Larger bodies may take longer than `request_body_seconds` at this rate."""
    client_write_seconds: Seconds = 30.0
    """A client that takes none of its answer for this time is disconnected."""
    close_seconds: Seconds = 5.0
    """How long a connection that we close may take to deliver the last answer."""
    pipeline_pause_depth: Annotated[int, Field(ge=1, le=1000)] = 16
    """With this many requests waiting on one connection, reading from it pauses."""
    tick_seconds: Seconds = 0.25
    """How often time limits are looked at; each may be exceeded by this much."""
    keep_alive_seconds: Annotated[float, Field(ge=1, le=86_400)] = 75.0
    """A client's idle connection is closed after this time; parts of a second count as a whole one."""
    exchanges_max: Count = 4096
    """Chat requests in work in one gateway process; more are answered 503."""
    overload_lag_seconds: Seconds = 0.25
    """While its event loop is this late, look after look, a gateway process lets fewer requests in: others get 503."""
    overload_exchanges_min: Count = 64
    """So many requests in work it lets in even then."""
    connections_max: Count = 16_384
    """Clients' connections to one gateway process, at most half of the files it may open; more are answered 503."""

    admission_seconds: Seconds = 10.0
    """The longest that a request waits for the ledger before it is sent to a provider or refused."""
    connect_seconds: Seconds = 3.0
    """Time in which a connection to a provider must open, TLS included."""
    first_byte_seconds: Seconds = 120.0
    """Time in which a provider must begin a streamed answer, or show by a comment that it is alive."""
    plain_answer_seconds: Seconds = 600.0
    """The longest silence before and within a plain answer, which most providers send when all of it is made."""
    idle_seconds: Seconds = 60.0
    """The longest pause within a provider's streamed answer."""
    total_seconds: Seconds = 600.0
    """The longest that a chat request may take altogether."""
    keepalive_comment_seconds: Seconds = 15.0
    """On a stream that is silent this long, the client gets a comment."""
    sse_line_bytes_max: Size = 1 * MIB
    """The longest line of a provider's stream."""
    sse_event_bytes_max: Size = 4 * MIB
    """The largest event of a provider's stream."""
    answer_bytes_max: Size = 64 * MIB
    """The largest answer of a provider."""
    upstream_header_bytes_max: Size = 64 * KIB
    """The largest header of a provider's answer."""
    ca_file: str | None = None
    """File of certificate authorities for connections to providers; the default is the system's."""
    upstream_connections_max: Annotated[int, Field(ge=1, le=65_536)] = 4096
    """Connections of one gateway process to one channel; a channel may have a lower number."""
    upstream_idle_seconds: Seconds = 30.0
    """An idle connection to a provider is closed after this time."""
    retries_max: Annotated[int, Field(ge=0, le=10)] = 2
    """Further channels that are tried when one fails before its first byte."""
    retry_share: Share = 0.1
    """So many retries there may be for each request, so that failures do not make a flood; 0.1 is one for ten."""
    retries_per_second: Annotated[float, Field(ge=0, le=10_000)] = 10.0
    """So many retries a second each gateway process may make beside those, where there are few requests."""
    breaker: Literal["live", "all", "off"] = "live"
    """Which channels are shut for a while when they fail; else each request tries them, however often they failed. What
    fails on `test` channels is mostly asked for."""
    breaker_failures: Count = 5
    """After so many failures in a row by its own fault a channel is shut: nothing is sent to it but single probes. One
    after which no other serves the model is shut after four times as many."""
    breaker_failure_share: Share = 0.2
    """The same if this share of its requests failed in `YUANJING_BREAKER_WINDOW_SECONDS` and another one follows."""
    breaker_tries_min: Count = 20
    """So many requests have to have ended in that time for their share to count."""
    breaker_window_seconds: Seconds = 10.0
    """The time over which a channel's failures are counted."""
    breaker_pause_seconds: Seconds = 1.0
    """A channel that was shut is probed by one request after this time; a failed probe doubles it."""
    breaker_pause_seconds_max: Seconds = 4.0
    """The longest time between two probes of a channel that was shut."""
    refused_pause_seconds: Seconds = 10.0
    """The same as `YUANJING_BREAKER_PAUSE_SECONDS` after a provider refused our credential or our balance."""
    refused_pause_seconds_max: Seconds = 300.0
    """The longest time between two probes of such a channel."""
    adaptive_concurrency: bool = True
    """Whether fewer chats are sent to a channel at once while its first bytes take much longer than usual."""
    adaptive_concurrency_min: Count = 64
    """So many chats each gateway process may always have under way on a channel, by what it learns from its times."""
    adaptive_tolerance: Annotated[float, Field(ge=1.0, le=100.0)] = 3.0
    """A channel is too busy when its time to the first byte is so many times what is usual for it."""
    adaptive_answers_min: Count = 20
    """So many answers have to have begun for their times to count."""
    adaptive_window_seconds: Seconds = 1.0
    """The shortest time over which they are averaged."""
    upstream_stale_seconds: Seconds = 1.0
    """A kept connection that ends so soon after a request had been closed before it: the request is sent again."""
    drain_streams_max: Annotated[int, Field(ge=0, le=10_000)] = 64
    """Streams read to their end after their client left, in one gateway process."""
    drain_seconds: Seconds = 60.0
    """The longest that such a stream is read on."""
    shutdown_drain_seconds: Seconds = 120.0
    """The time that running requests have to finish when the platform is stopped."""

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return check_networks(value)

    @field_validator("welcome_test_grant", "lease_amount_max")
    @classmethod
    def _check_amount(cls, value: str) -> str:
        if not _AMOUNT.fullmatch(value):
            raise ValueError("write an amount of CNY such as 12.50")
        return value

    @field_validator("key_pepper", "encryption_key", "ca_file", "database_url", "s3_secret_access_key", mode="before")
    @classmethod
    def _empty_is_not_given(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, str) and not value.strip():
            return "" if info.field_name == "database_url" else None
        return value

    @field_validator("key_pepper", "encryption_key")
    @classmethod
    def _check_secret(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        parts = value.get_secret_value().split(",") if value else []
        if any(not re.fullmatch(r"\s*[0-9A-Fa-f]{64}\s*", part) for part in parts):
            raise ValueError("write 64 hexadecimal digits, for example from: openssl rand -hex 32")
        if len(parts) > 1 and info.field_name == "key_pepper":
            raise ValueError("write one pepper; keys that were made under another one cannot be checked")
        return value

    @field_validator("host", "sandbox_host")
    @classmethod
    def _check_host(cls, value: str) -> str:
        if not re.fullmatch(r"[^\s/\[\]]+", value):
            raise ValueError("write an address to listen on, or 0.0.0.0 for all")
        return value

    @field_validator("data", mode="before")
    @classmethod
    def _check_data(cls, value: object) -> object:
        if isinstance(value, str) and not value.strip():
            raise ValueError("write a folder")
        return value

    @field_validator("data")
    @classmethod
    def _make_absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("machine")
    @classmethod
    def _check_machine(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", value):
            raise ValueError("write a name of letters, digits, dots and dashes, at most 63")
        return value

    @field_validator("public_base_url")
    @classmethod
    def _check_public_base_url(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^\s/?#@]+", value):
            raise ValueError("write an address without a path, such as https://ai.example.com")
        return value

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, value: str) -> str:
        if value and not re.match(r"postgresql://|sqlite:///(?!:memory:)[^?#]", value):
            raise ValueError("write postgresql://user:password@host/name or sqlite:///file")
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        rising = (
            (
                "heartbeat_seconds",
                "heartbeat_fresh_seconds",
                "or the gateway would refuse between two heartbeats",
            ),
            ("heartbeat_fresh_seconds", "node_silent_seconds", "or two processes could spend the same lease"),
            ("first_byte_seconds", "total_seconds", "or no answer could ever begin as late as allowed"),
            ("total_seconds", "lease_ttl_seconds", "or a lease could be released under a running request"),
            ("sse_line_bytes_max", "sse_event_bytes_max", "or no event could hold the longest line"),
        )
        for low, high, reason in rising:
            if getattr(self, low) >= getattr(self, high):
                raise ValueError(f"{variable(low)} must be less than {variable(high)}, {reason}")
        if self.port and self.port == self.sandbox_port and self.host == self.sandbox_host:
            raise ValueError(f"{variable('port')} and {variable('sandbox_port')} must differ")
        return self

    @property
    def store_url(self) -> str:
        """`database_url`, or the SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{self.data / 'yuanjing.db'}"

    @property
    def is_database_shared(self) -> bool:
        """Whether other machines may use the same database."""
        return not self.store_url.startswith("sqlite")

    @property
    def is_production(self) -> bool:
        """Whether this installation serves real customers."""
        return self.mode is Mode.PRODUCTION

    @classmethod
    def load(cls, **overrides: object) -> "Settings":
        """Read the environment; `overrides` (from flags; None means not given) win.

        Raises:
            SettingsError: a value is not acceptable, or a `YUANJING_…` variable is no setting.
        """
        environment = os.environ  # noqa: TID251  # this module is the one that may
        lines = list(_unknown_variables(environment))
        given: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
        values: dict[str, Any] = {
            name: environment[variable(name)] for name in cls.model_fields if variable(name) in environment
        }
        try:
            settings = cls(**(values | given))
        except ValidationError as error:
            raise SettingsError([*lines, *(_explain(e, given) for e in error.errors())]) from None
        if lines:
            raise SettingsError(lines)
        return settings

    def to_json(self) -> str:
        """What was given, secrets included, from which `from_json` makes the same settings; never for a log."""
        given = self.model_dump(mode="json", include=self.model_fields_set)
        secrets = {name: getattr(self, name) for name in given}
        given |= {n: s.get_secret_value() for n, s in secrets.items() if isinstance(s, SecretStr)}
        return json.dumps(given)

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        """The settings of another process of ours."""
        return cls(**json.loads(text))


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def _unknown_variables(environment: Mapping[str, str]) -> Iterable[str]:
    known = [name.upper() for name in Settings.model_fields]
    for name in sorted(environment):
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in known:
            close = difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1)
            hint = f"did you mean {PREFIX}{close[0]}?" if close else "see docs/reference/settings.md"
            yield f"{name}: there is no such setting; {hint}"


def _explain(error: ErrorDetails, given: Mapping[str, object]) -> str:
    """One line about one wrong value; the value itself is left out, as it may be a secret."""
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return message
    name = str(error["loc"][0])
    source = f"--{name.replace('_', '-')}" if name in given else variable(name)
    field = Settings.model_fields.get(name)
    example = f" (default: {show_default(field.default)})" if field and field.default not in (None, "", ()) else ""
    return f"{source}: {message[:1].lower()}{message[1:]}{example}"


def show_default(value: object) -> str:
    """A default as one writes it into a variable."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType]  # only tuples of text are settings
    return str(value)
