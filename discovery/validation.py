"""Advice: where a document does not follow its specification, by the specification's own JSON schema.

Most real documents break some rule, so this never decides whether a function is taken. The *document* is the
instance here and never the schema: no reference in it is followed, so nothing can be fetched. This takes milliseconds
for megabytes (the semantic checks of ``openapi_spec_validator.validate`` take seconds and resolve references).
"""

from __future__ import annotations

import importlib.resources
import itertools
import json
from collections.abc import Iterator
from functools import lru_cache

import jsonschema_rs

from discovery.document import Document
from discovery.references import escape

# A document that breaks one rule often breaks it everywhere: the first ones tell.
MAX_VIOLATIONS = 20

Violation = tuple[str, str]  # JSON pointer into the document, what is wrong


def find_violations(document: Document) -> Iterator[Violation]:
    """The first violations; their texts never repeat the document's own values."""
    version = "2.0" if document.minor is None else f"3.{document.minor}"
    for error in itertools.islice(_validator(version).iter_errors(document.root), MAX_VIOLATIONS):
        pointer = "".join(f"/{escape(str(token))}" for token in error.instance_path)
        yield pointer, f"not as the specification has it: {error.message[:300]}"


@lru_cache
def _validator(version: str) -> jsonschema_rs.Validator:
    path = importlib.resources.files("openapi_spec_validator") / "resources" / "schemas" / f"v{version}" / "schema.json"
    # The mask stands in messages for the value, which may be large, and secret.
    return jsonschema_rs.validator_for(json.loads(path.read_text()), mask="the value")
