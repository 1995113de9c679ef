"""The task engine: video tasks from their rows to their end, through providers that may fail in every way."""

from yuanjing.worker.video.counters import VideoCounters
from yuanjing.worker.video.directory import VideoChannel, VideoDirectory, VideoSource
from yuanjing.worker.video.engine import VideoEngine
from yuanjing.worker.video.options import VideoOptions
from yuanjing.worker.video.parts import VideoParts

__all__ = [
    "VideoChannel",
    "VideoCounters",
    "VideoDirectory",
    "VideoEngine",
    "VideoOptions",
    "VideoParts",
    "VideoSource",
]
