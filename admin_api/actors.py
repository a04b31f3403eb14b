"""Who writes, in the words of the client. It is a note for people: nothing is allowed or refused by it."""

from __future__ import annotations

from fastapi import Request

HEADER = "coalmine-actor"
_LONGEST = 200  # characters


def find_actor(request: Request) -> str:
    """What ``Coalmine-Actor`` says (``cli ann@host``), made fit for a line of text; without it, ``api``."""
    # Starlette decodes headers as latin-1 (RFC 9110 section 5.5 gives no meaning to other bytes).
    text = request.headers.get(HEADER, "").encode("latin-1").decode("utf-8", "replace")
    shown = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(shown.split())[:_LONGEST] or "api"
