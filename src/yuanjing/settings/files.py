"""The settings of files: where they are kept, how large they may be, how they are fetched and given out."""

import re
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr, field_validator

from yuanjing.settings.kinds import KIB, MIB, Count, Days, Seconds, Size, Words, check_networks


class FileSettings(BaseModel):
    """A part of `Settings`."""

    artifacts_url: str = ""
    """Where the files of tasks are kept: `s3://bucket/folder`, or a folder; the default is `artifacts` in `data`."""
    s3_endpoint: str = ""
    """Address of an S3-compatible service, such as `https://oss-cn-beijing.aliyuncs.com`; the default is Amazon's."""
    s3_region: str = "us-east-1"
    """Region that requests to S3 are signed for."""
    s3_access_key_id: str = ""
    """The account at S3; without it, the machine's own role is asked for."""
    s3_secret_access_key: SecretStr | None = None
    """The secret of that account."""
    s3_path_style: bool = False
    """Whether the bucket's name is part of the path instead of the host's name, as small S3 servers want it."""
    s3_check_seconds: Seconds = 30.0
    """How long a file that S3 took proves that it takes more; later one byte is written before a video is taken."""
    disk_reserve_bytes: Size = 1024 * MIB
    """Space that stays free on the disks of `data` and of files; below it videos are refused."""
    result_days: Days = 7
    """Days for which videos and covers are kept after their task has ended."""
    input_days: Days = 2
    """Days for which the files that a task used are kept after its end."""
    orphan_days: Days = 2
    """Files that no task knows of, left by a crash, are removed after so many days."""
    task_days: Days = 180
    """Days after the end of a video task until its prompt, its addresses and its history are forgotten."""
    deleted_task_days: Days = 7
    """The same after its customer has deleted it. Charges and what explains them stay in both cases."""

    idfile_signed: bool = False
    """Whether links to files are signed and end after `idfile_seconds`; otherwise whoever knows a link may use it."""
    idfile_seconds: Annotated[int, Field(ge=60, le=30 * 86_400)] = 3 * 86_400
    """How long a signed link lives; longer than a provider may take to fetch a file."""
    idfile_redirect: bool = False
    """Whether files in S3 are given out by a redirect to S3 itself instead of through the platform."""
    idfile_chunk_bytes: Annotated[int, Field(ge=4 * KIB, le=16 * MIB)] = 128 * KIB
    """Pieces in which files are read and sent; each download under way holds about two of them."""

    upload_request_bytes_max: Size = 256 * MIB
    """The largest request with files, all of them together."""
    upload_file_bytes_max: Size = 100 * MIB
    """The largest uploaded or fetched file, whatever a model's own limit is."""
    upload_text_bytes_max: Size = 32 * MIB
    """The largest JSON body, or all text of a form together; both may hold files as Base64."""
    upload_parts_max: Annotated[int, Field(ge=1, le=10_000)] = 128
    """The most parts or fields of a form."""

    media_workers: Annotated[int, Field(ge=1, le=64)] = 2
    """Processes of each gateway and worker process that measure pictures, clips and sound; started when needed."""
    media_queue_max: Count = 256
    """Files that wait for them at most; more are answered 503."""
    media_seconds: Seconds = 30.0
    """The longest that one file may take them."""
    media_wait_seconds: Seconds = 90.0
    """The longest that a file of a request may wait for its turn and be measured; then the request is answered 503."""
    media_memory_bytes_max: Size = 1536 * MIB
    """Address space that such a process may take, its programs included."""
    media_pixels_max: Annotated[int, Field(ge=1, le=500_000_000)] = 50_000_000
    """The largest picture."""

    fetch_allowed_networks: Words = ()
    """Networks of your own, separated by commas, from which customers and providers may have files fetched."""
    fetch_seconds: Seconds = 60.0
    """The longest that fetching a customer's file may take."""
    fetch_idle_seconds: Seconds = 15.0
    """The longest that a fetch waits for a connection, or for the next piece."""
    fetch_redirects_max: Annotated[int, Field(ge=0, le=10)] = 3
    """How many redirects are followed, each checked like the first address."""
    result_bytes_max: Size = 2048 * MIB
    """The largest video that is taken from a provider."""
    result_seconds: Seconds = 900.0
    """The longest that fetching a video from a provider may take."""
    inline_bytes_max: Annotated[int, Field(ge=0, le=64 * MIB)] = 10 * MIB
    """Files of one task that may be sent within the request to the provider, in bytes together."""

    @field_validator("fetch_allowed_networks")
    @classmethod
    def _check_fetch_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return check_networks(value)

    @field_validator("artifacts_url")
    @classmethod
    def _check_artifacts_url(cls, value: str) -> str:
        value = value.strip()
        if "://" in value and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w.-]+)*/?", value):
            raise ValueError("write s3://bucket/folder, or a folder of this machine")
        return value

    @field_validator("s3_endpoint")
    @classmethod
    def _check_s3_endpoint(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^\s/?#@]+/?", value):
            raise ValueError("write an address without a path, such as https://s3.example.com")
        return value.rstrip("/")
