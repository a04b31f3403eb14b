"""Discovery: finds out which functions the services around offer, by reading the documents they publish.

How it works, from the outside in::

    worker      the loop: what is due is probed, a bounded number at once, each upstream on its own
    schedule      when next: the interval with jitter, doubled up to a cap after failures
    search      one probe: asks what answered before, conditionally; else tries the candidates in order
    candidates    well-known URLs, each with its reason
    pages         URLs that Swagger UI, Redoc, Scalar, indexes and Link headers mention
    probe       one GET: deadline, byte limit, no foreign redirect, to an address that was checked
    addresses     which addresses are refused; inflate: gzip with a bound
    parsing     asks the parsing process (parser), which the kernel limits and we may end (process, child)
    document      is it an API document, and of which version?
    operations    document -> operations found, with parameters, bodies, servers, references, schemas
    save        reconciles with the catalog and writes the difference
    naming        one stable name for each operation
    reconcile     (known, named, now) -> added, changed, removed, returned, unchanged
    pins          routes that keep a function as it was when the new definition breaks their callers
    report        what people see when they ask why there are no functions
    advice      afterwards: where a document breaks its specification (validator, a process of its own; validation)

Rules. A document is hostile until read: bounded in bytes, time, depth and number, parsed in another process.
Nothing that a document names is ever fetched, and no host it names is ever called: requests go to the registered
upstream. A failure is a line in the report, never an exception that leaves this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from discovery.options import ProbeOptions
    from discovery.worker import DiscoveryWorker

__all__ = ["DiscoveryWorker", "ProbeOptions"]


def __getattr__(name: str) -> Any:
    """The two public names, loaded when asked for: the parsing process must not load the catalog with its SQL."""
    if name == "DiscoveryWorker":
        from discovery.worker import DiscoveryWorker

        return DiscoveryWorker
    if name == "ProbeOptions":
        from discovery.options import ProbeOptions

        return ProbeOptions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
