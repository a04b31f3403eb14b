"""``coalmine explain``: which route takes a request, why the others do not, and what the upstream would get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from coalmine.cli import output
from coalmine.cli.output import Output
from coalmine.cli.pairs import split_header
from coalmine.cli.shell import Shell, reads
from coalmine.cli.text import clean


def register(app: typer.Typer) -> None:
    app.command("explain", help=_explain.__doc__)(reads(_explain))


def _explain(
    shell: Shell,
    method: Annotated[str, typer.Argument(help="such as GET")],
    path: Annotated[str, typer.Argument(help="with its query, such as /findPets?limit=1")],
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="'name: value'; several: again")] = None,
    host: Annotated[str, typer.Option("--host", help="the Host of the request")] = "localhost",
    source: Annotated[str, typer.Option("--source", help="the client's address")] = "127.0.0.1",
    body: Annotated[str | None, typer.Option("--body", help="the request's body")] = None,
) -> None:
    """Which route a request would take, why the others lose, and what would be sent. Nothing is sent."""
    pairs = [list(split_header(text, "--header")) for text in header or ()]
    question: dict[str, Any] = {"method": method, "path": path, "headers": pairs, "host": host, "source": source}
    question |= {"body": body} if body is not None else {}
    answer = shell.post("/match", question)
    if shell.output is not Output.table:
        shell.show(answer)
        return
    for line in describe_explanation(answer):
        output.write(clean(line))
    if answer.get("candidates"):
        output.print_table(*_candidate_rows(answer["candidates"]))


Told = Mapping[str, Any]


def describe_explanation(told: Told) -> Iterator[str]:
    """Where the request goes, in lines; the routes that were asked are a table of their own."""
    if told.get("route"):
        yield f"route {told['route']} of virtual service {told['virtual_service']}"
    elif told.get("virtual_service"):
        yield f"no route of virtual service {told['virtual_service']} matches"
    elif (told.get("reply") or {}).get("code") == "bad_request":
        yield "no route is asked: this is no request"
    else:
        yield "no virtual service has this host"
    for outcome in told.get("destinations") or ():
        yield from _describe_outcome(outcome)
    if told.get("reply"):
        yield f"  -> {_describe_reply(told['reply'])}"
    if told.get("mirror"):
        yield f"  mirrored: {_describe_request(told['mirror'])}"
    for note in told.get("notes") or ():
        yield f"  {note}"


def _describe_outcome(outcome: Told) -> Iterator[str]:
    name = f"{outcome['upstream']}/{outcome['function']}" if outcome.get("function") else outcome["upstream"]
    chance = "" if outcome["share"] == 100 else f" {outcome['share']:g} %"
    yield f"  -> {name}{chance}{' (this request, for certain)' if outcome['certain'] and chance else ''}"
    if outcome.get("request"):
        yield f"     {_describe_request(outcome['request'])}"
        yield from _describe_headers(outcome["request"])
    elif outcome.get("reply"):
        yield f"     {_describe_reply(outcome['reply'])}"
    elif outcome.get("needs_body"):
        yield "     needs the request's body: give it with --body"


def _describe_request(request: Told) -> str:
    return f"{request['method']} {request['url']}  (host {request['host']})"


def _describe_headers(request: Told) -> Iterator[str]:
    for sign, key in (("=", "set_headers"), ("+", "add_headers")):
        for name, value in request.get(key) or ():
            yield f"       {sign} {name}: {value}"
    for name in request.get("remove_headers") or ():
        yield f"       - {name}"


def _describe_reply(reply: Told) -> str:
    code = f" [{reply['code']}]" if reply.get("code") else ""
    return f"the gateway answers {reply['status']} {reply.get('detail') or reply.get('body') or ''}".rstrip() + code


def _candidate_rows(candidates: Sequence[Told]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    return ("ORDER", "ROUTE", "TAKEN", "WHY"), [
        (candidate["order"], candidate["name"], "yes" if candidate["taken"] else "", candidate["reason"])
        for candidate in candidates
    ]
