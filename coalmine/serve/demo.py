"""``coalmine demo``: two pet stores, a gateway in front of them, and what to try.

The pet stores are two more children of the gateway's own supervisor, so one Ctrl-C stops everything; all files lie
in one temporary folder, removed at the end.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

import coalmine
from coalmine.errors import StartupError
from coalmine.serve import tour
from coalmine.serve.banner import reach
from coalmine.serve.children import ChildSpec
from coalmine.serve.gateway import Gateway, open_gateway
from coalmine.serve.sockets import find_free_port
from coalmine.serve.supervisor import Supervisor
from coalmine.settings import Settings

HOST = "127.0.0.1"
PROXY_PORT = 8080
ADMIN_PORT = 8081
# The demo's ports, and the ones the article's commands assume.
PETSTORES = (("v1", tour.V1, 9001), ("v2", tour.V2, 9002))
GRACE_SECONDS = 2.0  # nobody waits long for a demo to end


def run(keep: Path | None = None) -> int:
    """Run the demo until Ctrl-C; returns the exit code. ``keep``: a folder whose catalog outlives the demo."""
    started = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="coalmine-demo-"))
    try:
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
        return _run(scratch, (keep or scratch) / "coalmine.db", started)
    except OSError as error:
        raise StartupError(f"the demo cannot use {keep or scratch}: {error.strerror}") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(scratch: Path, database: Path, started: float) -> int:
    ports = choose_ports()
    settings = Settings(
        proxy=f"{HOST}:{ports['proxy']}",
        admin=f"{HOST}:{ports['admin']}",
        database=f"sqlite:///{database.absolute()}",
        grace_seconds=GRACE_SECONDS,
    )
    gateway = open_gateway(settings, scratch=scratch)
    try:
        demo = Demo(gateway, ports, Console(highlight=False, soft_wrap=True), started)
        return demo.run()
    finally:
        gateway.close()


def choose_ports() -> dict[str, int]:
    """A free port for each part: the usual one, or the next. Raises StartupError."""
    chosen: dict[str, int] = {}
    # The admin API first: when 8080 is taken, the proxy should not push it off the port that the CLI looks at.
    for name, wanted in (("admin", ADMIN_PORT), ("proxy", PROXY_PORT), *((name, port) for _, name, port in PETSTORES)):
        port = wanted
        while (port := find_free_port(HOST, port)) in chosen.values():
            port += 1
        chosen[name] = port
    return chosen


def petstore_folder() -> Path:
    """Inside the installed package, or beside it in a checkout; raises StartupError."""
    package = Path(coalmine.__file__).parent
    for folder in (package / "examples" / "petstore", package.parent / "examples" / "petstore"):
        if folder.is_dir():
            return folder
    raise StartupError("the pet stores of the demo are not installed", hint="install Coalmine again")


def petstore_spec(version: str, port: int) -> ChildSpec:
    command = [sys.executable, str(petstore_folder()), "--version", version, "--port", str(port), "--until-eof"]
    return ChildSpec(f"petstore {version}", command, announces=False, output=False)


@dataclass
class Demo:
    """One demo: the supervisor on the main thread, the tour on another."""

    gateway: Gateway
    ports: dict[str, int]
    console: Console
    started: float
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> int:
        petstores = [petstore_spec(version, self.ports[name]) for version, name, _ in PETSTORES]
        self.supervisor = Supervisor(
            [*petstores, *self.gateway.specs],
            grace_seconds=GRACE_SECONDS,
            on_ready=threading.Thread(target=self.guide, daemon=True).start,
            on_stopping=self.stop,
        )
        self.greet()
        code = self.supervisor.run()
        self.console.print("Stopped; nothing is left behind." if code == 0 else "Stopped.")
        return code

    def stop(self) -> None:
        self.stopping.set()
        self.gateway.close_sockets()

    def guide(self) -> None:
        """On its own thread. An error of the tour ends the demo, unless it is ending anyway."""
        try:
            self.lead()
        except tour.TourError as error:
            if not self.stopping.is_set():
                self.console.print(f"The demo cannot go on: {error}", style="red", markup=False)
                self.supervisor.request_stop(1)

    @property
    def site(self) -> tour.Site:
        settings = self.gateway.settings
        stores = tuple((name, f"http://{HOST}:{self.ports[name]}") for _, name, _ in PETSTORES)
        return tour.Site(reach(settings.proxy), reach(settings.admin), stores)

    def greet(self) -> None:
        site = self.site
        self.say("[bold]Coalmine demo[/]: two pet stores, and a gateway in front of them\n")
        usual = {"proxy": PROXY_PORT, "admin": ADMIN_PORT, **{name: port for _, name, port in PETSTORES}}
        rows = [(f"petstore {version}", name) for version, name, _ in PETSTORES]
        for label, name in [*rows, ("proxy", "proxy"), ("admin API", "admin")]:
            url = dict(site.petstores).get(name) or f"http://{HOST}:{self.ports[name]}"
            remark = "" if self.ports[name] == usual[name] else f"   ({usual[name]} is taken)"
            self.say(f"  {label:13} {url}{remark}")

    def lead(self) -> None:
        site = self.site
        self.say("\nDiscovering functions")
        self.furnish(site)
        tour.wait_for(lambda: tour.first_answer(site), "the first request is not answered")
        seconds = time.monotonic() - self.started
        self.say(f"\n[green]Ready[/] after {seconds:.1f} seconds. Try, in another terminal:\n")
        for line in suggestions(site, find_command()):
            self.say(f"  {line}" if line else "")
        self.say("\nCtrl-C stops everything and leaves nothing behind.")

    def furnish(self, site: tour.Site) -> None:
        with self.console.status("reading /swagger.json of both"):
            tour.register_petstores(site)
            for name, functions in tour.discover_functions(site):
                self.say(f"  {name}   {', '.join(functions)}")
        if tour.has_routes(site):
            self.say("\nThe routes of the last demo are still there, and stay as they are.")
            return
        tour.add_routes(site)
        self.say(f"\nRoutes of the virtual service {tour.VIRTUAL_SERVICE}")
        for route in tour.ROUTES:
            self.say(f"  {describe_route(route)}")

    def say(self, text: str) -> None:
        if not self.stopping.is_set():
            self.console.print(text)


def describe_route(route: dict[str, Any]) -> str:
    destination = route["destinations"][0]
    function = destination.get("function")
    what = f"function {function}" if function else f"prefix rewritten to {route['rewrite']['prefix']}"
    return f"{route['match']['path']['prefix']:15} {destination['upstream']}   {what}"


def find_command() -> str:
    """How this installation's ``coalmine`` is called from here."""
    python = Path(sys.executable)
    script = python.parent / "coalmine"
    found = shutil.which("coalmine")
    if found and Path(found) == script:
        return "coalmine"
    return shorten(script) if script.exists() else f"{shorten(python)} -m coalmine"


def shorten(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def suggestions(site: tour.Site, command: str) -> list[str]:
    """The lines to try."""
    lines = [
        f"curl {site.proxy}/petstore",
        f"curl {site.proxy}/findPets",
        f"curl {site.proxy}/findPetWithId/1",
        "",
        "# a canary of one function, for whoever sends x-canary: true",
    ]
    if site.admin != f"http://{HOST}:{ADMIN_PORT}":
        lines.append(f"export COALMINE_ADMIN_URL={site.admin}")
    return [
        *lines,
        f"{command} canary start {tour.VIRTUAL_SERVICE}/findPets \\",
        f"    --to {tour.V2} --header x-canary=true",
        f"curl -H 'x-canary: true' {site.proxy}/findPets",
        "",
        "# a tenth of all requests, then all of them",
        f"{command} canary shift {tour.VIRTUAL_SERVICE}/findPets 10",
        f"{command} canary promote {tour.VIRTUAL_SERVICE}/findPets",
        "",
        "# what is there, and why a request goes where it goes",
        f"{command} get routes",
        f"{command} explain GET /findPets",
    ]
