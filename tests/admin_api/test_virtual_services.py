"""Virtual services over the wire: what only they have."""

from __future__ import annotations

from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator

from coalmine.model import Parameter, RequestBody, Response
from tests.admin_api.support import V1, V2, Api, make_function

URL = "/api/v1/virtual-services"
PET = {"$ref": "#/definitions/Pet"}


def route(path: dict[str, str], function: str, **more: Any) -> dict[str, Any]:
    destinations = [
        {"upstream": V2, "function": function, "weight": 10},
        {"upstream": V1, "function": function, "weight": 90},
    ]
    return {"virtual_service": "coalmine", "match": {"path": path}, "destinations": destinations} | more


def test_create_read_change_delete(api: Api) -> None:
    assert api.post(URL, {"name": "shop", "domains": ["Shop.Example"]}).json()["domains"] == ["shop.example"]
    status = {"state": "accepted", "problems": [], "owner": "api", "drifted": False, "routes": 0}
    assert api.get(f"{URL}/shop").json()["status"] == status
    assert api.patch(f"{URL}/shop", {"domains": ["*.example"]}).json()["domains"] == ["*.example"]
    assert api.delete(f"{URL}/shop").status_code == 204


def test_a_domain_has_one_owner(petstore: Api) -> None:
    fault = petstore.post(URL, {"name": "other"}).json()["errors"][0]
    assert (fault["pointer"], fault["code"]) == ("/domains/0", "domain_conflict")


def test_one_with_routes_is_deleted_by_force_alone(petstore: Api) -> None:
    petstore.post("/api/v1/routes", route({"prefix": "/findPets"}, "findPets", name="r"))
    assert petstore.get(f"{URL}/coalmine").json()["status"]["routes"] == 1
    assert petstore.delete(f"{URL}/coalmine").json()["used_by"] == ["routes/r"]
    assert petstore.delete(f"{URL}/coalmine?force=true").status_code == 204
    status = petstore.get("/api/v1/routes/r").json()["status"]
    assert (status["state"], status["problems"][0]["code"]) == ("rejected", "virtual_service_missing")


def test_lists_search_names_and_domains(petstore: Api) -> None:
    petstore.post(URL, {"name": "shop", "domains": ["shop.example"]})
    assert [one["name"] for one in petstore.get(f"{URL}?q=EXAMPLE").json()["items"]] == ["shop"]


def get_document(api: Api) -> dict[str, Any]:
    document: dict[str, Any] = api.get(f"{URL}/coalmine/openapi.json").json()
    OpenAPIV31SpecValidator(document).validate()
    return document


def test_the_gateways_document_lists_functions_under_their_public_paths(petstore: Api) -> None:
    petstore.post("/api/v1/routes", route({"prefix": "/findPets"}, "findPets"))
    petstore.post("/api/v1/routes", route({"prefix": "/findPetWithId"}, "findPetById"))
    petstore.post("/api/v1/routes", route({"template": "/animals/{id}"}, "findPetById"))
    document = get_document(petstore)
    assert document["openapi"] == "3.1.0"
    assert sorted(document["paths"]) == ["/animals/{id}", "/findPetWithId/{id}", "/findPets"]
    operation = document["paths"]["/findPets"]["get"]
    assert (operation["operationId"], operation["tags"]) == ("findPets", ["pet"])
    assert [one["weight"] for one in operation["x-coalmine-destinations"]] == [10, 90]
    assert [one["name"] for one in operation["parameters"]] == ["tags"]


def test_bodies_answers_and_their_schemas_come_along(petstore: Api) -> None:
    add_pet = make_function(
        V1,
        "addPet",
        "/api/pets/{id}",
        "POST",
        description="Adds one",
        deprecated=True,
        parameters=(
            Parameter(name="id", place="path", required=True, schema_={"type": "integer"}),
            Parameter(name="dry", place="query", schema_={"type": "boolean"}, description="try only"),
        ),
        request_body=RequestBody(required=True, content_types=("application/json",), schema_=PET),
        responses=(Response(status="201", schema_=PET, description="made"), Response(status="default")),
    )
    petstore.discover(V1, add_pet)
    destinations = [{"upstream": V1, "function": "addPet"}]
    petstore.post("/api/v1/routes", route({"prefix": "/add"}, "addPet", destinations=destinations, name="r"))
    document = get_document(petstore)
    operation = document["paths"]["/add/{id}"]["post"]
    reference = {"$ref": "#/components/schemas/Pet"}
    assert operation["requestBody"] == {"required": True, "content": {"application/json": {"schema": reference}}}
    assert operation["responses"]["201"]["content"]["application/json"]["schema"] == reference
    assert operation["responses"]["default"] == {"description": ""}
    assert [(one["name"], one["in"], one["schema"]) for one in operation["parameters"]] == [
        ("id", "path", {"type": "integer"}),
        ("dry", "query", {"type": "boolean"}),
    ]
    assert operation["deprecated"] and operation["description"] == "Adds one"
    assert document["components"]["schemas"] == {"Pet": {"type": "object", "properties": {"tag": {}}}}
    assert document["servers"] == [{"url": "http://127.0.0.1:8080"}]


def test_operation_ids_of_the_gateways_document_are_distinct(petstore: Api) -> None:
    petstore.post("/api/v1/routes", route({"exact": "/a"}, "findPets", name="a"))
    petstore.post("/api/v1/routes", route({"exact": "/b"}, "findPets", name="b"))
    paths = get_document(petstore)["paths"]
    assert {paths["/a"]["get"]["operationId"], paths["/b"]["get"]["operationId"]} == {"findPets", "b.findPets"}


def test_what_a_document_cannot_say_is_named_and_not_listed(petstore: Api) -> None:
    headers = {"match": {"path": {"prefix": "/x"}, "headers": [{"name": "x", "present": True}]}}
    petstore.post("/api/v1/routes", route({}, "findPets", name="with-header") | headers)
    petstore.post("/api/v1/routes", {"name": "plain", "virtual_service": "coalmine", "direct_response": {}})
    document = get_document(petstore)
    assert (document["paths"], sorted(document["x-coalmine-unlisted"])) == ({}, ["plain", "with-header"])
