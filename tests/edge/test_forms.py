"""Reading fields: JSON, forms of both kinds, bodies that say nothing, bodies that lie, and those that have no end."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from starlette.requests import Request
from tests.edge.platform import forms

from yuanjing.domain.artifacts import IncomingFile, StorageFullError
from yuanjing.domain.errors import YuanjingError
from yuanjing.edge.forms import read_fields

FORM = "multipart/form-data; boundary=x"
TEXT_FORM = "application/x-www-form-urlencoded"
PIECES = (1, 7, 4096)


@pytest.fixture
def options(tmp_path):
    made = forms(tmp_path)
    with made.scratch:
        yield made


def request(body, content_type=None, *, piece=65_536, headers=(), says_length=True):
    """A request whose body comes in pieces; an exception among them is raised there."""
    given = [(name.encode(), value.encode()) for name, value in headers]
    if content_type is not None:
        given.append((b"content-type", content_type.encode()))
    if says_length and isinstance(body, bytes):
        given.append((b"content-length", str(len(body)).encode()))
    pieces = [body[i : i + piece] for i in range(0, len(body), piece)] if isinstance(body, bytes) else body
    left = iter(pieces)

    async def receive():
        data = next(left, None)
        return {"type": "http.request", "body": data or b"", "more_body": data is not None}

    return Request({"type": "http", "method": "POST", "path": "/x", "headers": given, "query_string": b""}, receive)


async def read(options, *args, **changes):
    """The fields, files as their bytes."""
    async with read_fields(request(*args, **changes), options) as fields:
        return {
            name: [(v.name, v.place.read_bytes()) if isinstance(v, IncomingFile) else v for v in values]
            for name, values in fields.items()
        }


async def refused(options, *args, **changes):
    with pytest.raises(YuanjingError) as error:
        await read(options, *args, **changes)
    assert list(options.scratch._own.iterdir()) in ([], [options.scratch._own / "lock"])
    return error.value


def part(disposition, data=b"", extra=""):
    return f"--x\r\nContent-Disposition: form-data; {disposition}\r\n{extra}\r\n".encode() + data + b"\r\n"


END = b"--x--\r\n"


# JSON


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "APPLICATION/JSON; charset=utf-8", "application/vnd.api+json", None, "", TEXT_FORM],
)
async def test_json(options, content_type):
    body = '{"prompt": "一只猫", "n": 1.5, "on": true, "no": null, "o": {"a": [1]}, "image_files": ["a", 2], "e": []}'
    assert await read(options, body.encode(), content_type, piece=5) == {
        "prompt": ["一只猫"],
        "n": [1.5],
        "on": [True],
        "no": [None],
        "o": [{"a": [1]}],
        "image_files": ["a", 2],
        "e": [],
    }


async def test_json_lists_may_be_named_as_forms_do(options):
    assert await read(options, b'{"image_files[]": ["a"], "image_files": "b"}', "application/json") == {
        "image_files": ["a", "b"]
    }


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[]", b'"x"', b"1", b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "\\ud800"}', b'{"a": "\xff"}', b'{"a" 1}',
        b"[" * 90_000, b'{"a":' * 100_000, b"{} {}", b"\xef\xbb\xbf{}", b"prompt=x",
    ],
)  # fmt: skip
async def test_what_is_no_json_object_is_refused(options, body):
    assert (await refused(options, body, "application/json")).code == "invalid_json"


@pytest.mark.parametrize("content_type", ["application/json", TEXT_FORM, None])
async def test_no_body_has_no_fields(options, content_type):
    assert await read(options, b"", content_type) == {}
    assert await read(options, b" \r\n", content_type) == {}


@pytest.mark.parametrize("content_type", ["application/json", TEXT_FORM, None])
async def test_a_large_body_is_refused_before_and_while_it_comes(options, content_type):
    body = b'{"prompt": "' + b"x" * 1_000_000 + b'"}'
    for says_length in (True, False):
        error = await refused(options, body, content_type, says_length=says_length)
        assert (error.code, "1000000 bytes" in error.message) == ("request_too_large", True)


# forms without files


@pytest.mark.parametrize("content_type", [TEXT_FORM, None, f"{TEXT_FORM}; charset=UTF-8"])
async def test_a_form_of_text(options, content_type):
    body = b"prompt=%E7%8C%AB+x&empty=&image_files%5B%5D=a&image_files=b&&seed"
    assert await read(options, body, content_type) == {
        "prompt": ["猫 x"],
        "empty": [""],
        "image_files": ["a", "b"],
        "seed": [""],
    }


async def test_a_form_of_text_is_limited_and_in_utf8(options):
    assert (await refused(options, b"a=1&" * 20, TEXT_FORM)).code == "request_too_large"
    assert (await refused(options, b"a=%ff", TEXT_FORM)).code == "invalid_request"
    assert (await refused(options, b"a=\xff", TEXT_FORM)).code == "invalid_request"


@pytest.mark.parametrize("shift", range(4))
async def test_a_long_form_of_text_is_unpacked_in_pieces_that_cut_no_escape(options, shift):
    text = "x" * shift + "猫+%2" * 60_000
    body = urlencode({"prompt": text}).encode()
    assert len(body) > 7 * 128 * 1024
    assert await read(replace(options, text_bytes_max=len(body)), body, TEXT_FORM) == {"prompt": [text]}


async def test_what_costs_more_to_unpack_than_to_send_is_refused(options):
    wide = replace(options, text_bytes_max=4_000_000)
    for body, content_type, limit in (
        (b"a=" + b"%41" * 1_000_001, TEXT_FORM, "1000000 escaped bytes"),
        (b'{"a":[' + b"[]," * 50_000 + b"[]]}", "application/json", "100000 lists, objects and items"),
        (b'{"a":[' + b"{}," * 50_000 + b"{}]}", TEXT_FORM, "100000 lists, objects and items"),
    ):
        error = await refused(wide, body, content_type)
        assert (error.code, limit in error.message) == ("request_too_large", True)
    assert len((await read(wide, b"a=" + b"%41" * 1_000_000, TEXT_FORM))["a"][0]) == 1_000_000
    assert len((await read(wide, b'{"a":[' + b"[]," * 49_998 + b"[]]}", "application/json"))["a"]) == 49_999


@pytest.mark.parametrize(
    "content_type", ["text/plain", "image/png", "application/xml", "multipart/mixed; boundary=x", "x"]
)
async def test_other_types_are_not_read(options, content_type):
    assert (await refused(options, b"{}", content_type)).code == "unsupported_media_type"


# forms with files


@pytest.mark.parametrize("piece", PIECES)
async def test_a_form_with_files(options, piece):
    picture = bytes(range(256)) * 40 + b"\r\n--x\r\r\n--"
    body = (
        part('name="prompt"', "一只猫".encode())
        + part('name="image1_file"; filename="../../etc/猫.jpg"', picture, "Content-Type: text/html\r\n")
        + part('name="image1_file"; filename="b.png"', b"second")
        + part('name="image_files[]"', b"http://x/y")
        + part('name="image_files"; filename=""', b"unnamed")
        + part('name="empty"; filename=""')
        + part('name="none"; filename="none.png"')
        + part("name=unquoted")
        + END
    )
    assert await read(options, b"\r\n" + body, FORM, piece=piece) == {
        "prompt": ["一只猫"],
        "image1_file": [("../../etc/猫.jpg", picture), ("b.png", b"second")],
        "image_files": ["http://x/y", ("", b"unnamed")],
        "empty": [],
        "none": [("none.png", b"")],
        "unquoted": [""],
    }


async def test_files_are_gone_afterwards_also_after_a_failure(options):
    body = part('name="f"; filename="f"', b"data") + END
    async with read_fields(request(body, FORM), options) as fields:
        (file,) = fields["f"]
        assert (file.size_bytes, file.place.read_bytes()) == (4, b"data")
        assert file.place.parent == options.scratch._own
    assert not file.place.exists()
    stack = AsyncExitStack()
    fields = await stack.enter_async_context(read_fields(request(body, FORM), options))
    (file,) = fields["f"]
    failure = ZeroDivisionError()
    assert not await stack.__aexit__(type(failure), failure, None)
    assert not file.place.exists()


async def test_a_file_of_just_the_limit_and_one_byte_more(options):
    for size, fits in ((2_000_000, True), (2_000_001, False)):
        body = part('name="image1_file"; filename="f"', b"x" * size) + END
        if fits:
            assert len((await read(options, body, FORM))["image1_file"][0][1]) == size
        else:
            error = await refused(options, body, FORM)
            assert (error.code, error.param) == ("request_too_large", "image1_file")
            assert "2000000 bytes" in error.message


async def test_many_files_are_too_much_together(options):
    body = b"".join(part(f'name="f{i}"; filename="f"', b"x" * 1_500_000) for i in range(3)) + END
    for says_length in (True, False):
        error = await refused(options, body, FORM, says_length=says_length)
        assert (error.code, "4000000 bytes" in error.message) == ("request_too_large", True)


async def test_text_is_limited_together(options):
    body = b"".join(part(f'name="t{i}"', b"x" * 400_000) for i in range(3)) + END
    error = await refused(options, body, FORM)
    assert (error.code, error.param) == ("request_too_large", "t2")


async def test_a_body_without_end_is_left(options):
    taken = 0

    def endless():
        nonlocal taken
        yield part('name="f"; filename="f"')[:-2]
        while True:
            taken += 65_536
            yield b"x" * 65_536

    error = await refused(options, endless(), FORM)
    assert error.code == "request_too_large"
    assert taken <= 2_000_000 + 2 * 65_536


async def test_parts_are_counted(options):
    assert len(await read(options, b"".join(part(f'name="a{i}"') for i in range(20)) + END, FORM)) == 20
    error = await refused(options, b"".join(part(f'name="a{i}"') for i in range(21)) + END, FORM)
    assert (error.code, "20 fields" in error.message) == ("request_too_large", True)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (part('name="a"', b"1"), FORM),
        (part('name="a"; filename="f"', b"1")[:-3], FORM),
        (b"", FORM),
        (b"nonsense", FORM),
        (b"--x\r\nno header\r\n\r\n\r\n--x--", FORM),
        (part('filename="f"', b"1") + END, FORM),
        (part('name=""', b"1") + END, FORM),
        (part('name="a"', b"\xff") + END, FORM),
        (part('name="\xff"', b"1").replace("\xff".encode(), b"\xff") + END, FORM),
        (part('name="a"', b"1", "X: " + "y" * 5000 + "\r\n") + END, FORM),
        (part('name="a"', b"1", "X: y\r\n" * 20) + END, FORM),
        (part('name="a"', b"1") + END, "multipart/form-data"),
        (part('name="a"', b"1") + END, f"multipart/form-data; boundary={'x' * 300}"),
        (part('name="a"', b"1") + END, "multipart/form-data; boundary=y"),
    ],
)
@pytest.mark.parametrize("piece", PIECES)
async def test_broken_forms_are_refused(options, body, content_type, piece):
    error = await refused(options, body, content_type, piece=piece)
    assert (error.code, error.message.startswith("The form is")) == ("invalid_request", True)


async def test_a_file_may_have_a_name_in_another_encoding(options):
    body = part('name="f"; filename="d\xe9.png"', b"1").replace("\xe9".encode(), b"\xe9") + END
    assert await read(options, body, FORM) == {"f": [("d\N{REPLACEMENT CHARACTER}.png", b"1")]}


async def test_a_boundary_that_comes_in_data_again_and_again_is_refused(options):
    """Each one costs the parser microseconds, 12 s of 50 MB."""
    for count, fits in ((9_000, True), (11_000, False)):
        data = b"\r\n--xq" * count
        body = part('name="f"; filename="f"', data) + END
        if fits:
            assert (await read(options, body, FORM))["f"] == [("f", data)]
        else:
            error = await refused(options, body, FORM)
            assert (error.code, "boundary stands in its data" in error.message) == ("invalid_request", True)


async def test_a_client_that_leaves_leaves_nothing_behind(options):
    came = part('name="f"; filename="f"', b"x" * 700_000)

    async def receive():
        return {"type": "http.disconnect"} if sent else sent.append(1) or {
            "type": "http.request", "body": came, "more_body": True,
        }  # fmt: skip

    sent: list[int] = []
    scope = {"type": "http", "method": "POST", "path": "/x", "headers": [(b"content-type", FORM.encode())]}
    with pytest.raises(YuanjingError, match="ended before"):
        async with read_fields(Request(scope, receive), options):
            raise AssertionError
    assert [path.name for path in options.scratch._own.iterdir()] == ["lock"]


async def test_a_full_disk_is_told_before_anything_is_read(tmp_path):
    full = forms(tmp_path)
    object.__setattr__(full.scratch._room, "free_bytes", lambda _: 100)
    with full.scratch, pytest.raises(StorageFullError):
        await read(full, part('name="f"; filename="f"', b"x" * 200) + END, FORM)


async def test_uploads_at_once_hold_little_memory(options):
    """Each gathers half a megabyte before it writes; the files themselves are on disk."""
    body = part('name="f"; filename="f"', b"x" * 1_900_000) + END
    async with asyncio.TaskGroup() as group:
        jobs = [group.create_task(read(options, body, FORM)) for _ in range(8)]
    assert {len(job.result()["f"][0][1]) for job in jobs} == {1_900_000}
