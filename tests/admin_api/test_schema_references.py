"""References of several documents in one."""

from __future__ import annotations

from typing import Any

from admin_api.schema_references import Components
from coalmine.model import Document
from tests.admin_api.support import NOW


def components_of(**components: Any) -> Components:
    document = Document(
        upstream="u", url="http://u/x", content_hash="", version="", fetched_at=NOW, size_bytes=0, components=components
    )
    return Components(lambda upstream: [document])


def test_a_reference_is_renamed_and_what_it_leads_to_is_collected_with_all_that_follows() -> None:
    pet = {"properties": {"tag": {"$ref": "#/definitions/Tag"}, "parent": {"$ref": "#/definitions/Pet"}}}
    components = components_of(definitions={"Pet": pet, "Tag": {"type": "string"}, "Unused": {}})
    assert components.adopt("u", {"items": {"$ref": "#/definitions/Pet"}}) == {
        "items": {"$ref": "#/components/schemas/u.Pet"}
    }
    assert sorted(components.schemas) == ["u.Pet", "u.Tag"]
    assert components.schemas["u.Pet"]["properties"]["parent"] == {"$ref": "#/components/schemas/u.Pet"}


def test_the_components_of_openapi_3_are_found_below_their_own_key() -> None:
    components = components_of(schemas={"A/B": {"type": "object"}})
    assert components.adopt("u", {"$ref": "#/components/schemas/A~1B"}) == {"$ref": "#/components/schemas/u.A_1B"}
    assert list(components.schemas.values()) == [{"type": "object"}]


def test_what_leads_nowhere_or_outside_allows_everything() -> None:
    components = components_of()
    assert components.adopt("u", [{"$ref": "http://evil.test/x"}, {"$ref": "#/nowhere/Pet"}, 5]) == [
        {},
        {"$ref": "#/components/schemas/u.Pet"},
        5,
    ]
    assert components.schemas == {"u.Pet": {}}


def test_a_property_that_is_called_ref_is_no_reference() -> None:
    assert components_of().adopt("u", {"properties": {"$ref": {"type": "string"}}}) == {
        "properties": {"$ref": {"type": "string"}}
    }
