import pytest
from bench.load import Load, parse
from bench.processes import BenchError
from bench.report import Row, bars, table

# wrk 4.1.0 with the bench's script: against the upstream, and against a path that it answers with 404.
RECORDED = """\
Running 1s test @ http://127.0.0.1:45671/v1/chat/completions
  1 threads and 2 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    56.99us   63.41us   2.14ms   99.44%
    Req/Sec    32.30k     2.66k   34.78k    90.00%
  32075 requests in 1.00s, 20.56MB read
Requests/sec:  32067.98
Transfer/sec:     20.55MB
BENCH {"requests":32075,"duration_us":1000219,"p50_us":54,"p99_us":94,"max_us":2139,\
"connect":0,"read":0,"write":0,"status":0,"timeout":0}
"""
RECORDED_404 = """\
Running 1s test @ http://127.0.0.1:45671/v1/nowhere
  1 threads and 2 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    70.52us  142.56us   3.37ms   99.07%
    Req/Sec    29.12k     6.51k   46.31k    81.82%
  31767 requests in 1.10s, 4.30MB read
  Non-2xx or 3xx responses: 31767
Requests/sec:  28875.86
Transfer/sec:      3.91MB
BENCH {"requests":31767,"duration_us":1100123,"p50_us":60,"p99_us":186,"max_us":3374,\
"connect":0,"read":0,"write":0,"status":31767,"timeout":0}
"""


def test_the_script_s_line_is_read_from_wrk_s_output() -> None:
    assert parse(RECORDED) == Load(
        requests=32_075,
        requests_per_second=32_075 / 1.000219,
        p50_ms=0.054,
        p99_ms=0.094,
        max_ms=2.139,
        errors=0,
    )


def test_answers_with_an_error_status_are_counted() -> None:
    assert parse(RECORDED_404).errors == parse(RECORDED_404).requests == 31_767


def test_output_without_a_result_is_an_error() -> None:
    with pytest.raises(BenchError, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:1 Connection refused\n")


def _row(target: str, requests_per_second: float, errors: int = 0) -> Row:
    return Row(
        scenario="plain",
        target=target,
        requests_per_second=requests_per_second,
        p50_ms=1.0,
        p99_ms=2.0,
        max_ms=3.0,
        cpu_us=38.0,
        core_share=0.99,
        others_share=0.0,
        pss_mb=60.0,
        errors=errors,
    )


def test_bars_are_multiples_of_the_rivals_and_need_a_run_without_errors() -> None:
    rivals = [_row("envoy", 25_000), _row("smg", 9_000)]
    assert [is_met for _, is_met in bars([*rivals, _row("yuanjing openai", 12_000)])] == [True, True]
    assert [is_met for _, is_met in bars([*rivals, _row("yuanjing openai", 11_000)])] == [True, False]
    assert [is_met for _, is_met in bars([*rivals, _row("yuanjing openai", 50_000, errors=1)])] == [
        False,
        False,
    ]
    assert bars([*rivals, _row("nginx", 90_000)]) == []
    assert bars([_row("yuanjing openai", 12_000)]) == []


def test_the_table_compares_each_row_with_envoy_and_smg() -> None:
    rows = [_row("envoy", 25_000), _row("smg", 10_000), _row("yuanjing openai", 30_000)]
    title, head, *lines = table(rows, "plain", "plain").strip().splitlines()
    assert title == "plain"
    assert head.split()[-6:] == ["x", "envoy", "x", "smg", "unposted", "errors"]
    assert [line.split()[-4:] for line in lines] == [
        ["-", "2.50", "0", "0"],
        ["0.40", "-", "0", "0"],
        ["1.20", "3.00", "0", "0"],
    ]
