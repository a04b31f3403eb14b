"""Successful answers: JSON, or YAML where Accept asks for it, with a strong ETag and 304."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from fastapi import Request
from starlette.responses import Response

from admin_api.etags import hash_definition, is_unchanged, make_tag
from admin_api.problems import encode_json
from admin_api.roles import READER, ROLE
from admin_api.secrets import mask_secrets

YAML_TYPES = ("application/yaml", "text/yaml", "application/x-yaml")
# libyaml's emitter where the wheel has it: ten times faster on a large dump.
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def answer(
    request: Request,
    value: Any,
    *,
    definition: Any = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """``value`` as the client wants it. ``definition`` is the part that ``If-Match`` guards (default: all)."""
    if request.scope.get(ROLE) == READER:
        value = mask_secrets(value)
    body, media_type = _encode(request, value)
    tag = make_tag(hash_definition(value if definition is None else definition), body)
    extra = {"etag": tag, "vary": "accept", **(headers or {})}
    if request.method in ("GET", "HEAD") and is_unchanged(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=extra)
    return Response(body, status, extra, media_type)


def _encode(request: Request, value: Any) -> tuple[bytes, str]:
    accept = request.headers.get("accept", "").lower()
    wanted = next((kind for kind in YAML_TYPES if kind in accept), None)
    if wanted is None or "application/json" in accept:
        return encode_json(value), "application/json"
    text = yaml.dump(value, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, default_flow_style=False)
    return text.encode("utf-8", "backslashreplace"), wanted
