"""``apply --owner``, ``--prune``, ``dump --owner``: sets of files and what is theirs."""

from __future__ import annotations

from pathlib import Path

from tests.coalmine.cli.conftest import Cli

SHOP = "virtual_services: [{name: shop, domains: [shop.example]}]\nroutes:\n"
ONE = "- {name: one, virtual_service: shop, match: {path: {prefix: /one}}, direct_response: {}}\n"
TWO = "- {name: two, virtual_service: shop, match: {path: {prefix: /two}}, direct_response: {}}\n"


def write(folder: Path, text: str) -> str:
    (folder / "shop.yaml").write_text(text)
    return "-f shop.yaml --owner files"


def test_pruning_removes_what_is_the_sets_own_and_no_more_in_it(zoo: Cli, folder: Path) -> None:
    zoo(f"apply {write(folder, SHOP + ONE + TWO)}")
    smaller = write(folder, SHOP + ONE)
    assert zoo(f"diff {smaller}").out == ""
    assert zoo(f"diff {smaller} --prune", code=2).lines == ["- routes/two"]
    assert zoo(f"apply {smaller} --prune").lines == ["- routes/two", "1 removed"]
    assert "find-pets" in zoo("dump").out
    assert "prune=true" in zoo(f"apply {smaller} --prune -o curl").out


def test_a_change_by_hand_is_told_at_once_and_by_the_next_diff(zoo: Cli, folder: Path) -> None:
    files = write(folder, SHOP + ONE)
    zoo(f"apply {files}")
    assert zoo("edit route one --timeout 3").err == "note: not as in its files any more: routes/one (files)\n"
    told = zoo(f"diff {files}", code=2)
    assert told.lines == ["~ routes/one", "    /timeout_seconds: 3.0 -> (absent)"]
    assert told.err == "note: routes/one was changed by others since files wrote it\n"
    assert "owner: files, changed by others since" in zoo("describe route one").lines
    assert zoo("remove route one").err == "note: not as in its files any more: routes/one (files)\n"
    assert zoo(f"apply {files}").lines == ["+ routes/one", "1 added"]
    assert "owner: files" in zoo("describe route one").lines


def test_taking_over_is_told_and_refused_while_pruning(zoo: Cli, folder: Path) -> None:
    zoo(f"apply {write(folder, SHOP + ONE)}")
    other = write(folder, SHOP + ONE.replace("{}}", "{body: hi}}")).replace("files", "others")
    refused = zoo(f"apply {other} --prune", code=1).err
    assert "routes/one (files)" in refused and "[owned_by_other]" in refused
    told = zoo(f"diff {other}", code=2)
    assert "    belongs to others" not in told.lines
    assert told.err == "note: from files to others go over: virtual-services/shop, routes/one\n"
    zoo(f"apply {other}")
    assert zoo(f"apply {other} --prune").err == ""


def test_what_goes_and_belongs_to_others_says_to_whom(zoo: Cli, folder: Path) -> None:
    told = zoo(f"diff {write(folder, SHOP + ONE)} --replace", code=2).lines
    assert told[told.index("- routes/find-pets") + 1] == "    belongs to api"


def test_a_dump_of_one_set_is_what_was_applied(zoo: Cli, folder: Path) -> None:
    files = write(folder, SHOP + ONE)
    zoo(f"apply {files}")
    dumped = zoo("dump --owner files -o json").json
    assert [[item["name"] for item in part] for part in dumped.values()] == [[], ["shop"], ["one"]]
    assert "find-pets" in zoo("dump --owner api").out


def test_replace_and_prune_exclude_each_other(zoo: Cli, folder: Path) -> None:
    files = write(folder, SHOP + ONE)
    assert "give one" in zoo(f"apply {files} --replace --prune", code=2).err
    assert "give one" in zoo(f"diff {files} --replace --prune", code=1).err
