"""Schemas of several documents in one."""

from __future__ import annotations

from typing import Any

from admin_api.schema_references import Components
from coalmine.model import Document, Function
from tests.admin_api.support import NOW, make_function

PET = {"$ref": "#/definitions/Pet"}


def document(
    upstream: str = "u", *, url: str = "http://u/x", version: str = "swagger 2.0", **components: Any
) -> Document:
    times = {"content_hash": "", "fetched_at": NOW, "size_bytes": 0}
    return Document(upstream=upstream, url=url, version=version, components=components, **times)


def function(upstream: str = "u", url: str = "http://u/x") -> Function:
    return make_function(upstream, "f", "/f", document_url=url)


def merge(*documents: Document, schemas: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """By upstream: what becomes of its schema; and the components."""
    components = Components(lambda upstream: [one for one in documents if one.upstream == upstream])
    for upstream, schema in schemas.items():
        components.adopt(function(upstream), schema)
    components.settle()
    adopted = {upstream: components.adopt(function(upstream), schema) for upstream, schema in schemas.items()}
    return adopted, components.list_schemas()


def reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def test_what_a_schema_refers_to_is_collected_with_all_that_follows() -> None:
    pet = {"properties": {"tag": {"$ref": "#/definitions/Tag"}, "parent": PET}}
    pets = document(definitions={"Pet": pet, "Tag": {"type": "string"}, "Unused": {}})
    adopted, schemas = merge(pets, schemas={"u": {"items": PET}})
    assert adopted["u"] == {"items": reference("Pet")}
    assert schemas == {
        "Pet": {"properties": {"tag": reference("Tag"), "parent": reference("Pet")}},
        "Tag": {"type": "string"},
    }


def test_two_that_mean_the_same_share_a_name() -> None:
    tree = {"properties": {"parent": PET, "tag": {"anyOf": [{"$ref": "#/definitions/Tag"}, {"type": "null"}]}}}
    documents = [document(one, definitions={"Pet": tree, "Tag": {"type": "string"}}) for one in ("u", "w")]
    adopted, schemas = merge(*documents, schemas={"u": PET, "w": PET})
    assert adopted == {"u": reference("Pet"), "w": reference("Pet")}
    assert sorted(schemas) == ["Pet", "Tag"]


def test_two_that_differ_are_called_by_their_upstreams_and_so_are_those_that_refer_to_them() -> None:
    tree = {"properties": {"tag": {"$ref": "#/definitions/Tag"}}}
    documents = [
        document(one, definitions={"Pet": tree, "Tag": {"type": kind}})
        for one, kind in (("u", "string"), ("w", "integer"))
    ]
    for order in (("u", "w"), ("w", "u")):
        adopted, schemas = merge(*documents, schemas=dict.fromkeys(order, PET))
        assert adopted == {"u": reference("u.Pet"), "w": reference("w.Pet")}
        assert schemas["w.Pet"] == {"properties": {"tag": reference("w.Tag")}}
        assert sorted(schemas) == ["u.Pet", "u.Tag", "w.Pet", "w.Tag"]


def test_two_names_of_one_document_that_would_become_one_stay_two() -> None:
    pets = document(definitions={"A b": {"type": "string"}, "A_b": {"type": "integer"}})
    both = {"anyOf": [{"$ref": "#/definitions/A b"}, {"$ref": "#/definitions/A_b"}]}
    adopted, schemas = merge(pets, schemas={"u": both})
    assert adopted["u"] == {"anyOf": [reference("u.A_b"), reference("u.A_b.2")]}
    assert schemas == {"u.A_b": {"type": "string"}, "u.A_b.2": {"type": "integer"}}


def test_what_leads_nowhere_or_outside_allows_everything() -> None:
    adopted, schemas = merge(document(), schemas={"u": {"anyOf": [{"$ref": "http://evil.test/x"}, PET]}, "w": PET})
    assert (adopted, schemas) == ({"u": {"anyOf": [{}, {}]}, "w": {}}, {})


def test_each_dialect_is_translated() -> None:
    old = document("u", version="openapi 3.0.1", components={"schemas": {"Pet": {"type": "string", "nullable": True}}})
    new = document("w", version="openapi 3.1.0", components={"schemas": {"Dog": {"const": 1}}})
    ours = {"$ref": "#/components/schemas/Pet", "maxLength": 5}
    theirs = {"$ref": "#/components/schemas/Dog", "description": "5"}
    adopted, schemas = merge(old, new, schemas={"u": ours, "w": theirs})
    assert adopted == {"u": reference("Pet"), "w": reference("Dog") | {"description": "5"}}
    assert schemas == {"Pet": {"type": ["string", "null"]}, "Dog": {"const": 1}}


def test_a_property_that_is_called_ref_is_no_reference() -> None:
    schema = {"properties": {"$ref": {"type": "string"}}}
    two = [document(one, definitions={"Pet": schema}) for one in ("u", "w")]
    adopted, schemas = merge(*two, schemas={"u": PET, "w": PET})
    assert (adopted["u"], schemas) == (reference("Pet"), {"Pet": schema})
