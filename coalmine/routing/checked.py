"""Calls that are checked before they are sent: what a route with ``validate: true`` adds to a call.

Rule 1: this file performs no I/O; a body that has to be looked at is asked for by raising ``BodyNeeded``.
Rule 2: a body is only looked at if its content type says JSON. Of the others only the content type is checked.
Rule 3: nothing slips through unseen: content types that the function does not take, and compressed JSON, are refused.
"""

from __future__ import annotations

from pydantic import JsonValue

from coalmine.routing.binding import KEEP, Binding, Found
from coalmine.routing.decision import Reply
from coalmine.routing.findings import Finding
from coalmine.routing.problem import problem_reply
from coalmine.routing.sent import read_sent
from coalmine.routing.snapshot import CallPlan, ServedDestination
from coalmine.routing.sources import BodyNeeded, Sources
from coalmine.routing.validation import Checks, list_errors
from coalmine.routing.values import body_kind, is_json, media_type


class CheckedCall:
    """The checks of one destination's function. Raises ValueError for schemas that cannot be compiled."""

    def __init__(self, destination: ServedDestination, plan: CallPlan) -> None:
        assert plan.schemas is not None
        self._destination = destination
        self._plan = plan
        self._checks = Checks(plan.schemas)

    def find(self, binding: Binding, found: Found, sources: Sources) -> list[Finding]:
        """What is wrong with the value of a parameter."""
        if found is None:
            return []
        values = read_sent(binding, sources) if found is KEEP else [found]
        return self._checks.check_parameter(binding.place, binding.name, values)

    def refuse(self, wrong: list[Finding], sources: Sources) -> Reply | None:
        """Why the call cannot be sent, the faults of its parameters and its body at once.

        Raises BodyNeeded before a body that counts was read, BrokenBody when it does not parse.
        """
        body = self._check_body(sources)
        if isinstance(body, Reply):
            return self._tell(wrong) or body
        return self._tell([*wrong, *body])

    def _tell(self, findings: list[Finding]) -> Reply | None:
        if not findings:
            return None
        first = findings[0]
        more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
        detail = f"function {self._plan.function}: {first.pointer}: {first.detail}{more}"
        members: tuple[tuple[str, JsonValue], ...] = (("errors", list_errors(findings)),)
        return problem_reply("invalid_call", detail, destination=self._destination, members=members)

    def _check_body(self, sources: Sources) -> list[Finding] | Reply:
        if not self._plan.takes_body:
            return []
        if not sources.head.has_body or sources.data == b"":
            return [Finding("/body", "the function needs a body")] if self._checks.needs_body else []
        written = sources.header("content-type")
        if not self._takes(media_type(written)):
            taken = ", ".join(self._plan.body_content_types)
            return self._refuse_type(f"takes a body of {taken}, and this is {written or 'none that says its type'}")
        if not is_json(written or "") or not self._checks.reads_body:
            return []
        if body_kind(written, sources.header("content-encoding")) is None:
            return self._refuse_type("is checked before it is called, and a compressed body cannot be read for that")
        if sources.data is None:
            raise BodyNeeded
        return self._checks.check_body(sources.data)

    def _takes(self, media: str) -> bool:
        taken = {media_type(one) for one in self._plan.body_content_types}
        return not taken or not taken.isdisjoint({media, f"{media.partition('/')[0]}/*", "*/*"})

    def _refuse_type(self, reason: str) -> Reply:
        detail = f"function {self._plan.function} {reason}"
        return problem_reply("unsupported_media_type", detail, destination=self._destination)
