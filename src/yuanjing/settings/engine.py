"""The settings of the task engine, which works on videos in the worker."""

from typing import Annotated

from pydantic import BaseModel, Field

from yuanjing.settings.kinds import Count, Seconds

_Few = Annotated[int, Field(ge=1, le=1000)]


class EngineSettings(BaseModel):
    """A part of `Settings`."""

    video_claim_seconds: Annotated[float, Field(ge=3, le=3600)] = 30.0
    """A video task that its worker does not show to be in work for this time goes on with another worker."""
    video_look_seconds: Seconds = 0.25
    """Pause of the worker between two looks for video tasks that are due, unless it knows that there are some."""
    video_look_seconds_min: Seconds = 0.05
    """The shortest such pause."""
    video_refresh_seconds: Seconds = 5.0
    """How soon the worker notices changes of channels and offers of video."""
    video_submits_max: _Few = 32
    """Video tasks that one worker sends to providers at once, their files included."""
    video_calls_max: _Few = 32
    """Questions to video providers that one worker has open at once."""
    video_polls_max: Count = 2000
    """Video tasks that one worker asks for at once; providers with lists answer many with one question."""
    video_copies_max: _Few = 16
    """Results that one worker copies at once."""
    video_call_seconds: Annotated[float, Field(ge=20, le=3600)] = 90.0
    """The longest that one call to a video provider may take."""
    video_wait_seconds: Seconds = 14_400.0
    """A video task that no channel took for this time, whatever refused it, has failed; nothing is charged."""
    video_ahead_seconds_max: Annotated[float, Field(ge=60)] = 900.0
    """A video task that is to be looked at later than in this time was put off by a clock that was ahead, and is looked
    at within a minute; it must be above any `poll_max_seconds` of a provider."""
    video_retry_seconds_max: Seconds = 60.0
    """The longest pause between two attempts to have a task taken, unless the provider asks for a longer one."""
    video_avoid_seconds: Seconds = 30.0
    """A channel without money or with a wrong credential gets no tasks for this time at first, later for longer; where
    only a model is not open to us, none of that model. Then one task shows if they are taken again."""
    video_copy_seconds: Seconds = 7200.0
    """For this time after its end a result is tried to be copied; then it has failed, and nothing is charged."""
    video_stop_seconds: Annotated[float, Field(ge=0, le=9)] = 8.0
    """The time that work on videos has to finish when the worker is stopped; what is cut off goes on later."""
