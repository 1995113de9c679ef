"""What must be true when all is quiet again, by the load's, the providers' and the accountant's own reckoning."""

import hashlib
import re
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from tests.kills.client import Seen
from tests.kills.reader import Reader
from tests.kills.videos import SeenVideos, told_charge, video_charge
from tests.kills.wishes import wish_of

_LOOK_SECONDS = 0.5
_LOOKS = 4
_CALL = re.compile(r"op-(\d+)-call-(\d+)")
_PARTIAL = {"interrupted", "client_gone", "upstream_broke"}
_USAGES = (
    "SELECT id, charge_nanos, overrun_nanos, late_shortfall_nanos, ceiling_nanos, status, upstream_request_id,"
    " CASE WHEN is_estimated THEN 1 ELSE 0 END, CASE WHEN is_stream THEN 1 ELSE 0 END"
    " FROM usages WHERE operation = 'chat'"
)
_SPENT = "SELECT customer_id, SUM(charge_nanos - late_shortfall_nanos) FROM usages GROUP BY customer_id"
_ENTRIES = (
    "SELECT e.account, SUM(e.amount_nanos), MIN(e.balance_after_nanos), COUNT(*), MAX(e.version), MAX(a.balance_nanos)"
    " FROM entries e JOIN accounts a ON a.book = e.book AND a.name = e.account"
    " WHERE e.book = 'live' AND e.account LIKE 'customer:%' GROUP BY e.account"
)
_BROKEN_CHAINS = (
    "SELECT COUNT(*) FROM entries e JOIN entries p ON p.book = e.book AND p.account = e.account"
    " AND p.version = e.version - 1 WHERE p.balance_after_nanos <> e.balance_before_nanos"
)
_TASKS = "SELECT id, state, step, charge_nanos, ceiling_nanos, hold_id, request FROM tasks"
_RESOLVED = (
    "SELECT hold_id, reason, amount_nanos FROM transfers WHERE hold_id IN (SELECT hold_id FROM tasks)"
    " AND reason IN ('settle', 'release')"
)
_VIDEO = re.compile(r"video-(\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Usage:
    """One posted record; what the provider counted itself is whole, whether or not its client was still there."""

    id: str
    charge: int
    is_whole: bool
    call: int
    shortfall: int


class Books:
    """Gathers what is wrong, in words; at most some of each kind."""

    def __init__(self, reader: Reader, *, seed: int) -> None:
        self.wrong: list[str] = []
        self.figures: dict[str, object] = {}
        self._reader = reader
        self._seed = seed

    def _expect(self, is_right: bool, words: str) -> None:  # noqa: FBT001  # reads as an assertion
        if not is_right and len(self.wrong) < 50:
            self.wrong.append(words)

    def wait_until_quiet(self, seconds: float) -> None:
        """Until nothing is held, and nothing is posted for a while."""
        end = time.monotonic() + seconds
        seen: list[int] = []
        while len(seen) < _LOOKS:
            if time.monotonic() > end:
                self.wrong.append(f"not quiet after {seconds:.0f} s: {seen} holds and usages")
                return
            now = self._reader.numbers(
                "SELECT (SELECT COUNT(*) FROM holds WHERE closed_at IS NULL), (SELECT COUNT(*) FROM usages)"
            )
            seen = [*seen, now[1]] if not now[0] and now[1:] == seen[-1:] else now[1:] if not now[0] else []
            time.sleep(_LOOK_SECONDS)

    def check_chats(self, seen: Seen, calls: Mapping[str, int]) -> None:
        """Each whole answer is charged once and right; nothing is charged that no provider was asked for."""
        by_operation = self._usages(calls)
        for operation, (usage_id, call, charge) in seen.whole.items():
            its = [one for one in by_operation.get(operation, ()) if one.is_whole or one.id == usage_id]
            expected = [(usage_id, call, charge)]
            found = [(one.id, one.call, one.charge) for one in its]
            self._expect(found == expected, f"op-{operation} was answered by {expected} and is charged {found}")
            is_short = operation not in seen.replayed and any(one.shortfall for one in its)
            self._expect(not is_short, f"op-{operation} was acknowledged without money: {its}")
        unanswered = by_operation.keys() - seen.whole.keys()
        for operation in unanswered:
            whole = [one for one in by_operation[operation] if one.is_whole]
            self._expect(
                len(whole) <= (operation not in seen.refused), f"op-{operation} was not answered, and charged {whole}"
            )
        self.figures["charged and not answered"] = len(unanswered)
        self._check_names(seen)

    def _usages(self, calls: Mapping[str, int]) -> dict[int, list[_Usage]]:
        """The posted usage records of chats by operation; each belongs to one call of the provider."""
        found: defaultdict[int, list[_Usage]] = defaultdict(list)
        statuses: Counter[str] = Counter()
        charged_calls: set[str] = set()
        shortfall = 0
        for row in self._reader.rows(_USAGES):
            usage_id, charge, overrun, short, ceiling, status, call_id, is_estimated, is_stream = row
            statuses[status] += 1
            shortfall += int(short)
            call = _CALL.fullmatch(call_id)
            if call is None:  # the client left before the answer's head: by our rules it pays for its input
                its = (call_id, status, is_estimated, is_stream)
                self._expect(its == ("", "client_gone", "1", "0"), f"usage {usage_id} is of no call: {its}")
                continue
            operation = int(call[1])
            self._expect(call_id not in charged_calls, f"{call_id} is charged twice")
            charged_calls.add(call_id)
            self._expect(int(call[2]) <= calls.get(call[1], 0), f"{call_id} is charged and was never called")
            self._expect(overrun == "0", f"usage {usage_id} has an overrun of {overrun}")
            self._expect(int(charge) <= int(ceiling), f"usage {usage_id} costs {charge}, more than {ceiling}")
            is_whole = is_estimated == "0"
            self._expect(is_whole == (status == "completed") or status in _PARTIAL, f"usage {usage_id} is {status}")
            if is_whole:
                most = wish_of(operation, self._seed).charge_nanos
                self._expect(int(charge) <= most, f"op-{operation} costs {charge}, more than {most}")
            found[operation].append(
                _Usage(id=usage_id, charge=int(charge), is_whole=is_whole, call=int(call[2]), shortfall=int(short))
            )
        self.figures |= {"usages": dict(statuses), "late shortfall": shortfall}
        self.figures["calls"] = sum(calls.values())
        self.figures["calls not charged"] = sum(calls.values()) - len(charged_calls)
        return found

    def _check_names(self, seen: Seen) -> None:
        """The name of each answered request stands for its answer."""
        digest = self._reader.hex_of % "digest"
        rows = self._reader.rows(f"SELECT {digest}, usage_id FROM idempotency_keys WHERE is_done AND task_id IS NULL")  # noqa: S608  # our own words
        kept = {row[0]: row[1] for row in rows}
        for operation, (usage_id, _, _) in seen.whole.items():
            name = hashlib.sha256(b"op-%d" % operation).hexdigest()
            self._expect(kept.get(name) == usage_id, f"op-{operation}: its name stands for {kept.get(name)}")

    def check_money(self, granted: Mapping[str, int]) -> None:
        """Nobody was ever below zero; what is left is what was given less what was charged; nothing is held."""
        self._expect(self._reader.numbers(_BROKEN_CHAINS) == [0], "entries do not follow on one another")
        spent = {row[0]: int(row[1]) for row in self._reader.rows(_SPENT)}
        left: Counter[str] = Counter()
        for account, total, least, count, version, balance in self._reader.rows(_ENTRIES):
            _, customer, kind = account.split(":")
            self._expect(int(least) >= 0, f"{account} was at {least}")
            self._expect(total == balance and count == version, f"{account}: {total} in {count} entries, not {balance}")
            self._expect(kind != "held" or balance == "0", f"{account} holds {balance}")
            left[customer] += int(balance)
        for customer, amount in granted.items():
            expected = amount - spent.get(customer, 0)
            self._expect(left[customer] == expected, f"{customer} has {left[customer]}, not {expected}")
        (total,) = self._reader.numbers("SELECT SUM(balance_nanos) FROM accounts WHERE book = 'live'")
        self._expect(total == 0, f"all accounts together are {total}")
        self.figures["least that anybody has"] = min(left[customer] for customer in granted)

    def check_budgets(self, budgets: Mapping[str, int]) -> None:
        """No key has spent more than it may; keys by their public ids."""
        for public_id, amount in budgets.items():
            (spent,) = self._reader.numbers(
                "SELECT COALESCE(SUM(charge_nanos), 0) FROM usages WHERE key_id = "  # noqa: S608  # our own words
                f"(SELECT id FROM api_keys WHERE public_id = '{public_id}')"
            )
            self._expect(0 < spent <= amount, f"key {public_id} has spent {spent} of {amount}")

    def check_videos(self, seen: SeenVideos, submissions: Mapping[str, int]) -> None:
        """Each task was made once, sent at most once, and ended in exactly one settle or one release."""
        resolved: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        for hold_id, reason, amount in self._reader.rows(_RESOLVED):
            resolved[hold_id].append((reason, int(amount)))
        by_video: defaultdict[int, list[str]] = defaultdict(list)
        states: Counter[str] = Counter()
        for task_id, state, step, charge, ceiling, hold_id, request in self._reader.rows(_TASKS):
            number = int(_VIDEO.findall(request)[0])
            by_video[number].append(task_id)
            states[state] += 1
            self._expect(step == "done", f"task {task_id} stands at {step}")
            settled = [("settle", int(charge))] if int(charge) < int(ceiling) else [("settle", int(ceiling))]
            rest = [("release", int(ceiling) - int(charge))] if int(charge) < int(ceiling) else []
            right = [*settled, *rest] if state == "succeeded" else [("release", int(ceiling))]
            its = sorted(resolved[hold_id], reverse=True)
            self._expect(its == right, f"task {task_id} is {state}, its hold ended in {its}, not {right}")
            self._check_video(number, seen, task_id, (state, int(charge)))
        for number, task_id in seen.tasks.items():
            self._expect(by_video[number] == [task_id], f"video-{number} is {task_id}, there are {by_video[number]}")
        twice = {name: count for name, count in submissions.items() if count > 1}
        self._expect(not twice, f"sent to the provider more than once: {twice}")
        self.figures |= {"tasks": dict(states), "submissions": sum(submissions.values())}

    def _check_video(self, number: int, seen: SeenVideos, task_id: str, found: tuple[str, int]) -> None:
        told = seen.ended.get(number)
        if told is None:
            self._expect(False, f"video-{number}, task {task_id}, was never told to have ended")  # noqa: FBT003  # see there
            return
        expected = ("succeeded", video_charge(told)) if told["status"] == "completed" else ("failed", 0)
        self._expect(told_charge(told) == expected[1], f"video-{number} must cost {expected[1]}: {told}")
        self._expect(found == expected, f"video-{number} is {found}, it was told as {expected}: {told}")
