"""Operations of a document: every one becomes a function, and a bad one costs itself only.

Webhooks and callbacks are requests that the service sends, not functions it offers; they are not taken. Which
name an operation gets is decided later (``discovery.naming``), when all documents of the upstream are known.
This file performs no I/O.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from discovery.bodies import find_body, list_responses
from discovery.document import Document
from discovery.found import Found, Reading, TooManyError
from discovery.kept import keep_components
from discovery.parameters import list_parameters
from discovery.reader import Reader
from discovery.references import References, Resolved, escape
from discovery.schema_names import replace_names
from discovery.servers import base_of_swagger, find_base, join
from discovery.text import clean_name, has_control

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}")  # RFC 9110 section 5.6.2
# The longest request target that servers commonly accept; a longer path can be called nowhere.
_MAX_PATH = 4_000
_MAX_TAGS = 50
# Extensions that people filter by are short; code samples and the like stay in the document.
_MAX_EXTENSION = 2_000


def read_document(document: Document, url: str) -> Reading:
    """Everything of interest in ``document``, which was found at ``url``; raises ``TooManyError``."""
    if (document.minor or 0) >= 1:
        replace_names(document.root, url)
    reader = Reader(document, References(document.root, url), url)
    found: dict[tuple[str, str], Found] = {}
    for path, item in document.paths.items():
        for operation in _path_item(reader, path, item) if not path.startswith("x-") else ():
            if found.setdefault((operation.method, operation.path), operation) is not operation:
                detail = f"{operation.method} {operation.path} stands here twice; the first one counts"
                reader.report("operation_skipped", f"/paths/{escape(path)}", detail, "error")
    components = keep_components(reader)
    info = document.root.get("info")
    title = clean_name(info.get("title"))[:200] if isinstance(info, dict) else ""
    return Reading(
        version=document.version,
        title=title or None,
        found=tuple(found.values()),
        problems=reader.all_problems(),
        components=components,
    )


def _path_item(reader: Reader, path: str, raw: Any) -> Iterator[Found]:
    pointer = f"/paths/{escape(path)}"
    if raw is None:
        return
    if has_control(path) or len(path) > _MAX_PATH:
        reader.report("operation_skipped", pointer, "the path has control characters or is too long", "error")
        return
    item = reader.resolve(raw, pointer, "the path")
    if item is None:
        return
    if not path.startswith("/"):
        reader.report("document_invalid", pointer, "the path does not begin with a slash; one is put before it")
    if "?" in path or "#" in path:
        detail = "the path has a question mark or a number sign, which belong to no path; no route can call it"
        reader.report("document_invalid", pointer, detail)
    for method, operation, where in _methods(reader, item):
        found = _operation_safely(reader, path, method, item, Resolved(operation, where))
        if found is not None:
            yield found


def _methods(reader: Reader, item: Resolved) -> Iterator[tuple[str, Any, str]]:
    """Method, operation and pointer of each. Methods in capitals are a common slip; lower case wins over it."""
    known = (*_METHODS, "query") if (reader.document.minor or 0) >= 2 else _METHODS
    for key, operation in item.value.items():
        method = str(key).lower()
        if method in known and (key == method or method not in item.value):
            yield method.upper(), operation, f"{item.pointer}/{escape(str(key))}"
    additional = item.value.get("additionalOperations")
    if isinstance(additional, dict) and (reader.document.minor or 0) >= 2:
        # OpenAPI 3.2: the key is the method "with the same capitalization that is to be sent".
        for key, operation in additional.items():
            yield str(key), operation, f"{item.pointer}/additionalOperations/{escape(str(key))}"


def _operation_safely(reader: Reader, path: str, method: str, item: Resolved, raw: Resolved) -> Found | None:
    """A mistake of ours costs the operation that brought it up, and no other one."""
    try:
        return _operation(reader, path, method, item, raw)
    except (TooManyError, RecursionError, MemoryError):
        raise
    except Exception as error:
        detail = f"reading it failed, which is a defect of Coalmine: {error!r:.300}"
        reader.report("operation_skipped", raw.pointer, detail, "error")
        return None


def _operation(reader: Reader, path: str, method: str, item: Resolved, raw: Resolved) -> Found | None:
    if raw.value is None:
        return None
    if not _TOKEN.fullmatch(method) or not isinstance(raw.value, dict):
        reader.report("operation_skipped", raw.pointer, "this is not an operation: a method with an object", "error")
        return None
    reader.count_operation()
    # An operation that is a reference to nothing is still one: its method and path are known.
    operation = reader.resolve(raw.value, raw.pointer, "the operation") or Resolved({}, raw.pointer)
    full_path = join(_base(reader, item.value, operation.value), path)
    sources = [
        (item.value.get("parameters"), f"{item.pointer}/parameters"),
        (operation.value.get("parameters"), f"{operation.pointer}/parameters"),
    ]
    parameters = list_parameters(reader, sources, full_path, raw.pointer)
    return Found(
        method=method,
        path=full_path,
        parameters=tuple(parameters.listed),
        request_body=find_body(reader, operation.value, parameters, operation.pointer),
        responses=list_responses(reader, operation.value, operation.pointer),
        document_url=reader.url,
        **_descriptions(reader, operation.value),
    )


def _base(reader: Reader, item: dict[str, Any], operation: dict[str, Any]) -> str:
    """The nearest ``servers`` count: the operation's, the path item's, the document's."""
    root = reader.document.root
    if reader.document.is_swagger:
        return base_of_swagger(root)
    for holder in (operation, item, root):
        base = find_base(holder.get("servers"), reader.url)
        if base is not None:
            return base
    return ""


def _descriptions(reader: Reader, operation: dict[str, Any]) -> dict[str, Any]:
    tags = operation.get("tags")
    extensions = {key: value for key, value in operation.items() if key.startswith("x-") and _is_short(value)}
    reader.count_bytes(len(json.dumps(extensions)))
    names = [clean_name(tag)[:200] for tag in tags[:_MAX_TAGS]] if isinstance(tags, list) else []
    return {
        "operation_id": clean_name(operation.get("operationId")) or None,
        "summary": reader.prose(operation.get("summary")),
        "description": reader.prose(operation.get("description")),
        "tags": tuple(dict.fromkeys(name for name in names if name)),
        "deprecated": operation.get("deprecated") is True,
        "extensions": extensions,
    }


def _is_short(value: Any) -> bool:
    return len(json.dumps(value)) <= _MAX_EXTENSION
