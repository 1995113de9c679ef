"""What each type of a parameter takes, value by value; Hypothesis looks between them elsewhere."""

import pytest

from yuanjing.domain.parameters.values import ParameterError, read_value

READ = [
    ("boolean", True, True),
    ("boolean", " Yes ", True),
    ("boolean", 0, False),
    ("boolean", "no", False),
    ("integer", " 5.0 ", 5),
    ("integer", 5.0, 5),
    ("number", "0.25", 0.25),
    ("number", 1, 1.0),
    ("string", "a cat", "a cat"),
]
REFUSED = [
    ("boolean", 2),
    ("boolean", 1.0),
    ("boolean", []),
    ("boolean", "perhaps"),
    ("integer", True),
    ("integer", 5.5),
    ("integer", 1e300),
    ("integer", "9" * 41),
    ("integer", "5s"),
    ("number", True),
    ("number", "nan"),
    ("number", 10**400),
    ("number", {}),
    ("string", 5),
    ("string", "\ud800"),
]


@pytest.mark.parametrize(("kind", "value", "read"), READ)
def test_taken(kind, value, read):
    got = read_value("field", {"type": kind}, value)
    assert (type(got), got) == (type(read), read)


@pytest.mark.parametrize(("kind", "value"), REFUSED)
def test_refused(kind, value):
    with pytest.raises(ParameterError, match="field"):
        read_value("field", {"type": kind}, value)
