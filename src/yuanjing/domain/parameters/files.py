"""The files of a request: which came for which role, and whether the offer takes them."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import cast

from yuanjing.domain.artifacts import IncomingFile
from yuanjing.domain.parameters.values import (
    Fields,
    MediaValue,
    given,
    invalid,
    is_empty,
    missing,
    unsupported,
)
from yuanjing.domain.tasks import MediaRole
from yuanjing.domain.video_offers import MediaRule, VideoModel, VideoSpec
from yuanjing.kit.text import has_many_items, is_storable

FileValue = str | IncomingFile
Files = Mapping[MediaRole, Sequence[FileValue]]
"""What came for each role; roles without files are not in it."""
RoleNames = Mapping[MediaRole, Sequence[str]]

FILES_MAX = 64
"""More files of one role are not looked at."""
_FRAMES_MAX = 2
_BASE64_SLACK = 1024
"""Characters that a text may have beside the file in it: the head of a `data:` URI, or an address."""


def find_files(fields: Fields, names: RoleNames) -> Files:
    """The files by role. A second first frame is the last frame, unless that has a field of its own.

    Raises:
        ParameterError: a value is no file, or there are too many.
    """
    found = {role: _values_of(fields, names.get(role, ())) for role in MediaRole}
    first, last = found[MediaRole.FIRST_FRAME], found[MediaRole.LAST_FRAME]
    if len(first) == _FRAMES_MAX and not last:
        found[MediaRole.FIRST_FRAME], found[MediaRole.LAST_FRAME] = first[:1], first[1:]
    return {role: values for role, values in found.items() if values}


def _values_of(fields: Fields, names: Sequence[str]) -> list[FileValue]:
    """The values of the first of these names that has any."""
    used, values = "", list[FileValue]()
    for name, value in given(fields, names):
        used = used or name
        if name != used:
            break
        for item in _flat(name, value):
            if len(values) == FILES_MAX:
                raise invalid(name, f"at most {FILES_MAX} files")
            if isinstance(item, IncomingFile):
                values.append(item)
            elif isinstance(item, str) and is_storable(item):
                values.append(item.strip())
            else:
                raise invalid(name, "a file, an http(s) address, a data: URI or base64")
    return values


def _flat(name: str, value: object) -> Iterator[object]:
    """The value, or the values in it if it is a list, also one that is written as JSON in a text."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        if has_many_items(value):
            raise invalid(name, f"at most {FILES_MAX} files")
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise invalid(name, "a list in JSON") from None
    items = cast("Sequence[object]", value) if isinstance(value, list | tuple) else (value,)
    yield from (item for item in items if not is_empty(item))


def check_files(spec: VideoSpec, model: VideoModel, files: Files, names: RoleNames) -> tuple[MediaValue, ...]:
    """The files in the order of roles, which is that of their numbers in prompts.

    Raises:
        ParameterError: one that the offer cannot take, one too many, or one that is missing.
    """
    for role in files:
        if spec.rule(role) is None:
            raise unsupported(next(iter(names.get(role, ())), role.value))
    for rule in spec.media:
        if rule.role not in files and _is_needed(rule, model, files):
            raise missing(rule.field)
    wanted = spec.needs_any_of
    if wanted and not any(role in files for role in wanted):
        raise missing(next(rule.field for rule in spec.media if rule.role is wanted[0]))
    return tuple(item for rule in spec.media for item in _checked(rule, files.get(rule.role, ())))


def _is_needed(rule: MediaRule, model: VideoModel, roles: Collection[MediaRole]) -> bool:
    """A last frame is nothing without a first one."""
    has_lonely_end = rule.role is MediaRole.FIRST_FRAME and MediaRole.LAST_FRAME in roles
    return rule.is_required or rule.role in model.required or has_lonely_end


def _checked(rule: MediaRule, values: Sequence[FileValue]) -> Iterator[MediaValue]:
    if len(values) > rule.count_max:
        raise invalid(rule.field, f"at most {rule.count_max} {'file' if rule.count_max == 1 else 'files'}")
    for value in values:
        if isinstance(value, str) and len(value) > rule.size_bytes_max * 2 + _BASE64_SLACK:
            raise invalid(rule.field, f"at most {rule.size_bytes_max} bytes")
        yield MediaValue(role=rule.role, field=rule.field, value=value)
