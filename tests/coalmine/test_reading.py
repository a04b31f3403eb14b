"""Reading JSON and YAML: what comes out, and what is refused with a place and a reason."""

from __future__ import annotations

import codecs
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalmine.errors import MalformedError
from coalmine.reading import JsonLike, Limits, TooComplexError, read_all, read_text

LAUGHS = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)
)
MERGES = b"a: &a {" + b",".join(b"k%d: 1" % i for i in range(1000)) + b"}\nb:\n" + b"  - <<: [*a, *a, *a]\n" * 1000

READ: list[tuple[str, bytes, JsonLike]] = [
    ("JSON is read as JSON", b'{"a": [1, 2.5, true, null, "x"]}', {"a": [1, 2.5, True, None, "x"]}),
    ("YAML is read as YAML", b"a:\n- 1\n- 2.5\n- true\n- null\n- x\n", {"a": [1, 2.5, True, None, "x"]}),
    ("JSON with a trailing comma is YAML after all", b'{"a": 1,}', {"a": 1}),
    ("a UTF-8 byte order mark is skipped", codecs.BOM_UTF8 + b'{"a": 1}', {"a": 1}),
    ("UTF-16 is told by its mark", "a: ä".encode("utf-16"), {"a": "ä"}),
    ("UTF-32 is told by its mark", "a: ä".encode("utf-32"), {"a": "ä"}),
    ("UTF-16 without a mark is told by its zeros, little end first", "a: ä".encode("utf-16-le"), {"a": "ä"}),
    ("UTF-16 without a mark is told by its zeros, big end first", "a: ä".encode("utf-16-be"), {"a": "ä"}),
    ("UTF-32 without a mark is told by its zeros, little end first", "a: ä".encode("utf-32-le"), {"a": "ä"}),
    ("UTF-32 without a mark is told by its zeros, big end first", "a: ä".encode("utf-32-be"), {"a": "ä"}),
    ("status codes as keys are strings", b"200: ok\n3.10: x\n", {"200": "ok", "3.10": "x"}),
    ("words as keys are strings", b"true: x\n~: y\nnull: z\n", {"true": "x", "~": "y", "null": "z"}),
    ("no and on are strings, as YAML 1.2 has it", b"[no, on, yes, off]", ["no", "on", "yes", "off"]),
    (
        "dates are strings",
        b"a: 2001-12-14\nb: 2001-12-14t21:59:43Z\n",
        {"a": "2001-12-14", "b": "2001-12-14t21:59:43Z"},
    ),
    ("numbers in every notation", b"[-1, +1, 0x1f, 0o17, 1e3, .5, 1.]", [-1, 1, 31, 15, 1000.0, 0.5, 1.0]),
    (
        "what only looks like a number is a string",
        b"[1_000, 1.2.3, 12:30, -, .]",
        ["1_000", "1.2.3", "12:30", "-", "."],
    ),
    ("quoted scalars are strings", b"['1', \"true\", '~']", ["1", "true", "~"]),
    ("empty values are null", b"a:\nb: ''\n", {"a": None, "b": ""}),
    ("explicit tags are obeyed", b"[!!str 12, !!int '12', !!binary aGk=, !!bool 'true']", ["12", 12, "aGk=", True]),
    ("unknown tags are ignored", b"a: !Sub ${x}\nb: !Map {c: 1}\n", {"a": "${x}", "b": {"c": 1}}),
    ("an alias stands for its anchor", b"a: &x [1]\nb: *x\n", {"a": [1], "b": [1]}),
    ("an anchor may be defined again", b"a: &x 1\nb: &x 2\nc: *x\n", {"a": 1, "b": 2, "c": 2}),
    ("a key may be anchored and an alias be a key", b"&k a: 1\nb: {*k : 2}\n", {"a": 1, "b": {"a": 2}}),
    (
        "own keys win over merged ones",
        b"x: &x {p: 1, q: 2}\ny: {q: 3, <<: *x}\n",
        {"x": {"p": 1, "q": 2}, "y": {"q": 3, "p": 1}},
    ),
    ("earlier merged mappings win", b"[&a {p: 1}, &b {p: 2}, {<<: [*a, *b]}]", [{"p": 1}, {"p": 2}, {"p": 1}]),
    ("a quoted << is a key like others", b"{'<<': 1}", {"<<": 1}),
    ("the last of two equal keys counts", b"a: 1\na: 2\n", {"a": 2}),
    ("a scalar is a document", b"'x'", "x"),
    ("an escaped pair of surrogates is a character", b'{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
]

REFUSED: list[tuple[str, bytes, str]] = [
    ("an empty text", b"", "empty"),
    ("a comment alone", b"# nothing\n", "empty"),
    ("two documents", b"a: 1\n---\nb: 2\n", "2 YAML documents"),
    ("bytes that are not UTF-8", b"a: 1\nb: \xe9\n", "line 2"),
    ("YAML that is wrong tells line and column", b"a: b\n c: d\n", "line 2, column 3"),
    ("JSON that is wrong tells line and column", b'{"a": 1,\n "b" 2}', "line 2, column 6"),
    ("a list of JSON that is wrong", b'[1, {"a" 2}', "not JSON: Expecting ':'"),
    ("an object that is cut off", b"{", "not JSON: Expecting property name"),
    ("flow style that is wrong", b"{a: 1, b: [}", "not YAML: "),
    ("a list in flow style that is wrong", b"['a', b: [}", "not YAML: "),
    ("a control character", b"a: \x07", "control characters"),
    ("NaN in JSON", b'{"a": NaN}', "NaN"),
    ("Infinity in JSON", b"[-Infinity]", "-Infinity"),
    ("NaN in YAML", b"a: .nan", "line 1, column 4"),
    ("a JSON number beyond every float", b"[1e999]", "too large"),
    ("a YAML number beyond every float", b"a: 1e999", "too large"),
    ("a JSON integer of thousands of digits", b"[" + b"1" * 5000 + b"]", "digits"),
    ("a YAML integer of thousands of digits", b"a: " + b"1" * 5000, "digits"),
    ("a lone surrogate", b'{"a": "\\ud800"}', "surrogate"),
    ("an alias without an anchor", b"a: *x", "line 1, column 4"),
    ("an alias inside itself", b"a: &x [*x]", "*x"),
    ("a list as a key", b"? [a]\n: b\n", "a key is a list"),
    ("an alias of a list as a key", b"a: &x [1]\n*x : 2\n", "a key is not a string"),
    ("a merge of something else", b"a: {<<: 1}", "merge key"),
    ("a merge of a list of something else", b"a: {<<: [{}, 1]}", "merge key"),
]

TOO_COMPLEX: list[tuple[str, bytes]] = [
    ("30,000 brackets, which end libyaml's composer", b"[" * 30_000),
    ("30,000 brackets after a key", b"a: " + b"[" * 30_000),
    ("30,000 braces", b"{a: " * 30_000),
    ("30,000 dashes", b"- " * 30_000),
    ("3,000 levels of indentation", b"".join(b" " * i + b"a:\n" for i in range(3_000))),
    ("JSON deeper than the limit", b'{"a":' * 300 + b"1" + b"}" * 300),
    ("JSON deeper than Python's recursion", b"[" * 100_000 + b"]" * 100_000),
    ("a billion laughs", LAUGHS),
    ("a bomb of merge keys", MERGES),
    ("aliases inside anchored lists", b"- &a [" + b"x," * 1000 + b"]\n- &b [" + b"*a," * 1000 + b"]\n- *b\n- *b\n"),
    ("too many bytes", b" " * (16 * 1024 * 1024 + 1)),
]


@pytest.mark.parametrize(("data", "value"), [row[1:] for row in READ], ids=[row[0] for row in READ])
def test_reads(data: bytes, value: JsonLike) -> None:
    assert read_text(data) == value


@pytest.mark.parametrize(("data", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refuses_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read_text(data)
    assert reason in caught.value.detail


@pytest.mark.parametrize("data", [row[1] for row in TOO_COMPLEX], ids=[row[0] for row in TOO_COMPLEX])
def test_refuses_quickly_what_is_too_complex(data: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(TooComplexError):
        read_text(data)
    assert time.monotonic() - started < 3


TWICE: list[tuple[str, bytes, str]] = [
    (
        "in JSON",
        b'{"a": 1,\n "b": {"x": ["{", 1], "x":\n 2}}',
        "'x' stands twice in one object (line 2, column 23; first in line 2)",
    ),
    (
        "in JSON, written in two ways",
        b'[{"b": "a", "a": "b",\n "\\u0061": 1}]',
        "'a' stands twice in one object (line 2, column 2; first in line 1)",
    ),
    (
        "in YAML",
        b"a: 1\nb:\n  x: 1\n  y: 2\n  x: 3\n",
        "'x' stands twice in one object (line 5, column 3; first in line 3)",
    ),
    (
        "in YAML's flow style",
        b"{a: 1, b: 2, a: 3}",
        "'a' stands twice in one object (line 1, column 14; first in line 1)",
    ),
    (
        "by an alias",
        b"- &k a\n- {a: 1, *k : 2}\n",
        "'a' stands twice in one object (line 2, column 10; first in line 2)",
    ),
    (
        "in the second document",
        b"a: 1\n---\na: 1\na: 2\n",
        "'a' stands twice in one object (line 4, column 1; first in line 3)",
    ),
    ("with a long name", b"x" * 99 + b": 1\n" + b"x" * 99 + b": 1\n", "xxx...' stands twice"),
]


@pytest.mark.parametrize(("data", "reason"), [row[1:] for row in TWICE], ids=[row[0] for row in TWICE])
def test_a_key_that_stands_twice_is_refused_where_that_matters(data: bytes, reason: str) -> None:
    read_all(data)
    with pytest.raises(MalformedError) as caught:
        read_all(data, unique_keys=True)
    assert reason in caught.value.detail


UNIQUE: list[tuple[str, bytes, list[JsonLike]]] = [
    ("the same key in two objects", b'[{"a": {"a": 1}}, {"a": "a"}]', [[{"a": {"a": 1}}, {"a": "a"}]]),
    ("a key that is merged", b"- &m {a: 1}\n- {<<: *m, a: 2}\n", [[{"a": 1}, {"a": 2}]]),
    ("the same key in two documents", b"a: 1\n---\na: 2\n", [{"a": 1}, {"a": 2}]),
]


@pytest.mark.parametrize(("data", "values"), [row[1:] for row in UNIQUE], ids=[row[0] for row in UNIQUE])
def test_what_stands_twice_in_several_objects_is_fine(data: bytes, values: list[JsonLike]) -> None:
    assert read_all(data, unique_keys=True) == values


def test_a_key_twice_is_told_of_a_text_that_is_broken_further_down_too() -> None:
    with pytest.raises(MalformedError, match=r"'b' stands twice in one object \(line 1, column 16"):
        read_text(b'{"a": {"b": 1, "b": 2}, "c" 3}', unique_keys=True)


def test_reads_every_document_of_a_stream() -> None:
    assert read_all(b"--- {a: 1}\n---\nb: 2\n...\n") == [{"a": 1}, {"b": 2}]
    assert read_all(b"") == []
    assert read_all(b"[1]") == [[1]]


def test_an_anchor_ends_with_its_document() -> None:
    with pytest.raises(MalformedError):
        read_all(b"--- &x 1\n--- *x\n")


def test_depth_is_counted_the_same_in_both_formats() -> None:
    limits = Limits(max_depth=3)
    for text in (b"[[[1]]]", b"- - - 1"):
        assert read_text(text, limits=limits) == [[[1]]]
    for text in (b"[[[[1]]]]", b"- - - - 1"):
        with pytest.raises(TooComplexError):
            read_text(text, limits=limits)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(_VALUES)
def test_whatever_json_writes_is_read_back(value: JsonLike) -> None:
    assert read_text(json.dumps([value]).encode()) == [value]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_what_is_read_can_be_written(data: bytes) -> None:
    try:
        values = read_all(data)
    except MalformedError:
        return
    json.dumps(values, allow_nan=False, ensure_ascii=False).encode()
