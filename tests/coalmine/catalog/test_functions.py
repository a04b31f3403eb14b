"""What discovery saves, and how it is listed."""

from __future__ import annotations

import pytest

from coalmine.catalog import Catalog
from coalmine.errors import DefinitionError, NotFoundError
from tests.coalmine.catalog.support import REPORT, document, function, route, upstream

HOSTILE = ["a'b", 'a"b', "a%b", "a_b", "a\x00b", "a\nb", "../x", "é😀", "<script>", "a;b--", " ", "x" * 5000]


def save(catalog: Catalog, *functions: object, **more: object) -> None:
    with catalog.write() as writer:
        if writer.find_upstream("u") is None:
            writer.put_upstream(upstream("u"))
        given = {"report": REPORT, "documents": None, **more}
        writer.save_discovery("u", functions=functions, **given)  # type: ignore[arg-type]


def test_functions_are_inserted_and_updated_and_the_others_stay(catalog: Catalog) -> None:
    save(catalog, function("a"), function("b"))
    save(catalog, function("b", state="removed"), function("c"))
    with catalog.read() as reader:
        found = {item.name: item.state for item in reader.functions_of("u")}
        assert found == {"a": "active", "b": "removed", "c": "active"}
        assert reader.function_names("u") == ["a", "b", "c"]
        assert reader.get_function("u", "a") == function("a")


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:12])
def test_names_of_documents_come_back_byte_for_byte(catalog: Catalog, name: str) -> None:
    save(catalog, function(name, path=f"/{name}", tags=[name], summary=name))
    with catalog.read() as reader:
        assert reader.get_function("u", name).name == name
        assert [item.name for item in reader.list_functions(tag=name).items] == [name]
        assert reader.list_functions(tag=name + "!").total == 0


def test_what_is_not_unicode_is_refused_and_nothing_is_saved(catalog: Catalog) -> None:
    with pytest.raises(DefinitionError, match="cannot be written as JSON"):
        save(catalog, function("good"), function("bad", extensions={"x-y": "\ud800"}))
    with catalog.read() as reader:
        assert reader.list_functions().total == 0


def test_documents_are_replaced_as_a_whole_or_stay(catalog: Catalog) -> None:
    save(catalog, documents=[document("/a", components={"x": {"deep": [1, None, "é"]}}), document("/b")])
    save(catalog, documents=None)
    with catalog.read() as reader:
        assert [found.url for found in reader.documents_of("u")] == ["/a", "/b"]
        assert reader.documents_of("u")[0].components == {"x": {"deep": [1, None, "é"]}}
    save(catalog, documents=[document("/c")])
    with catalog.read() as reader:
        assert reader.documents_of("u") == (document("/c"),)


def test_the_report_is_the_last_one(catalog: Catalog) -> None:
    save(catalog)
    save(catalog, report=REPORT.model_copy(update={"detail": "later"}))
    with catalog.read() as reader:
        report = reader.find_report("u")
        assert report is not None and report.detail == "later"
        assert reader.find_report("other") is None


def test_discovery_of_an_upstream_that_was_deleted_meanwhile_saves_nothing(catalog: Catalog) -> None:
    with catalog.write() as writer:
        writer.save_discovery("u", functions=[function("a")], report=REPORT, documents=[document()])
    with catalog.read() as reader:
        assert reader.list_functions().total == 0
        assert reader.find_report("u") is None


def test_with_an_upstream_go_its_functions_report_and_documents(catalog: Catalog) -> None:
    save(catalog, function("a"), documents=[document()])
    with catalog.write() as writer:
        writer.delete_upstream("u")
        writer.put_upstream(upstream("u"))
        assert writer.functions_of("u") == ()
        assert writer.find_report("u") is None
        assert writer.documents_of("u") == ()


def test_replacing_an_upstream_keeps_its_functions(catalog: Catalog) -> None:
    save(catalog, function("a"))
    with catalog.write() as writer:
        writer.put_upstream(upstream("u", labels={"new": "yes"}))
        assert writer.function_names("u") == ["a"]


