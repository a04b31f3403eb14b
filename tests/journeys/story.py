"""The words of the story: who is who, and what the answers are."""

from __future__ import annotations

from pathlib import Path

MANIFESTS = Path(__file__).parent / "manifests"

V1 = "default-petstore-v1-8080"
V2 = "default-petstore-v2-8080"

TWO_PETS = b'[{"id":1,"name":"Dog","status":"available"},{"id":2,"name":"Cat","status":"pending"}]'
THREE_PETS = (
    b'[{"id":1,"name":"Dog","status":"v2"},{"id":2,"name":"Cat","status":"v2"},{"id":3,"name":"Parrot","status":"v2"}]'
)
DOG = b'{"id":1,"name":"Dog","status":"available"}'
DOG_V2 = b'{"id":1,"name":"Dog","status":"v2"}'
CAT = b'{"id":2,"name":"Cat","status":"pending"}'
PARROT = b'{"id":3,"name":"Parrot","status":"v2"}'
NO_PET_3 = b'{"code":404,"message":"not found: pet 3"}'


def manifest(name: str) -> Path:
    return MANIFESTS / f"{name}.yaml"
