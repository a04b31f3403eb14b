"""The access log of real workers that share one standard output."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

from tests.proxy.support.client import RawClient, request
from tests.proxy.support.upstream import RawUpstream
from tests.support.processes import ROOT, ask, clean_environment, run_coalmine, wait_until

EACH = 150  # requests, from each of CLIENTS
CLIENTS = 6


def test_workers_that_share_a_pipe_do_not_mix_their_lines(tmp_path: Path) -> None:
    arguments = ["--access-log", "-", "--no-discovery"]
    with RawUpstream() as upstream, run_coalmine(tmp_path, workers=2, arguments=arguments) as coalmine:
        coalmine.api("upstreams", method="POST", body={"name": "up", "endpoints": [upstream.origin]})
        coalmine.api("routes", method="POST", body={"name": "all", "destinations": [{"upstream": "up"}]})
        where = urlsplit(coalmine.proxy)

        def send(number: int) -> None:
            for turn in range(EACH // 10):
                with RawClient((str(where.hostname), int(where.port or 0))) as client:
                    for step in range(10):
                        path = f"/{number}-{turn}-{step}-" + "x" * 400
                        assert client.ask(request("GET", path, "User-Agent: " + "y" * 150)).status == 200

        threads = [threading.Thread(target=send, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        logged = lambda: [line for line in coalmine.output.lines if line.startswith("{")]  # noqa: E731
        wait_until(lambda: len(logged()) == CLIENTS * EACH, "every request has its line")
        paths = {json.loads(line)["path"] for line in logged()}
        written = re.search(rb"^coalmine_access_log_lines_total (\S+)", ask(f"{coalmine.admin}/metrics").body, re.M)
    assert len(paths) == CLIENTS * EACH
    assert written is not None and float(written[1]) == CLIENTS * EACH


def test_a_log_that_cannot_be_written_is_said_before_anything_starts(tmp_path: Path) -> None:
    words = ["serve", "--access-log", str(tmp_path / "no" / "log"), "--database", f"sqlite:///{tmp_path}/x.db"]
    ended = subprocess.run(
        [sys.executable, "-m", "coalmine", *words, "--proxy", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ended.returncode != 0
    assert "--access-log is" in ended.stderr and "No such file or directory" in ended.stderr
    assert not (tmp_path / "x.db").exists()
