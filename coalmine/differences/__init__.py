"""What changed between two functions or two documents, and whom it hurts. Nothing in here performs I/O.

The theory. A schema is a set of values. A change **narrows** it (values are taken away), **widens** it (values come
in), or does both (**changes**). What callers send and what they get have opposite variance:

- request: the caller makes the value, the service must take it. Narrowing breaks callers, widening does not.
- response: the service makes the value, the caller must take it. Widening breaks callers, narrowing does not.

So schemas are compared once, without a direction (``aspects``), and the direction decides how bad it is. Rows that
depart from the theory say why. Ids and levels follow oasdiff's catalogue where it has an opinion.

Two questions are asked with the same rules. ``compare_functions``: does somebody who calls the service notice?
``compare_across``: does somebody who calls through the gateway notice when requests go to the other function? The
gateway writes every call anew (method, path, place and style of parameters), so such rules are ``info`` there.

Documents are hostile. References are followed when they are met, never inlined; a pair of places is visited once for
each body, response or parameter, so cycles end and a schema that is used twice is told about once; nodes, depth and
findings are counted. Where a count runs out, the answer has one difference ``comparison-incomplete``.

What is not judged: the schemas of all content types but the first (the catalog keeps that one), response headers,
security. Of conditions (``not``, ``if``, ``patternProperties``, ...) only that they changed is told, and not of what
they refer to.
"""

from coalmine.differences.across import compare_across
from coalmine.differences.aspects import Severity
from coalmine.differences.difference import Difference, worst
from coalmine.differences.documents import DocumentDifference, FunctionChange, compare_documents
from coalmine.differences.functions import compare_functions
from coalmine.differences.rules import RULES, Rule

__all__ = [
    "RULES",
    "Difference",
    "DocumentDifference",
    "FunctionChange",
    "Rule",
    "Severity",
    "compare_across",
    "compare_documents",
    "compare_functions",
    "worst",
]
