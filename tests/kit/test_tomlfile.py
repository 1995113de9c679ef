import pytest

from yuanjing.kit.tomlfile import Document

TEXT = '''\
name = "a"
long = """
name = "not a key"
"""
[offer]
id = 3
"quoted key" = 1
[offer.chat]
a.b = "x"
inline = { c = 1, d = [1, 2] }

[[price.tier]]
rate = "1"
  [[price.tier]]
rate = 2.5
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 1),
        (("long",), 2),
        (("offer",), 5),
        (("offer", "id"), 6),
        (("offer", "quoted key"), 7),
        (("offer", "missing"), 5),
        (("offer", "chat"), 8),
        (("offer", "chat", "a", "b"), 9),
        (("offer", "chat", "inline", "c"), 10),
        (("price", "tier", 0, "rate"), 13),
        (("price", "tier", 1), 14),
        (("price", "tier", 1, "rate"), 15),
        (("nowhere",), 1),
    ],
)
def test_every_key_has_its_line(path, line):
    assert Document("f", TEXT).line_of(path) == line


@pytest.mark.parametrize(
    ("text", "line"), [("a = 1\nb = \n", 2), ("[x\n", 1), ("a = 1\na = 2\n", 2), ('a = """\nx\n', 2)]
)
def test_broken_toml_names_its_line(text, line):
    (problem,) = Document("f.toml", text).problems
    assert problem.line == line
    assert str(problem).startswith(f"f.toml:{line}: not TOML: ")


def test_values_of_another_kind_are_reported_not_raised():
    document = Document(
        "f",
        'text = 1\nnumber = "1"\nflag = 1\nlist = [1]\nmap = { a = 1 }\n'
        "when = 2026-01-01T00:00:00\nbig = 7\nyes = true\n",
    )
    table = document.root
    assert table.text("text") == ""
    assert table.integer("number", 5) == 5
    assert table.flag("flag", default=True) is True
    assert table.texts("list") == ()
    assert table.mapping("map") == {}
    assert table.moment("when") is None
    assert table.integer("big", low=1, high=6) == 1
    assert table.integer("yes") == 0
    assert [problem.line for problem in document.problems] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_key_that_nobody_reads_is_a_typing_error():
    document = Document("f", "name = 'a'\nnmae = 'b'\n")
    document.root.text("name")
    document.root.finish()
    assert [str(problem) for problem in document.problems] == ["f:2: `nmae` is not known here; known are: name"]
