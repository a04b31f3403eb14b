"""What wrk tells is read, and who limited a rate is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.proxy.cases import Case, describe_errors, judge, read_wrk, write_script

QUIET = """Running 1s test @ http://127.0.0.1:8080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.50ms  379.73us   8.07ms   92.41%
  46811 requests in 1.10s, 9.69MB read
Requests/sec:  42554.10
Transfer/sec:      8.81MB
"""
BROKEN = """  120 requests in 500.00ms, 22.25KB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 5
"""
KINDS = {"connect": 1, "read": 2, "write": 3, "Non-2xx or 3xx responses": 5}


@pytest.mark.parametrize(
    ("text", "requests", "seconds", "errors", "late"),
    [(QUIET, 46811, 1.1, {}, 0), (BROKEN, 120, 0.5, KINDS, 4), (QUIET.replace("1.10s", "1.50m"), 46811, 90.0, {}, 0)],
    ids=["no errors", "every kind of error", "minutes"],
)
def test_requests_seconds_errors_and_late_answers_are_read(
    text: str, requests: int, seconds: float, errors: dict[str, int], late: int
) -> None:
    told = read_wrk(text)
    assert (told.requests, told.seconds, told.errors, told.late) == (requests, seconds, errors, late)


def test_errors_are_told_by_kind_the_most_frequent_first() -> None:
    told = describe_errors([read_wrk(BROKEN).errors, read_wrk(QUIET).errors, read_wrk(BROKEN).errors])
    assert told == "22 errors (Non-2xx or 3xx responses 10, write 6, read 4, connect 2)"
    assert describe_errors([read_wrk(QUIET).errors]) == ""


def test_a_run_without_a_result_is_an_error_that_shows_what_was_said() -> None:
    with pytest.raises(ValueError, match="unable to connect"):
        read_wrk("unable to connect to 127.0.0.1:1 Connection refused")


def test_a_path_with_numbers_is_another_one_in_every_request(tmp_path: Path) -> None:
    script = write_script(Case("many routes", "/service-{route}/pets/{n}?limit={n}", routes=10), tmp_path).read_text()
    assert "'/service-' .. (n * 7919 % 10) .. '/pets/' .. n .. '?limit=' .. n .. ''" in script


@pytest.mark.parametrize(
    ("proxy", "load", "others", "said"),
    [
        (0.99, 0.99, 0.0, ""),
        (0.70, 0.98, 0.0, "load generator and upstream were full, not the proxy"),
        (0.70, 0.60, 0.01, "nobody's core was full"),
        (0.97, 0.60, 0.2, "other programs took 20% of its core"),
    ],
)
def test_who_limited_the_rate_is_said_where_it_was_not_the_proxy(
    proxy: float, load: float, others: float, said: str
) -> None:
    assert judge(proxy, load, others) == said
