"""The values exchanged with providers, and the decisions on them."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yuanjing.domain.tasks import (
    TEXTS,
    Failure,
    FailureKind,
    FailureRule,
    FailureTable,
    MediaInput,
    MediaRole,
    SearchResult,
    Size,
    Submission,
    TaskState,
    UpstreamError,
    UpstreamTask,
    UpstreamUsage,
    VideoMeter,
    believable,
    is_undecided,
    no_answer,
    unsendable,
)
from yuanjing.domain.usage import COUNT_MAX

MODERATED = FailureRule(kind=FailureKind.MODERATED, text="No.")
INVALID = FailureRule(kind=FailureKind.INVALID_INPUT)
TABLE = FailureTable({"Throttling": MODERATED, "Throttling.Odd": INVALID, "Image*": INVALID, "ImageCheck*": MODERATED})


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("Throttling", MODERATED),
        ("THROTTLING", MODERATED),
        ("Throttling.RateQuota", MODERATED),
        ("Throttling.RateQuota.Deep", MODERATED),
        ("Throttling.Odd", INVALID),
        ("throttling.odd.deep", INVALID),
        ("Throttlings", None),
        ("", None),
        (".", None),
        ("ImageX", INVALID),
        ("ImageCheckY", MODERATED),
        ("imagecheck", MODERATED),
    ],
)
def test_codes_stand_for_those_below_them(code, rule):
    assert TABLE.find(code) is rule


def test_stems_are_cut_by_one_letter_and_the_longest_counts():
    for order in (["Ab*", "Abc*", "Abcd*"], ["Abcd*", "Abc*", "Ab*"]):
        rules = {code: FailureRule(kind=FailureKind.UNAVAILABLE, text=code) for code in order}
        found = {code: FailureTable(rules).find(code) for code in ("a", "ab", "abc", "abcx", "abcd")}
        wanted = {"a": None, "ab": "Ab*", "abc": "Abc*", "abcx": "Abc*", "abcd": "Abcd*"}
        assert {code: rule and rule.text for code, rule in found.items()} == wanted


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (399, FailureKind.UNAVAILABLE),
        (400, FailureKind.INVALID_INPUT),
        (401, FailureKind.PROVIDER_AUTH),
        (422, FailureKind.INVALID_INPUT),
        (500, FailureKind.UNAVAILABLE),
    ],
)
def test_a_status_without_a_code_of_the_table_says_whose_fault_it_was(status, kind):
    assert TABLE.refusal(status, "").kind is kind


@pytest.mark.parametrize("kind", FailureKind)
def test_only_what_passes_by_itself_is_worth_retrying(kind):
    is_worth = Failure(kind=kind, text="").is_worth_retrying
    assert is_worth is (kind in (FailureKind.RATE_LIMITED, FailureKind.UNAVAILABLE))


def test_a_size_has_pixels():
    Size(width=1, height=1)
    for width, height in ((0, 1), (1, 0), (-1, 1), (1, -1)):
        with pytest.raises(AssertionError):
            Size(width=width, height=height)


@settings(deadline=None, max_examples=60)
@given(code=st.text(), status=st.integers(300, 599), is_submission=st.booleans(), detail=st.text())
def test_every_refusal_has_a_kind_and_a_neutral_text(code, status, is_submission, detail):
    failure = TABLE.refusal(status, code, detail, is_submission=is_submission)
    assert failure.text in {"No.", *TEXTS.values()}
    assert (failure.code, failure.detail, failure.status) == (code, detail, status)
    is_unknown = failure.kind is FailureKind.UNKNOWN_OUTCOME
    assert is_unknown == (is_submission and is_undecided(status))


@settings(deadline=None, max_examples=60)
@given(status=st.integers(100, 999))
def test_no_server_error_ever_counts_as_a_refusal(status):
    assert is_undecided(status) or 300 <= status < 500


def test_nobodys_404_does_not_make_a_task_disappear():
    assert TABLE.refusal(404, "").kind is FailureKind.UNAVAILABLE
    assert TABLE.refusal(404, "Throttling").kind is FailureKind.NOT_FOUND
    assert TABLE.refusal(404, "", is_submission=True).kind is FailureKind.NOT_FOUND


@pytest.mark.parametrize("was_sent", [True, False])
@pytest.mark.parametrize("is_submission", [True, False])
def test_only_a_sent_submission_is_unknown(was_sent, is_submission):
    failure = no_answer(was_sent=was_sent, is_submission=is_submission, detail="ReadTimeout")
    is_unknown = was_sent and is_submission
    assert failure.kind is (FailureKind.UNKNOWN_OUTCOME if is_unknown else FailureKind.UNAVAILABLE)
    assert failure.is_worth_retrying is not is_unknown
    assert failure.status is None


def test_every_kind_has_a_text_that_tells_nothing_of_our_account():
    assert set(TEXTS) == set(FailureKind)
    for text in TEXTS.values():
        assert not any(word in text.lower() for word in ("balance", "credit", "key", "account", "quota"))


def test_an_error_shows_the_customers_text_only():
    failure = Failure(kind=FailureKind.PROVIDER_BALANCE, text="Later", code="Arrearage", detail="no money")
    error = UpstreamError(failure, request_id="r")
    assert (str(error), error.message, error.kind, error.code) == ("Later", "Later", failure.kind, "upstream_failed")
    assert unsendable("a reason").failure.detail == "a reason"


@settings(deadline=None, max_examples=60)
@given(count=st.decimals() | st.none())
def test_counts_are_believed_within_reason(count):
    believed = believable(count)
    if believed is None:
        assert count is None or not count.is_finite() or count < 0
    else:
        assert 0 <= believed <= COUNT_MAX
        assert UpstreamUsage(meters={VideoMeter.VIDEO_SECONDS: believed})


@pytest.mark.parametrize("count", [Decimal(-1), Decimal(COUNT_MAX + 1)])
def test_usage_holds_no_nonsense(count):
    with pytest.raises(AssertionError):
        UpstreamUsage(meters={VideoMeter.VIDEO_TOKENS: count})


@pytest.mark.parametrize("submission_id", ["", "a b", "ä", "x" * 65, "a\n", "a/b"])
def test_our_ids_fit_into_every_protocol(submission_id):
    with pytest.raises(AssertionError):
        Submission(id=submission_id, model="m")


def test_what_is_printed_of_a_file_is_short():
    one = MediaInput(role=MediaRole.FIRST_FRAME, url="data:image/png;base64," + "A" * 10_000)
    assert len(repr(Submission(id="t", model="m", media=(one,)))) < 1000


def task(task_id, state=TaskState.RUNNING, failure=None):
    return UpstreamTask(upstream_task_id=task_id, state=state, word="w", failure=failure)


def test_a_failed_task_has_a_reason_and_no_other_has():
    reason = Failure(kind=FailureKind.MODERATED, text="No.")
    assert task("1", TaskState.FAILED, reason).failure is reason
    for state, failure in ((TaskState.FAILED, None), (TaskState.EXPIRED, reason), (TaskState.RUNNING, reason)):
        with pytest.raises(AssertionError):
            task("1", state, failure)


@settings(deadline=None, max_examples=60)
@given(
    ids=st.lists(st.sampled_from("abcd"), unique=True),
    claimed=st.sets(st.sampled_from("abcd")),
    rivals=st.integers(0, 2),
    is_exact=st.booleans(),
    is_complete=st.booleans(),
)
def test_a_task_is_adopted_only_without_a_doubt(ids, claimed, rivals, is_exact, is_complete):
    found = SearchResult(tasks=tuple(map(task, ids)), is_exact=is_exact, is_complete=is_complete)
    adopted = found.adoptable(is_claimed=claimed.__contains__, rivals=rivals)
    free = [one for one in ids if one not in claimed]
    is_sure = len(free) == 1 and (is_exact or (is_complete and rivals == 0))
    assert (adopted.upstream_task_id if adopted else None) == (free[0] if is_sure else None)


def test_a_failed_task_without_a_rule_says_no_more_than_that():
    known, unknown = TABLE.failure("Throttling", "slow down"), TABLE.failure("Whatever")
    assert (known.kind, known.code, known.detail) == (FailureKind.MODERATED, "Throttling", "slow down")
    assert (unknown.kind, unknown.code) == (FailureKind.UNAVAILABLE, "Whatever")
