"""What wrk tells is read, and who limited a rate is said."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench.proxy.cases import Case, Sample, Shares, describe_errors, read_wrk, write_script

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


ROOM = "nobody's core was full"
FULL = "load generator and upstream were full, not the proxy"


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        pytest.param(Shares(0.99, 0.0, 0.99, 0.0), "", id="the proxy's, and theirs as well"),
        pytest.param(Shares(0.93, 0.04, 0.60, 0.0), "", id="the proxy's, which had it nearly to itself"),
        pytest.param(Shares(0.70, 0.0, 0.98, 0.0), FULL, id="theirs"),
        pytest.param(Shares(0.70, 0.01, 0.60, 0.0), ROOM, id="nobody's"),
        pytest.param(Shares(0.80, 0.2, 0.60, 0.0), "other programs took 20% of its core", id="the proxy's, shared"),
        pytest.param(
            Shares(0.50, 0.0, 0.80, 0.2), f"{FULL}; other programs took 20% of the load's core", id="theirs, shared"
        ),
        pytest.param(
            Shares(0.60, 0.4, 0.50, 0.0),
            "too disturbed to tell the bottleneck; other programs took 40% of its core",
            id="anybody's",
        ),
    ],
)
def test_who_limited_the_rate_is_said_where_it_was_not_the_proxy(shares: Shares, said: str) -> None:
    assert shares.judge() == said
    assert shares.bound == (said in ("", "other programs took 20% of its core"))


def make_sample(proxy: float, load: float) -> Sample:
    return Sample(rate=1.0, cost=1.0, proxy=proxy, load=load, others=0.0, errors=Counter())


def test_several_rounds_are_judged_by_their_medians() -> None:
    rounds = [make_sample(0.99, 0.5), make_sample(0.98, 0.5), make_sample(0.10, 0.99)]
    assert Shares.of(rounds) == Shares(0.98, 0.0, 0.5, 0.0)
