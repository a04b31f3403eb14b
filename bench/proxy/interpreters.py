"""A second interpreter to run Coalmine on: the distribution's, where it is better built than the running one.

How an interpreter was built makes more of a difference than its version. So where the running one was built without
profile-guided optimisation and the machine has one that was built with it, Coalmine runs on both, each labelled.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.proxy.finding import INSTALLED, ROOT, install_into, run_quietly
from bench.report import describe_build, is_optimised

SYSTEM = Path("/usr/bin/python3")
ENVIRONMENT = INSTALLED / "python"
OLDEST = (3, 11)
PINS = ROOT / "requirements.lock"
_ASK = """
import json, platform, sysconfig
print(json.dumps([platform.python_version(), sysconfig.get_config_var("CONFIG_ARGS")]))
"""


@dataclass(frozen=True)
class Interpreter:
    path: Path
    version: str
    options: str  # that it was configured with

    def describe(self) -> str:
        return describe_build(self.version, self.options)


def look_at(path: Path) -> Interpreter | None:
    try:
        told = subprocess.run([path, "-c", _ASK], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    version, options = json.loads(told.stdout)
    return Interpreter(path, version, options or "")


def find_better() -> Interpreter | None:
    """The machine's own, where it can run Coalmine and was built with optimisation that the running one lacks."""
    running, system = look_at(Path(sys.executable)), look_at(SYSTEM)
    if running is None or system is None or is_optimised(running.options) or not is_optimised(system.options):
        return None
    return system if tuple(map(int, system.version.split(".")[:2])) >= OLDEST else None


def is_furnished() -> bool:
    stamp = ENVIRONMENT / "pins"
    return stamp.exists() and stamp.read_text() == PINS.read_text()


def furnish() -> list[str]:
    """An environment of it with what Coalmine needs to run; what went wrong."""
    if is_furnished():
        return []
    try:
        # without pip, for which Debian's interpreter needs one more package
        run_quietly(SYSTEM, "-m", "venv", "--clear", "--without-pip", ENVIRONMENT)
        install_into(ENVIRONMENT, PINS.read_text())
    except (OSError, subprocess.SubprocessError) as error:
        return [f"{SYSTEM}: {' '.join(str(getattr(error, 'stderr', None) or error).split())[-200:]}"]
    (ENVIRONMENT / "pins").write_text(PINS.read_text())
    return []
