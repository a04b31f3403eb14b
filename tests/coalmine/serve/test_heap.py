"""What a worker's large pieces pass through stays mapped."""

from __future__ import annotations

import subprocess
import sys

# Two pieces at a time, as when one is read while another is written; 63 pages each.
COUNT_FAULTS = """
import resource
def pass_pieces(count):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        read = b"x" * 256_000
        written = read + b"y"
        del read, written
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
pass_pieces(10)
print(pass_pieces(200))
"""
# The beginning of a worker, without what it then does.
BEGIN = """
from coalmine.serve import worker
worker.read_orders = lambda environ: None
worker.uvloop.run = lambda run: None
worker.Worker = type("Idle", (), {"__init__": lambda self, orders: None, "run": lambda self: None})
worker.main()
"""


def count_faults(begin: str) -> int:
    done = subprocess.run([sys.executable, "-c", begin + COUNT_FAULTS], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_large_pieces_cost_a_worker_no_page_faults() -> None:
    assert count_faults("") > 200 * 63, "without it each piece is mapped anew"
    assert count_faults(BEGIN) < 200


def test_the_buffers_of_tls_connections_go_back_when_they_are_free() -> None:
    buffers = COUNT_FAULTS.replace("256_000", "262_144")
    assert buffers != COUNT_FAULTS
    done = subprocess.run([sys.executable, "-c", BEGIN + buffers], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 200 * 63
