"""What customers send for a video, made into a request of the offer that runs.

An offer's parameter spec is a JSON Schema (2020-12) with `x-` hints, catalogue data. It decides alone what is accepted;
the code here only knows how values are written. See docs/reference/catalog.md for the hints.
"""

from yuanjing.domain.parameters.resolving import ResolvedVideo, resolve_video
from yuanjing.domain.parameters.values import Fields, MediaValue, ParameterError

__all__ = ["Fields", "MediaValue", "ParameterError", "ResolvedVideo", "resolve_video"]
