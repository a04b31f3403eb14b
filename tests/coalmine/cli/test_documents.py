"""What services published, on the command line."""

from __future__ import annotations

import pytest

from coalmine.model import Document, Parameter
from tests.admin_api.support import NOW, V1, Api, petstore_functions
from tests.coalmine.cli.conftest import Cli

URL = "http://127.0.0.1:9001/swagger.json"


@pytest.fixture
def published(api: Api) -> Api:
    find, add, *_ = petstore_functions(V1)
    owner = Parameter(name="owner", place="query", required=True)
    changed = find.model_copy(update={"parameters": (*find.parameters, owner)})
    for content, functions in (("one", [find, add]), ("two", [changed])):
        document = Document(
            upstream=V1,
            url=URL,
            content_hash=content,
            version="swagger 2.0",
            title="Pets",
            fetched_at=NOW,
            size_bytes=2,
        )
        with api.catalog.write() as writer:
            writer.keep_documents(V1, [document], functions, {URL: f"text \x1b[31m{content}".encode()})
    return api


def test_revisions_are_a_table(published: Api, cli: Cli) -> None:
    assert cli(f"get documents {V1}").lines == [
        "REVISION  FETCHED               FUNCTIONS  VERSION      TITLE  DOCUMENT",
        f"2         2026-01-02 03:04:05Z  1          swagger 2.0  Pets   {URL}",
        f"1         2026-01-02 03:04:05Z  2          swagger 2.0  Pets   {URL}",
    ]
    assert [item["number"] for item in cli(f"get documents {V1} -o json").json] == [2, 1]
    assert len(cli(f"get document {V1} 1 -o json").json["functions"]) == 2


def test_the_text_is_printed_as_it_came_but_for_what_a_terminal_obeys(published: Api, cli: Cli) -> None:
    printed = cli(f"get documents {V1} 1 --raw").out
    assert printed.startswith("text ")
    assert "\x1b" not in printed
    assert "REVISION" in cli(f"get documents {V1} --raw", code=2).err


def test_a_diff_shows_each_function_and_ends_with_2(published: Api, cli: Cli) -> None:
    shown = cli(f"document diff {V1}", code=2).lines
    assert shown[0] == f"documents of {V1}, revision 1 to 2: 1 removed, 1 changed; the worst is breaking"
    assert shown[1] == "- addPet  POST /api/pets  [breaking]"
    assert shown[2] == "~ findPets  GET /api/pets  [breaking]"
    assert shown[3].startswith("    breaking: /parameters/query/owner: ")
    assert shown[3].endswith("[new-required-request-parameter]")
    assert cli(f"document diff {V1} --from 2 --to 1 -o json", code=2).json["from"] == 2


def test_no_difference_ends_with_0(published: Api, cli: Cli) -> None:
    assert cli(f"document diff {V1} --from 1 --to 1").lines == [
        f"documents of {V1}, revision 1 to 1: no function differs"
    ]


def test_the_rest_call_can_be_printed(published: Api, cli: Cli) -> None:
    assert f"/api/v1/upstreams/{V1}/diff?from=1" in cli(f"document diff {V1} --from 1 -o curl").out


def test_describe_shows_the_last_revisions(published: Api, cli: Cli) -> None:
    shown = cli(f"describe upstream {V1}").out
    assert "documents (coalmine document diff shows what changed)" in shown
    assert [one["number"] for one in cli(f"describe upstream {V1} -o json").json["documents"]] == [2, 1]
