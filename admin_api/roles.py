"""Who asks, by the token that was sent: an administrator, or a reader. This file performs no I/O.

Rule 1: a reader changes nothing. What may be asked by POST and changes nothing is in the table.
Rule 2: without an admin token everybody who reaches the API is an administrator.
"""

from __future__ import annotations

from typing import Literal

Role = Literal["admin", "reader"]
ROLE = "coalmine.role"  # the key in the ASGI scope
ADMIN: Role = "admin"
READER: Role = "reader"

SAFE_METHODS = frozenset({"GET", "HEAD"})
# They explain and compare; a body is how they are asked.
QUESTIONS = frozenset({"/api/v1/match", "/api/v1/config/diff", "/api/v1/config/validate"})


def may(role: Role, method: str, path: str) -> bool:
    return role == ADMIN or method in SAFE_METHODS or (method == "POST" and path in QUESTIONS)