def test_a_missing_function_is_told_with_the_nearest_one(catalog: Catalog) -> None:
    save(catalog, function("findPets"))
    with catalog.read() as reader:
        with pytest.raises(NotFoundError) as caught:
            reader.get_function("u", "findpets")
        assert caught.value.hint == "did you mean findPets?"
        with pytest.raises(NotFoundError) as caught:
            reader.get_function("u", "zzzzzzzz")
        assert caught.value.hint is None


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["addPet", "findPets", "oldPets"]),
        ({"q": "PET find"}, ["findPets"]),
        ({"q": "/api/pets"}, ["addPet", "findPets"]),
        ({"q": "creates"}, ["addPet"]),
        ({"q": "%"}, []),
        ({"q": "u"}, ["addPet", "findPets", "oldPets"]),
        ({"upstream": "u"}, ["addPet", "findPets", "oldPets"]),
        ({"upstream": "v"}, []),
        ({"method": "post"}, ["addPet"]),
        ({"tag": "pets"}, ["addPet", "findPets"]),
        ({"tag": "pet"}, []),
        ({"tag": '", "'}, []),
        ({"tag": "pets\n"}, []),
        ({"state": "removed"}, ["oldPets"]),
        ({"state": "active", "tag": "pets", "method": "GET", "upstream": "u", "q": "pets"}, ["findPets"]),
    ],
    ids=str,
)
def test_functions_are_filtered(catalog: Catalog, filters: dict[str, str], names: list[str]) -> None:
    save(
        catalog,
        function("findPets", path="/api/pets", tags=["pets", "read"]),
        function("addPet", path="/api/pets", method="POST", tags=["pets"], summary="Creates one"),
        function("oldPets", path="/old", state="removed"),
    )
    with catalog.read() as reader:
        page = reader.list_functions(**filters)  # type: ignore[arg-type]
    assert [found.name for found in page.items] == names
    assert page.total == len(names)


def test_pages_go_across_upstreams_whatever_the_names(catalog: Catalog) -> None:
    with catalog.write() as writer:
        for owner in ("u", "v"):
            writer.put_upstream(upstream(owner))
            functions = [function(name, upstream=owner) for name in HOSTILE]
            writer.save_discovery(owner, functions=functions, report=REPORT, documents=None)
    with catalog.read() as reader:
        found, cursor = [], None
        while True:
            page = reader.list_functions(limit=5, cursor=cursor)
            assert page.total == 2 * len(HOSTILE)
            found += [(item.upstream, item.name) for item in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
    assert found == sorted((owner, name) for owner in ("u", "v") for name in HOSTILE)


def test_listing_reads_an_index_and_not_the_large_documents(catalog: Catalog) -> None:
    save(catalog, *(function(f"f{number}", description="x" * 2000) for number in range(300)))
    with catalog.read() as reader:
        plan = reader._session.connection().exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT count(*) FROM function WHERE instr(search, 'x') > 0 AND method = 'GET'"
        )
        assert "COVERING INDEX ix_function_upstream_name" in " ".join(str(row) for row in plan)


def test_what_routes_use_is_found_by_index_however_many_functions_there_are(catalog: Catalog) -> None:
    save(catalog, *(function(f"f{number}") for number in range(300)))
    asked: list[str] = []
    with catalog.write() as writer:
        writer.put_route(route("r", to="u", function="f7"))
    fresh = Catalog(f"sqlite:///{catalog.path}")  # one that remembers nothing
    with fresh.read() as reader:
        connection = reader._session.connection()
        connection.connection.driver_connection.set_trace_callback(asked.append)  # type: ignore[union-attr]
        assert [one.name for one in reader.load_definitions().functions] == ["f7"]
        (loading,) = [text for text in asked if text.startswith("WITH wanted (upstream, name, state)")]
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {loading}")]
    fresh.close()
    assert any(step.startswith("SEARCH found") for step in plan)
    assert not any(step.startswith("SCAN found") for step in plan)
