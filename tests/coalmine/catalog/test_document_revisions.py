"""Revisions of documents: one for each content, a bounded number, readable as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coalmine.catalog import Catalog, document_revisions
from coalmine.errors import CatalogError, CoalmineError, NotFoundError
from coalmine.model import Document
from tests.coalmine.catalog.support import document, function, upstream

A = b'{"swagger": "2.0"}'


@pytest.fixture
def catalog(tmp_path: Path) -> Any:
    catalog = Catalog(f"sqlite:///{tmp_path / 'c.db'}", document_revisions=3)
    catalog.migrate()
    with catalog.write() as writer:
        writer.put_upstream(upstream("u"))
    yield catalog
    catalog.close()


def keep(catalog: Catalog, content: str, *names: str, text: bytes = A, **more: Any) -> int | None:
    one = document(content_hash=content, title=content, **more)
    with catalog.write() as writer:
        return writer.keep_documents("u", [one], [function(name) for name in names], {one.url: text})


def numbers(catalog: Catalog) -> list[int]:
    with catalog.read() as reader:
        return reader.document_revisions.numbers("u")


def test_every_content_makes_a_revision_and_the_same_content_makes_none(catalog: Catalog) -> None:
    assert [keep(catalog, "one", "f"), keep(catalog, "one", "f"), keep(catalog, "two", "f", "g")] == [1, None, 2]
    assert keep(catalog, "one", "f") == 3  # back to what it was: that is news, too


def test_a_revision_tells_what_was_read_and_as_what_it_came(catalog: Catalog) -> None:
    keep(catalog, "one", "f", components={"definitions": {"Pet": {}}}, text=b"\xff\n\x00two lines\n")
    with catalog.read() as reader:
        found = reader.document_revisions.get("u", 1)
        content = reader.document_revisions.get_content("u", 1)
        texts = reader.document_revisions.find_texts("u", 1)
    assert (found.number, found.function_count, found.documents[0].title) == (1, 1, "one")
    assert [one.name for one in content.functions] == ["f"]
    assert content.components == {"/openapi.json": {"definitions": {"Pet": {}}}}
    assert texts == {"/openapi.json": b"\xff\n\x00two lines\n"}


def test_several_documents_are_one_revision_with_all_texts(catalog: Catalog) -> None:
    documents = [document("/a", content_hash="a"), document("/b", content_hash="b")]
    with catalog.write() as writer:
        writer.keep_documents("u", documents, [], {"/a": b"one\n", "/b": b"two"})
        assert writer.document_revisions.find_texts("u", 1) == {"/a": b"one\n", "/b": b"two"}
        assert writer.keep_documents("u", documents[::-1], [], {}) is None  # the order is no content


def test_the_oldest_go_and_numbers_go_on(catalog: Catalog) -> None:
    for number in range(1, 6):
        keep(catalog, f"content {number}", f"f{number}")
    assert numbers(catalog) == [3, 4, 5]


def test_those_that_tell_nothing_go_before_those_that_do(catalog: Catalog) -> None:
    keep(catalog, "one", "f")
    keep(catalog, "two", "f", "g")
    for number in range(20):
        keep(catalog, f"time {number}", "f", "g", "h")
    assert numbers(catalog) == [1, 2, 22]


def test_the_newest_stays_even_where_none_is_to_be_kept(catalog: Catalog) -> None:
    catalog._document_revisions = 0
    keep(catalog, "one")
    keep(catalog, "two", "f")
    assert numbers(catalog) == [2]


def test_texts_that_are_too_large_are_not_kept(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_revisions, "_MAX_TEXTS", 10)
    keep(catalog, "one", "f")
    with catalog.read() as reader:
        assert reader.document_revisions.find_texts("u", 1) is None
        assert len(reader.document_revisions.get_content("u", 1).functions) == 1


def test_pages_are_newest_first(catalog: Catalog) -> None:
    for number in range(3):
        keep(catalog, str(number), f"f{number}")
    with catalog.read() as reader:
        first = reader.document_revisions.page("u", limit=2)
        rest = reader.document_revisions.page("u", limit=2, cursor=first.next_cursor)
    assert ([one.number for one in first.items], first.total) == ([3, 2], 3)
    assert ([one.number for one in rest.items], rest.next_cursor) == ([1], None)


@pytest.mark.parametrize("cursor", ["WyJ4Il0", "nonsense", "WyI5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OSJd"])
def test_a_cursor_that_no_page_gave_out_is_refused(catalog: Catalog, cursor: str) -> None:
    with catalog.read() as reader, pytest.raises(CoalmineError) as caught:
        reader.document_revisions.page("u", cursor=cursor)
    assert caught.value.code == "invalid_query"


def test_a_revision_that_is_not_kept_is_told_with_those_that_are(catalog: Catalog) -> None:
    with catalog.read() as reader, pytest.raises(NotFoundError) as caught:
        reader.document_revisions.get("u", 7)
    assert caught.value.hint == "none is kept"
    keep(catalog, "one")
    with catalog.read() as reader, pytest.raises(NotFoundError) as caught:
        reader.document_revisions.get_content("u", 7)
    assert caught.value.hint == "kept are 1"


def test_they_go_with_the_upstream_and_none_is_made_without(catalog: Catalog) -> None:
    keep(catalog, "one")
    with catalog.write() as writer:
        writer.delete_upstream("u")
    assert numbers(catalog) == []
    assert keep(catalog, "two") is None


@pytest.mark.parametrize(
    ("blob", "why"),
    [
        pytest.param(b"not deflated", "incorrect header check", id="not deflated"),
        pytest.param(b"x\x9c\x03", "it has no end", id="cut off"),
        pytest.param(b"x\x9c\xabV*\x01\x00\x02\xc4\x01Q", "its content is none|incorrect", id="another text"),
    ],
)
def test_damage_is_noticed(catalog: Catalog, blob: bytes, why: str) -> None:
    keep(catalog, "one", "f")
    with catalog.write() as writer:
        writer._session.connection().exec_driver_sql("UPDATE document_revision SET content = ?", (blob,))
    with catalog.read() as reader, pytest.raises(CatalogError, match=why):
        reader.document_revisions.get_content("u", 1)


def test_content_that_is_no_content_is_damage(catalog: Catalog) -> None:
    import zlib

    keep(catalog, "one", "f")
    with catalog.write() as writer:
        statement = "UPDATE document_revision SET content = ?"
        writer._session.connection().exec_driver_sql(statement, (zlib.compress(b'{"functions": 1}'),))
    with catalog.read() as reader, pytest.raises(CatalogError, match="its content is none"):
        reader.document_revisions.get_content("u", 1)


def test_the_digest_does_not_depend_on_where_documents_were_found() -> None:
    def digest(*documents: Document) -> str:
        return document_revisions.digest_of(documents)

    assert digest(document("/a", content_hash="x")) == digest(document("/b", content_hash="x"))
    assert digest(document(content_hash="x")) != digest(document(content_hash="y"))
