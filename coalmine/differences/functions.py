"""Compares two functions. This file performs no I/O.

What stands in the function itself is compared first: it is small, and a schema that is too large hides nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coalmine.differences.bodies import compare_bodies, compare_responses, pair_body_schemas
from coalmine.differences.budget import Budget, OverrunError
from coalmine.differences.difference import Difference, Report
from coalmine.differences.pair import Pair
from coalmine.differences.parameters import compare_parameters, path_shape, pointer
from coalmine.differences.schemas import Comparison
from coalmine.differences.words import join, printable
from coalmine.model.function import Function, Signature


def compare_functions(
    old: Signature, new: Signature, *, old_components: Mapping[str, Any], new_components: Mapping[str, Any]
) -> tuple[Difference, ...]:
    """What changed for those who call the service, the worst first; nothing for two that are the same.

    ``*_components`` are those of the documents (``Document.components``). Responses, names and deprecation are
    compared where both are functions and not signatures alone. Never raises.
    """
    return compare(old, new, Pair(old_components, new_components), Budget(), across=False)


def compare(old: Signature, new: Signature, pair: Pair, budget: Budget, *, across: bool) -> tuple[Difference, ...]:
    """``across``: the two belong to two upstreams, and the gateway stands before them."""
    report = Report(function_name(old), across=across)
    try:
        _compare(old, new, Comparison(pair, report, budget))
    except OverrunError as error:
        report.leave_out("", str(error))
    return report.finish()


def function_name(function: Signature) -> str:
    return function.name if isinstance(function, Function) else f"{function.method} {function.path}"


def _compare(old: Signature, new: Signature, comparison: Comparison) -> None:
    report = comparison.report
    if isinstance(old, Function) and isinstance(new, Function):
        _compare_names(old, new, report)
    _compare_call(old, new, report)
    parameters = compare_parameters(old, new, comparison)
    has_body = compare_bodies(old.request_body, new.request_body, report)
    responses = []
    if isinstance(old, Function) and isinstance(new, Function):
        responses = compare_responses(old.responses, new.responses, report)
    for parameter, other in parameters:
        text = parameter.content_type is None and other.content_type is None
        where = join(pointer(parameter), "schema")
        comparison.compare_schemas(parameter.schema_, other.schema_, where, "parameter", text=text)
    if has_body and old.request_body and new.request_body:
        for where, before, after in pair_body_schemas(old.request_body, new.request_body):
            comparison.compare_schemas(_schema(before), _schema(after), where, "request")
    for response, answer in responses:
        where = join("/responses", response.status, "schema")
        comparison.compare_schemas(_schema(response.schema_), _schema(answer.schema_), where, "response")


def _schema(written: Any) -> Any:
    """Where nothing is said about a body, it may be anything."""
    return True if written is None else written


def _compare_names(old: Function, new: Function, report: Report) -> None:
    if old.name != new.name:
        detail = f"the function {printable(old.name, 100)} is named {printable(new.name, 100)} now"
        report.add("function-renamed", "/name", detail)
    elif old.operation_id != new.operation_id:
        was, now = (printable(one or "not given", 100) for one in (old.operation_id, new.operation_id))
        report.add("operation-id-changed", "/operationId", f"the operation id was {was} and is {now}")
    if old.deprecated != new.deprecated:
        state = "deprecated" if new.deprecated else "reactivated"
        report.add(f"function-{state}", "/deprecated", f"the function was {state}")


def _compare_call(old: Signature, new: Signature, report: Report) -> None:
    if old.method != new.method:
        report.add("method-changed", "/method", f"the method was {old.method} and is {new.method}")
    if path_shape(old.path) != path_shape(new.path):
        was, now = printable(old.path, 200), printable(new.path, 200)
        report.add("path-changed", "/path", f"the path was {was} and is {now}")
