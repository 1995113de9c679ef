"""The body of a submission."""

from yuanjing.adapters.providers.dashscope.options import DashscopeOptions, MediaForm
from yuanjing.domain.tasks import MediaRole, Submission, unsendable
from yuanjing.kit.jsonvalues import Fields

OSS = "oss://"
ADAPTIVE = "adaptive"
_FRAMES = frozenset({MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME})


def body_of(submission: Submission, form: MediaForm, options: DashscopeOptions) -> Fields:
    """The provider's request.

    The watermark is always told, since its default differs between the models, and costs nothing. A ratio is told only
    where it is a choice: `adaptive` is not known, and a video from a first frame follows it.

    Raises:
        UpstreamError: a file cannot be given in this form; nothing has been sent.
    """
    inputs: Fields = {}
    if submission.prompt:
        inputs["prompt"] = submission.prompt
    if submission.negative_prompt:
        inputs["negative_prompt"] = submission.negative_prompt
    _put_media(inputs, submission, form)
    follows_frame = any(one.role in _FRAMES for one in submission.media)
    has_ratio = submission.ratio not in {None, ADAPTIVE} and not follows_frame
    size = submission.size
    given = {
        "resolution": submission.resolution.upper() if submission.resolution else None,
        "size": f"{size.width}*{size.height}" if size else None,
        "ratio": submission.ratio if has_ratio else None,
        "duration": submission.duration_seconds,
        "audio": submission.audio,
        "seed": submission.seed,
        "watermark": submission.watermark,
    }
    parameters: Fields = {name: value for name, value in given.items() if value is not None}
    for name, value in submission.extras.items():
        (inputs if name in options.input_extras else parameters).setdefault(name, value)
    return {"model": submission.model, "input": inputs, "parameters": parameters}


def uses_uploads(submission: Submission) -> bool:
    """Whether a file is given by the address of an upload, which a header has to announce."""
    values = [one.url for one in submission.media] + [v for v in submission.extras.values() if isinstance(v, str)]
    return any(value.startswith(OSS) for value in values)


def _put_media(inputs: Fields, submission: Submission, form: MediaForm) -> None:
    lists: dict[str, list[object]] = {}
    for one in submission.media:
        place = form.fields.get(one.role)
        if place is None:
            raise unsendable(f"no place for {one.role.value} in the form {submission.form or 'media'}")
        name, is_list, kind = place.partition("[]")
        if not is_list and name in inputs:
            raise unsendable(f"two files for {name}")
        if not is_list:
            inputs[name] = one.url
        elif kind:
            lists.setdefault(name, []).append({"type": kind.removeprefix("."), "url": one.url})
        else:
            lists.setdefault(name, []).append(one.url)
    inputs.update(lists)
