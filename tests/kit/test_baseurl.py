import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuanjing.kit.baseurl import parse_base_url


@pytest.mark.parametrize(
    ("text", "host", "port", "header", "path"),
    [
        ("https://example.com/v1", "example.com", 443, "example.com", "/v1"),
        ("http://example.com", "example.com", 80, "example.com", ""),
        ("HTTP://Example.com:8080/a/b/", "example.com", 8080, "example.com:8080", "/a/b"),
        ("http://127.0.0.1:1/v1", "127.0.0.1", 1, "127.0.0.1:1", "/v1"),
        ("http://[::1]:65535/v1", "::1", 65535, "[::1]:65535", "/v1"),
        ("https://[2001:DB8::0:1]", "2001:db8::1", 443, "[2001:db8::1]", ""),
        ("https://bücher.example:444/v1", "xn--bcher-kva.example", 444, "xn--bcher-kva.example:444", "/v1"),
        ("http://vllm_1.internal./%E4%B8%AD", "vllm_1.internal.", 80, "vllm_1.internal.", "/%E4%B8%AD"),
    ],
)
def test_an_address_is_taken_apart(text, host, port, header, path):
    address = parse_base_url(text)
    assert (address.host, address.port, address.host_header, address.path) == (host, port, header, path)
    assert address.is_tls is text.startswith("https")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/v1",
        "ftp://example.com",
        "https://",
        "https:///v1",
        "http://h:99999/v1",
        "http://h:0/v1",
        "http://h:/v1",
        "http://h:-1",
        "http://h:\uff18\uff10/v1",
        "http://h:1:2",
        "http://[::1/v1",
        "http://::1/v1",
        "http://[::1]x/v1",
        "http://[fe80::1%eth0]/v1",
        "http://[1.2.3.4]/v1",
        "http://1.2.3.400/v1",
        "http://1.2.3/v1",
        "https://user:pw@example.com/v1",
        "https://example.com/v1?key=1",
        "https://example.com/v1#part",
        "https://example.com/v 1",
        "https://example.com/v1\r\nx: y",
        "https://exa\tmple.com",
        "https://example.com/中",
        "https://example.com\\@evil.example",
        "https://-a.example",
        "https://a..example",
        f"https://{'a' * 64}.example",
        f"https://{'a.' * 200}example",
        f"https://{'ü' * 80}.example",
        f"https://example.com/{'x' * 2000}",
    ],
)
def test_what_cannot_be_used_is_refused_without_repeating_it(text):
    with pytest.raises(ValueError, match=r"write|wrong|cannot|number") as error:
        parse_base_url(text)
    assert "pw" not in str(error.value)


@given(st.text(max_size=30))
def test_nothing_else_is_raised_and_what_passes_goes_into_a_request_head(text):
    for prefix in ("http://", "https://[", "http://h:"):
        try:
            address = parse_base_url(prefix + text)
        except ValueError:
            continue
        assert 1 <= address.port <= 65535
        head = f"{address.host_header}{address.path}"
        assert head.isascii()
        assert head.isprintable()
        assert " " not in head
