"""Each operator changes what it says, a change is made and told, and the report fails when it should."""

import ast
import textwrap

import pytest
from tests.mutation import __main__ as report
from tests.mutation.operators import Mutant, mutants_of
from tests.mutation.runner import Fate

SOURCE = '''
LIMIT = 10


class Purse:
    """Its money."""

    free: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left."""
        return not self.free


def take(purse: Purse, amount: int = 5) -> "int | None":
    """Take some."""
    assert amount > 0, f"not {amount + 1}"
    if amount > purse.free and not purse.is_empty:
        raise ValueError
    purse.free -= min(amount, LIMIT)
    for _ in range(2):
        break
    return -amount if purse.free is None else None
'''


def told(source: str) -> list[str]:
    return [mutant.told() for mutant in mutants_of(textwrap.dedent(source), "purse.py")]


def test_every_operator_finds_its_places_and_nothing_else_is_changed():
    assert told(SOURCE) == [
        "return not self.free → return None",
        "return not self.free → return self.free",
        *(
            f"assert amount > 0, f'not {{amount + 1}}' → assert amount {new}, f'not {{amount + 1}}'"
            for new in (">= 0", "<= 0", "> 1", "> -1")
        ),
        *(
            f"if amount > purse.free and (not purse.is_empty): → if {new}:"
            for new in (
                "True",
                "False",
                "amount > purse.free or not purse.is_empty",
                "amount >= purse.free and (not purse.is_empty)",
                "amount <= purse.free and (not purse.is_empty)",
                "amount > purse.free and purse.is_empty",
            )
        ),
        "raise ValueError → pass",
        "purse.free -= min(amount, LIMIT) → purse.free += min(amount, LIMIT)",
        "purse.free -= min(amount, LIMIT) → purse.free -= max(amount, LIMIT)",
        "for _ in range(2): → for _ in range(3):",
        "for _ in range(2): → for _ in range(1):",
        "break → continue",
        *(
            f"return -amount if purse.free is None else None → return {new}"
            for new in (
                "None",
                "-amount if True else None",
                "-amount if False else None",
                "-amount if purse.free is not None else None",
                "amount if purse.free is None else None",
            )
        ),
    ]


def test_a_place_is_told_by_file_function_and_line():
    mutant = mutants_of(SOURCE, "purse.py")[0]
    assert (mutant.file, mutant.function, mutant.line) == ("purse.py", "Purse.is_empty", 13)


def test_a_change_is_made_in_the_code_of_its_function():
    mutants = mutants_of("def half(n):\n    return n // 2\n", "half.py")
    found = {}
    for place in range(len(mutants)):
        mutant = mutants_of("def half(n):\n    return n // 2\n", "half.py")[place]
        space = {}
        exec(compile("def half(n):\n    return n // 2\n", "half.py", "exec"), space)  # noqa: S102  # the text above
        space["half"].__code__ = mutant.code("half.py")
        found[mutants[place].told().partition(" → ")[2]] = space["half"](9)
    assert found == {"return None": None, "return n * 2": 18, "return n // 3": 3, "return n // 1": 9}


def test_to_tell_a_mutant_leaves_the_tree_as_it_was():
    mutants = mutants_of(SOURCE, "purse.py")
    before = ast.dump(mutants[0].tree)
    for mutant in mutants:
        mutant.told()
    assert ast.dump(mutants[0].tree) == before


def fates(file: str, killed: int, survived: int) -> list[Fate]:
    (mutant, *_) = mutants_of(SOURCE, file)
    return [Fate(mutant=mutant, is_killed=n < killed) for n in range(killed + survived)]


@pytest.mark.parametrize(
    ("some", "wrong"),
    [
        (fates("usage.py", 85, 15), []),
        (fates("usage.py", 84, 16), ["below 85 %"]),
        (fates("money.py", 95, 5), []),
        (fates("money.py", 94, 6), ["money.py: below 95 %"]),
        (fates("money.py", 100, 0) + fates("usage.py", 60, 40), ["below 85 %"]),
    ],
)
def test_a_score_below_its_floor_fails(some, wrong):
    assert report.judged(some, {}) == wrong


def test_what_is_equivalent_does_not_count_but_must_not_be_noticed():
    (mutant, *_) = mutants_of(SOURCE, "money.py")
    known = {report.named(mutant): "why"}
    assert report.judged(fates("money.py", 0, 1), known) == []
    (line,) = report.judged(fates("money.py", 1, 0), known)
    assert line.startswith("listed as equivalent, but a test fails: money.py | Purse.is_empty | return not")


def test_each_line_of_the_list_names_a_mutant_and_says_why():
    existing: set[report.Named] = {report.named(one) for some in report.all_mutants([]).values() for one in some}
    known = report.equivalents()
    assert set(known) <= existing
    assert all(known.values())
    assert isinstance(next(iter(report.all_mutants(["money.py"])["money.py"])), Mutant)
