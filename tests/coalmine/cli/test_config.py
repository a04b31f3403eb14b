"""``apply``, ``diff``, ``dump`` and ``check``: files in, files out."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from coalmine.feed import WorkerState
from tests.admin_api.support import V1, V2, petstore_functions
from tests.coalmine.cli.conftest import Cli

MANIFEST = """
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {{name: coalmine, namespace: gloo-system}}
spec:
  virtualHost:
    domains: ['*']
    routes:
    - matcher: {{prefix: /findPets}}
      routeAction:
        single:
          destinationSpec: {{rest: {{functionName: findPets, parameters: {{}}}}}}
          upstream: {{name: {upstream}, namespace: gloo-system}}
"""


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return name


def test_a_manifest_is_applied_and_applying_it_again_changes_nothing(cli: Cli, folder: Path) -> None:
    name = write(folder, "a.yaml", MANIFEST.format(upstream=V1))
    assert cli(f"diff -f {name}", code=2).lines == ["+ virtual-services/coalmine", "+ routes/coalmine-find-pets"]
    assert cli(f"apply -f {name}").lines[-1] == "2 added"
    assert cli(f"apply -f {name}").out == "nothing to change\n"
    assert cli(f"diff -f {name}").out == ""


def test_a_manifest_replaces_all_routes_of_its_virtual_service(zoo: Cli, folder: Path) -> None:
    zoo(f"apply -f {write(folder, 'a.yaml', MANIFEST.format(upstream=V2))}")
    assert [item["name"] for item in zoo("get routes -o json").json] == ["coalmine-find-pets"]


def test_a_dump_is_applied_to_where_it_came_from_without_a_change(zoo: Cli, folder: Path) -> None:
    zoo(
        f"add route --name coalmine -p /findPetWithId -u {V1} -f findPetById "
        "--rest-parameters :path=/findPetWithId/{id}"
    )
    for suffix, output in ((".yaml", ""), (".json", "-o json")):
        name = write(folder, f"all{suffix}", zoo(f"dump {output}").out)
        assert zoo(f"diff -f {name} --replace").out == ""
        assert zoo(f"apply -f {name} --replace").out == "nothing to change\n"
    assert ":path: /findPetWithId/{id}" in zoo("dump").out


def test_replace_also_removes(zoo: Cli, folder: Path) -> None:
    name = write(folder, "a.yaml", "upstreams: []\nvirtual_services: []\nroutes: []\n")
    assert "- routes/find-pets" in zoo(f"diff -f {name} --replace", code=2).lines
    assert zoo(f"apply -f {name} --replace --dry-run").lines[-1] == "5 removed (dry run: nothing was changed)"
    assert zoo(f"apply -f {name} --replace").lines[-1] == "5 removed"


def test_files_folders_and_standard_input(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "more").mkdir()
    write(folder, "more/b.yml", "name: two\ndomains: [two.example.com]\n")
    write(folder, "more/c.json", '{"name": "three", "domains": ["three.example.com"]}')
    write(folder, "more/read.me", "{{{")
    write(folder, "a.yaml", "---\n---\nkind: virtual_service\nname: one\ndomains: [one.example.com]\n")
    stdin = io.TextIOWrapper(io.BytesIO(b"name: four\ndomains: [four.example.com]\n"))
    monkeypatch.setattr("sys.stdin", stdin)
    cli("apply -f a.yaml -f more -f -")
    assert [item["name"] for item in cli("get vs -o json").json] == ["four", "one", "three", "two"]


def test_one_bad_document_and_nothing_is_applied(cli: Cli, folder: Path) -> None:
    good = write(folder, "good.yaml", "name: one\ndomains: [one.example.com]\n---\nname: two\ndomainz: [b]\nkind: vs\n")
    bad = write(folder, "bad.yaml", f"name: r\nvirtual_service: one\ndestinations: [{{upstream: {V1}, weight: -1}}]\n")
    before = cli("dump").out
    refused = cli(f"apply -f {good} -f {bad}", code=1).err
    assert "good.yaml document 2 /kind: 'vs' is no kind of Coalmine's" in refused
    assert "bad.yaml /destinations/0/weight: " in refused
    assert cli("dump").out == before


def test_a_fault_of_one_file_is_led_back_to_it(cli: Cli, folder: Path) -> None:
    name = write(folder, "a.yaml", MANIFEST.format(upstream="nobody"))
    refused = cli(f"apply -f {name}", code=1).err
    assert "a.yaml /spec/virtualHost/routes/0/routeAction/single/upstream/name: no upstream nobody" in refused


def test_what_stands_twice_is_told_with_both_files(cli: Cli, folder: Path) -> None:
    first = write(folder, "a.yaml", "name: one\ndomains: [a.test]\n---\nname: two\ndomains: [b.test]\n")
    second = write(folder, "b.yaml", "name: two\ndomains: [c.test]\n")
    refused = cli(f"apply -f {first} -f {second}", code=1).err.splitlines()
    assert refused[1:] == ["  b.yaml /name: two stands twice in this set", "      the other: a.yaml document 2 /name"]


def test_what_is_no_mapping_is_told_once_with_the_keys_that_there_are(cli: Cli, folder: Path) -> None:
    refused = cli(f"apply -f {write(folder, 'text.yaml', 'hello')}", code=1).err.splitlines()
    assert refused[0] == "error: text.yaml: a document is a mapping  [invalid_definition]"
    assert "upstreams, virtual_services, routes" in refused[1]
    assert len(refused) == 2


def test_a_key_that_stands_twice_is_told_with_its_file(cli: Cli, folder: Path) -> None:
    name = write(folder, "a.yaml", "name: one\ndomains: [a.test]\nname: two\n")
    refused = cli(f"apply -f {name}", code=1).err
    assert "a.yaml: the key 'name' stands twice in one object (line 3, column 1; first in line 1)" in refused


NEW = """
upstreams: [{name: new, endpoints: ["http://127.0.0.1:9"]}]
virtual_services: [{name: zoo, domains: [zoo.test]}]
routes:
- {name: all, virtual_service: zoo, destinations: [{upstream: new, function: findPets}]}
- {name: typo, virtual_service: zoo, match: {path: {prefix: /b}}, destinations: [{upstream: new, function: findPet}]}
"""


def test_what_waits_for_discovery_is_a_note_and_no_error(cli: Cli, folder: Path) -> None:
    told = cli(f"apply -f {write(folder, 'a.yaml', NEW)}").err
    assert "note: waiting for discovery of new: routes/all, routes/typo" in told
    assert "apply --wait SECONDS" in told
    assert "error" not in told


@pytest.fixture
def found_later(cli: Cli) -> Iterator[None]:
    """Discovery of the upstream ``new``, a moment after it is asked for."""

    def discover() -> None:
        functions = [one for one in petstore_functions("new") if one.name == "findPets"]
        cli.api.discover("new", *functions)

    timer = threading.Timer(1.0, discover)
    timer.start()
    yield
    timer.join()


def test_apply_waits_until_the_functions_are_found(cli: Cli, folder: Path, found_later: None) -> None:
    text = NEW.rpartition("- {name: typo")[0]
    cli(f"apply -f {write(folder, 'a.yaml', text)} --wait 20")
    assert cli("get problems -o json").json == []


def test_what_was_read_and_is_not_there_is_an_error(cli: Cli, folder: Path, found_later: None) -> None:
    told = cli(f"apply -f {write(folder, 'a.yaml', NEW)} --wait 20", code=1).err
    assert "error: routes/typo: the upstream new has no function findPet  [function_unknown]" in told


def test_waiting_has_an_end(cli: Cli, folder: Path) -> None:
    told = cli(f"apply -f {write(folder, 'a.yaml', NEW)} --wait 0.3", code=1).err
    assert told.splitlines()[-1] == "note: waiting for discovery of new: routes/all, routes/typo"


BROKEN = {
    "no such file": ("nowhere.yaml", "nowhere.yaml cannot be read: No such file or directory"),
    "nothing in it": ("empty.yaml", "there is no document in empty.yaml"),
    "no YAML": ("broken.yaml", "broken.yaml: "),
}


@pytest.mark.parametrize(("name", "said"), BROKEN.values(), ids=BROKEN)
def test_files_that_cannot_be_read(cli: Cli, folder: Path, name: str, said: str) -> None:
    write(folder, "empty.yaml", "---\n")
    write(folder, "broken.yaml", "a: [1\nb: }")
    assert said in cli(f"apply -f {name}", code=1).err


def test_check_is_content_when_everything_is_as_written(zoo: Cli) -> None:
    told = zoo("check", code=1)  # no worker is connected in this test: that alone is a problem
    assert "workers" in told.out
    assert "find-pets" not in told.out


def test_check_lists_everything_that_is_wrong(zoo: Cli) -> None:
    zoo("create upstream static --name silent --static-hosts 127.0.0.1:1")
    zoo(f"delete upstream {V1} --force")
    found = zoo("check -o json", code=1).json
    assert {item["where"] for item in found} >= {"routes/find-pets", "routes/petstore", "upstreams/silent"}
    assert next(item["code"] for item in found if item["where"] == "upstreams/silent") == "discovery_pending"


def test_apply_and_diff_print_their_rest_call(cli: Cli, folder: Path) -> None:
    name = write(folder, "a.yaml", "name: one\ndomains: [one.example.com]\n---\nname: two\ndomains: [b.example.com]\n")
    assert "/config/apply -H 'content-type: application/yaml'" in cli(f"apply -f {name} -o curl").out
    assert "-X PUT" in cli(f"apply -f {name} --replace -o curl").out
    assert "/config/diff?replace=true" in cli(f"diff -f {name} --replace -o curl").out


def test_apply_and_diff_as_json(cli: Cli, folder: Path) -> None:
    name = write(folder, "a.yaml", "name: one\ndomains: [one.example.com]\n")
    assert cli(f"diff -f {name} -o json", code=2).json["changes"][0]["object"] == "virtual-services/one"
    assert cli(f"apply -f {name} -o json").json["dry_run"] is False


def test_problems_that_a_set_brings_are_told(zoo: Cli, folder: Path) -> None:
    late = f"""
name: late
virtual_service: coalmine
match: {{path: {{prefix: /findPets}}}}
destinations: [{{upstream: {V2}}}]
"""
    told = zoo(f"apply -f {write(folder, 'a.yaml', late)}")
    assert "warning: routes/late: " in told.err
    assert "[route_shadowed]" in told.err


def test_check_finds_nothing_where_a_worker_serves(zoo: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = [WorkerState(1, 0, zoo.api.feed.current.version)]
    monkeypatch.setattr(zoo.api.feed, "workers", lambda: workers)
    assert zoo("check").out == "everything is as written\n"
    assert zoo("check -o json").json == []
