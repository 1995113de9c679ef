"""What an offer demands of files, against what they are; each refusal names the limit."""
# ruff: noqa: RUF001  # the sign of multiplication is meant

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from yuanjing.domain.artifacts import HEIC, MediaFacts
from yuanjing.domain.parameters import ParameterError
from yuanjing.domain.parameters.values import invalid
from yuanjing.domain.tasks import MediaRole
from yuanjing.domain.video_offers import MediaRule, VideoSpec


def check_size(rule: MediaRule, field: str, size_bytes: int) -> None:
    """Of one file, before anything else is looked at.

    Raises:
        ParameterError: it is empty or too large.
    """
    if not size_bytes:
        raise invalid(field, "the file is empty")
    if size_bytes > rule.size_bytes_max:
        raise invalid(field, f"the file has {size_bytes} bytes, at most {rule.size_bytes_max} are taken")


def check_type(rule: MediaRule, field: str, media_type: str) -> None:
    """Of one file; HEIC is as good as JPEG, which we make of it.

    Raises:
        ParameterError: the provider does not read it.
    """
    if ("image/jpeg" if media_type == HEIC else media_type) not in rule.media_types:
        raise invalid(field, f"the file is {media_type}; taken are {', '.join(rule.media_types)}")


def check_facts(rule: MediaRule, field: str, facts: MediaFacts) -> None:
    """Of one file as the provider will get it.

    Raises:
        ParameterError: one of the rule's bounds is crossed.
    """
    check_size(rule, field, facts.size_bytes)
    check_type(rule, field, facts.media_type)
    problem = _pixel_problem(rule, facts) or _length_problem(rule, facts.seconds)
    if problem:
        raise invalid(field, problem)


def _pixel_problem(rule: MediaRule, facts: MediaFacts) -> str:
    if facts.width is None or facts.height is None:
        return ""
    subject = "picture" if facts.seconds is None else "video"
    said = f"the {subject} is {facts.width} × {facts.height} pixels"
    if rule.side_min is not None and min(facts.width, facts.height) < rule.side_min:
        return f"{said}, the shorter side must be at least {rule.side_min}"
    if rule.side_max is not None and max(facts.width, facts.height) > rule.side_max:
        return f"{said}, the longer side must be at most {rule.side_max}"
    aspect = Decimal(facts.width) / facts.height
    if rule.aspect_min is not None and aspect < rule.aspect_min:
        return f"{said}, its width divided by its height must be at least {rule.aspect_min}"
    if rule.aspect_max is not None and aspect > rule.aspect_max:
        return f"{said}, its width divided by its height must be at most {rule.aspect_max}"
    return ""


def _length_problem(rule: MediaRule, seconds: Decimal | None) -> str:
    if seconds is None:
        return ""
    if rule.seconds_min is not None and seconds < rule.seconds_min:
        return f"the file lasts {seconds} s, it must be at least {rule.seconds_min} s"
    if rule.seconds_max is not None and seconds > rule.seconds_max:
        return f"the file lasts {seconds} s, it must be at most {rule.seconds_max} s"
    return ""


def check_together(spec: VideoSpec, files: Iterable[tuple[MediaRole, Decimal | None]]) -> None:
    """Of all files: how many of each role, and how long they are together.

    Raises:
        ParameterError: too many, too long, or of a role that the offer has no use for.
    """
    lengths: defaultdict[MediaRole, list[Decimal]] = defaultdict(list)
    for role, seconds in files:
        lengths[role].append(seconds or Decimal(0))
    for role, found in lengths.items():
        rule = spec.rule(role)
        if rule is None:
            raise ParameterError("unsupported_parameter", f"Unsupported parameter: {role.value}", param=role.value)
        if len(found) > rule.count_max:
            raise invalid(rule.field, f"there are {len(found)} files, at most {rule.count_max} are taken")
        if rule.seconds_total_max is not None and sum(found) > rule.seconds_total_max:
            raise invalid(
                rule.field, f"the files last {sum(found)} s together, at most {rule.seconds_total_max} s are taken"
            )
