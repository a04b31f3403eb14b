"""Whether ``bench.proxy`` notices when not the proxy limits what it measures.

    python -m bench.bottlenecks [--check]

The same nginx and upstream three times: behind a proxy that is slow, with a load generator that is, and with a single
connection, where everybody waits for everybody. ``--check`` ends with status 1 where one is not told as it should be.
It wants a quiet machine: where others take the cores, that is what is told.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.processes import end_on_sigterm
from bench.proxy.cases import FULL_LOAD, ROOM, SMALL, Case, Shares, measure
from bench.proxy.field import say
from bench.proxy.peers import PEERS, Proxy
from bench.proxy.upstream import start_upstream
from bench.report import table

ROUNDS, SECONDS = 3, 2
# for each request so much arithmetic that wrk sends fewer than the proxy could take
SLOW = """local path = wrk.path
request = function()
  local sum = 0
  for number = 1, 20000 do sum = sum + math.sin(number) end
  return wrk.format(nil, path)
end"""
SLOW_PROXY, FAST_PROXY = "Envoy", "nginx"
# who is made slow: the proxy, the case, and what the judgement has to begin with
EXPECTED: tuple[tuple[str, str, Case, str], ...] = (
    ("the proxy", SLOW_PROXY, SMALL, ""),
    ("the load generator", FAST_PROXY, Case("slow generator", lua=SLOW), FULL_LOAD),
    ("nobody: one connection", FAST_PROXY, Case("one connection", connections=1), ROOM),
)


def judge(case: Case, proxy: Proxy, upstream: int, folder: Path) -> Shares:
    pid = proxy.process.pid
    return Shares.of(measure(case, pid, proxy.port, upstream, SECONDS, folder) for _ in range(ROUNDS))


def judge_all() -> list[tuple[str, str, Shares]]:
    """Who was made slow, what should be told, and what was found."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # the workers of the proxies may be somebody else
        upstream, port = start_upstream(folder, stack)
        proxies = {}
        for peer in PEERS:
            if peer.name in (SLOW_PROXY, FAST_PROXY):
                (folder / peer.name).mkdir(mode=0o755)
                proxies[peer.name] = peer.start(folder / peer.name, port, stack)
        found = []
        for slow, proxy, case, expected in EXPECTED:
            say(f"slow: {slow}")
            found.append((slow, expected, judge(case, proxies[proxy], upstream.pid, folder)))
        return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    end_on_sigterm()
    found = judge_all()
    rows = [
        [slow, f"{shares.proxy:.0%}", f"{shares.load:.0%}", shares.judge() or "the proxy was full"]
        for slow, _, shares in found
    ]
    print("\n".join(table(["made slow", "its core", "load's core", "told"], rows)))
    right = all((shares.bound if not told else shares.judge().startswith(told)) for _, told, shares in found)
    return int(given.check and not right)


if __name__ == "__main__":
    raise SystemExit(main())
