"""What the provider tells of a task."""

import datetime as dt

from yuanjing.adapters.providers.dashscope.options import UNKNOWN, DashscopeOptions
from yuanjing.domain.tasks import (
    Failure,
    FailureTable,
    TaskState,
    UpstreamTask,
    UpstreamUsage,
    VideoMeter,
    believable,
)
from yuanjing.kit import jsonvalues
from yuanjing.kit.jsonvalues import Fields
from yuanjing.kit.webcalls import quoted

_LIST_TIME = "%Y%m%d%H%M%S"


class DashscopeReader:
    """Reads answers about tasks."""

    def __init__(self, options: DashscopeOptions) -> None:
        self._options = options
        self._failures = FailureTable(options.failures)
        self._zone = dt.timezone(dt.timedelta(hours=options.utc_offset_hours))

    def task(self, fields: Fields, credential: str) -> UpstreamTask | None:
        """The task of a query; None if it has no id or no state.

        A failed task's reason stands in `output`, where an error of the call would stand outside.
        """
        output = jsonvalues.as_fields(fields.get("output"))
        task_id, word = jsonvalues.word(output, "task_id"), jsonvalues.word(output, "task_status")
        if not task_id or not word:
            return None
        state, is_known = self._state(word)
        failure = None
        if state is TaskState.FAILED:
            detail = quoted(jsonvalues.text(output, "message"), credential)
            failure = self._failures.failure(jsonvalues.word(output, "code"), detail)
        usage = jsonvalues.as_fields(fields.get("usage"))
        return UpstreamTask(
            upstream_task_id=task_id,
            state=state,
            word=word,
            is_word_known=is_known,
            video_url=jsonvalues.text(output, "video_url") or None,
            delivered_seconds=believable(jsonvalues.number(usage, "output_video_duration")),
            failure=failure,
            usage=_usage(usage),
            submitted_at=self._unix(output, "submit_time"),
            started_at=self._unix(output, "scheduled_time"),
            ended_at=self._unix(output, "end_time"),
            request_id=jsonvalues.word(fields, "request_id"),
        )

    def listed(self, item: Fields) -> UpstreamTask | None:
        """The task of a line of the list, which tells neither results nor reasons; None if it cannot be read."""
        task_id, word = jsonvalues.word(item, "task_id"), jsonvalues.word(item, "status")
        if not task_id or not word or word.upper() == UNKNOWN:
            return None
        state, is_known = self._state(word)
        return UpstreamTask(
            upstream_task_id=task_id,
            state=state,
            word=word,
            is_word_known=is_known,
            has_results=False,
            model=jsonvalues.word(item, "model_name"),
            failure=self._failures.failure("") if state is TaskState.FAILED else None,
            submitted_at=_millis(item, "gmt_create"),
            started_at=_millis(item, "start_time"),
            ended_at=_millis(item, "end_time"),
            request_id=jsonvalues.word(item, "request_id"),
        )

    def refusal(self, status: int, fields: Fields, credential: str, *, is_submission: bool) -> Failure:
        """What an HTTP error means."""
        code = jsonvalues.word(fields, "code")
        detail = quoted(jsonvalues.text(fields, "message"), credential)
        if code == "InvalidParameter" and detail.startswith("Model not exist"):
            code = "ModelNotFound"  # an unknown model is told as a bad parameter, of which the customer is innocent
        return self._failures.refusal(status, code, detail, is_submission=is_submission)

    def list_time(self, unix: float) -> str:
        """A time as the list's query wants it."""
        return dt.datetime.fromtimestamp(unix, self._zone).strftime(_LIST_TIME)

    def _state(self, word: str) -> tuple[TaskState, bool]:
        known = self._options.states.get(word.lower())
        return known or TaskState.RUNNING, known is not None

    def _unix(self, fields: Fields, name: str) -> float | None:
        """A time without a zone mark."""
        try:
            at = dt.datetime.fromisoformat(jsonvalues.text(fields, name))
            return (at if at.tzinfo else at.replace(tzinfo=self._zone)).timestamp()
        except (ValueError, OverflowError):
            return None


def _usage(fields: Fields) -> UpstreamUsage | None:
    """What is billed is `duration`: the seconds of the input's videos and of the output's."""
    seconds = believable(jsonvalues.number(fields, "duration"))
    if seconds is None:
        return None
    names = ("duration", "input_video_duration", "output_video_duration", "video_count", "SR", "ratio", "size")
    details = jsonvalues.scalars(fields, *names)
    return UpstreamUsage(meters={VideoMeter.VIDEO_SECONDS: seconds}, details=details)


def _millis(fields: Fields, name: str) -> float | None:
    value = jsonvalues.number(fields, name)
    return float(value) / 1000 if value else None
