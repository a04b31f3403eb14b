"""What a command works with: the admin API, the way to print, and the options that all commands share."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer

from coalmine.cli import client, output
from coalmine.cli.changes import describe_changes
from coalmine.cli.output import Output
from coalmine.cli.text import clean

DEFAULT_ADMIN_URL = "http://127.0.0.1:8081"
_PAGE = "1000"  # the admin API's longest page

Word = TypeVar("Word", bound=StrEnum)
Rows = Callable[[Any], tuple[Sequence[str], Sequence[Sequence[object]]]]


@dataclass(frozen=True, slots=True)
class Shell:
    """One command's surroundings. With ``output`` curl, ``read`` and ``write`` print the call and end the command."""

    admin_url: str
    token: str | None = None
    output: Output = Output.table
    dry_run: bool = False

    def fetch(self, path: str, params: Mapping[str, str] | None = None) -> client.Answer:
        """A read on the way to the command's own request."""
        return client.send(self.admin_url, self.token, client.Request("GET", path, params or {}))

    def fetch_all(self, path: str, params: Mapping[str, str] | None = None) -> list[Any]:
        """All pages of a list."""
        found: list[Any] = []
        asked = {**(params or {}), "limit": _PAGE}
        while True:
            page = self.fetch(path, asked).value
            found += page["items"]
            if not page.get("next_cursor"):
                return found
            asked["cursor"] = page["next_cursor"]

    def read(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The read that the command is about."""
        self._maybe_print(client.Request("GET", path, params or {}))
        return self.fetch(path, params).value

    def read_all(self, path: str, params: Mapping[str, str] | None = None) -> list[Any]:
        self._maybe_print(client.Request("GET", path, {**(params or {}), "limit": _PAGE}))
        return self.fetch_all(path, params)

    def post(self, path: str, body: Any) -> Any:
        """A question that is asked by POST and changes nothing."""
        request = client.Request("POST", path, body=body)
        self._maybe_print(request)
        return client.send(self.admin_url, self.token, request).value

    def write(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        etag: str | None = None,
        params: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        """The write that the command is about; ``--dry-run`` asks the admin API to try only."""
        asked = {**(params or {}), **({"dry_run": "true"} if self.dry_run else {})}
        headers = {"if-match": etag} if etag else {}
        request = client.Request(method, path, asked, body, content_type, headers)
        self._maybe_print(request)
        answer = client.send(self.admin_url, self.token, request)
        value = answer.value
        if answer.drifted:
            self.note(f"note: not as in its files any more: {answer.drifted}")
        if self.dry_run and isinstance(value, dict) and "object" in value:
            self.note("\n".join(describe_changes(value.get("changes") or ())))
            return value["object"]
        return value

    def _maybe_print(self, request: client.Request) -> None:
        if self.output is Output.curl:
            output.write(client.render_curl(self.admin_url, self.token is not None, request))
            raise typer.Exit(0)

    def show(self, value: Any, rows: Rows | None = None) -> None:
        """``value`` as the user wants it; without ``rows`` a table is YAML."""
        if self.output is Output.json:
            output.write(output.to_json(value))
        elif rows is not None and self.output is Output.table:
            output.print_table(*rows(value))
        else:
            output.write(output.to_yaml(value))

    def done(self, value: Any, sentence: str) -> None:
        """After a write: the sentence, or with -o json and yaml the object that it made."""
        if self.output is Output.table:
            output.write(clean(sentence) + (" (dry run: nothing was changed)" if self.dry_run else ""))
        else:
            self.show(value)

    def note(self, text: str) -> None:
        note(text)


def note(text: str) -> None:
    """A remark for the person, beside the data; none where there is nothing to say."""
    if not text:
        return
    sys.stderr.write(clean(text, lines=True) + "\n")


_AdminUrl = Annotated[
    str, typer.Option("--admin-url", envvar="COALMINE_ADMIN_URL", help="where the admin API is", metavar="URL")
]
_AdminToken = Annotated[
    str | None,
    typer.Option("--admin-token", envvar="COALMINE_ADMIN_TOKEN", help="its bearer token", metavar="TOKEN"),
]


def one_of(kind: type[Word], *flags: str, help: str) -> Any:
    """An option whose value is one of the words of ``kind``."""

    def parse(text: str) -> Word:
        if text not in tuple(kind):
            raise typer.BadParameter(f"{text!r} is none of {', '.join(kind)}")
        return kind(text)

    return typer.Option(*flags, parser=parse, metavar=f"[{'|'.join(kind)}]", help=help)


_Output = Annotated[Output, one_of(Output, "--output", "-o", help="curl prints the REST call instead of making it")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="try only: check everything, change nothing")]


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


_SHARED = (
    _option("output", _Output, Output.table),
    _option("admin_url", _AdminUrl, DEFAULT_ADMIN_URL),
    _option("admin_token", _AdminToken, None),
)


def reads(function: Callable[..., None]) -> Callable[..., None]:
    """A command that asks the admin API: gets a Shell first, and the options that make one."""
    return _with_shell(function, _SHARED)


def writes(function: Callable[..., None]) -> Callable[..., None]:
    """A command that changes something: ``reads``, and ``--dry-run``."""
    return _with_shell(function, (_option("dry_run", _DryRun, False), *_SHARED))


def _with_shell(function: Callable[..., None], options: Sequence[inspect.Parameter]) -> Callable[..., None]:
    @functools.wraps(function)
    def command(**given: Any) -> None:
        shell = Shell(
            client.check_admin_url(given.pop("admin_url")),
            given.pop("admin_token") or None,
            given.pop("output"),
            given.pop("dry_run", False),
        )
        function(shell, **given)

    _first, *own = inspect.signature(function, eval_str=True).parameters.values()
    keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    return give_signature(command, [*keywords, *options])


def give_signature(command: Callable[..., None], parameters: Sequence[inspect.Parameter]) -> Callable[..., None]:
    """typer reads a command's options from its signature; this one is computed."""
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command
