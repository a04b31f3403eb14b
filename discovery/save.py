"""Between a probe and the catalog: what was known goes in, what changed comes out. The only file here that writes.

Everything is blocking and is called in a thread. Rule: where nothing is new, nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from coalmine.catalog import Catalog
from coalmine.model import Document, Function, ProbeReport
from discovery.advice import ContentFindings
from discovery.found import Found
from discovery.naming import Identity, Named, identity, name_functions
from discovery.pins import Pinning, Published
from discovery.reconcile import Changes, known_names, reconcile
from discovery.report import (
    bound_problems,
    describe_failure,
    problems_of,
    problems_of_findings,
    same_news,
    state_of_failure,
)
from discovery.search import Outcome, Source, Taken


@dataclass(frozen=True, slots=True)
class Saved:
    """``matters``: somebody who serves by the catalog should look again; ``unchecked``: documents need advice."""

    report: ProbeReport
    matters: bool
    unchecked: bool = False


def load_sources(catalog: Catalog, upstream: str) -> tuple[Source, ...]:
    """Where the documents were when somebody last looked; without hashes, so that they are read again."""
    with catalog.read() as reader:
        documents = reader.documents_of(upstream)
    indexes = dict.fromkeys(each.found_through for each in documents if each.found_through is not None)
    return (
        *(Source(url, "", is_index=True) for url in indexes),
        *(Source(each.url, "", found_through=each.found_through) for each in documents),
    )


def read_report(catalog: Catalog, upstream: str) -> ProbeReport | None:
    with catalog.read() as reader:
        return reader.find_report(upstream)


def save(
    catalog: Catalog, upstream: str, outcome: Outcome, previous: ProbeReport | None, started: datetime, seconds: float
) -> Saved:
    """Reconcile with what is known, and write the difference in one transaction."""
    with catalog.read() as reader:
        known = Published(reader.functions_of(upstream), reader.documents_of(upstream))
        kept = reader.document_revisions.newest_digest(upstream)
        uses, pins = reader.uses_of(upstream), reader.pins_of(upstream)
    named = name_functions(merge(outcome.taken), known_names(known.functions))
    changes = Changes()
    if outcome.taken:
        changes = reconcile(upstream, known.functions, named, started, complete=not outcome.incomplete)
    documents = _documents(upstream, outcome, known.documents, started)
    report = _report(upstream, outcome, previous, started, seconds, known.functions, named, documents)
    fresh = bool(documents) and (_hashes(documents) != _hashes(known.documents) or kept is None)
    if not (changes.matter or fresh or not same_news(previous, report)):
        return Saved(report, matters=False, unchecked=_are_unchecked(documents))
    pinning = Pinning(known, Published(changes.all, documents), started)
    planned = pinning.find(uses, pins)
    with catalog.write() as writer:
        writer.save_discovery(upstream, functions=changes.all, report=report, documents=documents or None)
        if outcome.taken:
            if (now := (writer.uses_of(upstream), writer.pins_of(upstream))) != (uses, pins):
                planned = pinning.find(*now)  # somebody wrote routes meanwhile
            if (*planned,) != now[1]:
                writer.put_pins(upstream, planned)
        if outcome.taken and not outcome.incomplete:
            texts = {taken.source.url: taken.body for taken in outcome.taken}
            writer.keep_documents(upstream, documents, changes.present, texts)
    was_known = previous is not None and previous.last_success_at is not None
    matters = changes.matter or fresh or (report.last_success_at is not None and not was_known)
    return Saved(report, matters, _are_unchecked(documents))


def save_disabled(catalog: Catalog, reasons: Mapping[str, str]) -> dict[str, ProbeReport]:
    """Let the reports of upstreams say why nobody looks at them; functions that were found once stay."""
    reports: dict[str, ProbeReport] = {}
    with catalog.read() as reader:
        known = {name: reader.find_report(name) for name in reasons}
    for name, reason in reasons.items():
        base = known[name] or ProbeReport(upstream=name, state="pending")
        reports[name] = base.model_copy(update={"state": "disabled", "detail": reason, "attempts": ()})
    changed = [report for name, report in reports.items() if report != known[name]]
    if changed:
        with catalog.write() as writer:
            for report in changed:
                writer.save_discovery(report.upstream, functions=(), report=report, documents=None)
    return reports


def save_findings(catalog: Catalog, upstream: str, found: ContentFindings) -> ProbeReport | None:
    """Add what was found in documents, by content, to them and to the report; the report, None where there is none."""
    with catalog.write() as writer:
        report = writer.find_report(upstream)
        known = writer.documents_of(upstream)
        if report is None:
            return None
        documents = [_with_findings(one, found) for one in known]
        news = [one for old, one in zip(known, documents, strict=True) if old != one]
        told = bound_problems(upstream, [*report.problems, *problems_of_findings(upstream, news)])
        report = report.model_copy(update={"problems": told})
        writer.save_discovery(upstream, functions=(), report=report, documents=documents)
        return report


def _with_findings(document: Document, found: ContentFindings) -> Document:
    if document.findings is not None or document.content_hash not in found:
        return document
    return document.model_copy(update={"findings": found[document.content_hash]})


def _are_unchecked(documents: Iterable[Document]) -> bool:
    return any(each.findings is None for each in documents)


def _hashes(documents: Iterable[Document]) -> dict[str, str]:
    return {each.url: each.content_hash for each in documents}


def _documents(upstream: str, outcome: Outcome, known: Iterable[Document], started: datetime) -> list[Document]:
    """Those that were read; where others could not be read, these stay as they were. None where none was read."""
    checked = {each.content_hash: each.findings for each in known if each.findings is not None}
    documents = [_with_findings(_document(upstream, taken, started), checked) for taken in outcome.taken]
    if documents and outcome.incomplete:
        urls = {each.url for each in documents}
        documents += [each for each in known if each.url not in urls]
    return documents


def merge(taken: Iterable[Taken]) -> list[Found]:
    """The operations of all documents; one that stands in several belongs to the first."""
    merged: dict[Identity, Found] = {}
    for document in taken:
        for operation in document.reading.found:
            merged.setdefault(identity(operation), operation)
    return list(merged.values())


def _report(
    upstream: str,
    outcome: Outcome,
    previous: ProbeReport | None,
    started: datetime,
    seconds: float,
    known: Sequence[Function],
    named: list[Named],
    documents: list[Document],
) -> ProbeReport:
    active = sum(function.state == "active" for function in known)
    base = previous or ProbeReport(upstream=upstream, state="pending")
    update: dict[str, object] = {
        "started_at": started,
        "seconds": round(seconds, 3),
        "attempts": tuple(outcome.attempts),
        "functions": active,
        "detail": "",
    }
    if outcome.taken:
        first = outcome.taken[0]
        update |= {
            "state": "discovered" if named else "empty",
            "document_url": first.source.url,
            "document_version": first.reading.version,
            "functions": len(named),
            "problems": problems_of(upstream, outcome.taken, named, documents),
            "last_success_at": started,
        }
    elif outcome.unchanged:
        update |= {"state": "discovered" if active else "empty", "last_success_at": started}
    else:
        state = state_of_failure(outcome.attempts, has_functions=active > 0)
        update |= {"state": state, "detail": describe_failure(outcome.attempts)}
    return base.model_copy(update=update)


def _document(upstream: str, taken: Taken, fetched_at: datetime) -> Document:
    source = taken.source
    return Document(
        upstream=upstream,
        url=source.url,
        content_hash=source.content_hash,
        version=taken.reading.version,
        title=taken.reading.title,
        fetched_at=fetched_at,
        size_bytes=len(taken.body),
        etag=source.validators.etag,
        last_modified=source.validators.last_modified,
        found_through=source.found_through,
        components=taken.reading.components,
    )
