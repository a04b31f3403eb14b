"""Bytes made from other bytes, and cuts through them. Chance is a parameter."""

from __future__ import annotations

import random

from tests.proxy.fuzz.seeds import PIECES


def mutate(rng: random.Random, seeds: list[bytes]) -> bytes:
    """One to three seeds in a row, changed in a few places (sometimes in none)."""
    data = b"".join(rng.choice(seeds) for _ in range(rng.choice((1, 1, 1, 2, 2, 3))))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 5))):
        data = rng.choice(_CHANGES)(rng, data)
    return data


def cut(rng: random.Random, data: bytes) -> list[bytes]:
    """``data`` in pieces: few, many, or one byte each."""
    if rng.random() < 0.1:
        return [data[at : at + 1] for at in range(len(data))]
    places = sorted(rng.randrange(len(data) + 1) for _ in range(rng.choice((1, 1, 2, 3, 8))))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True) if end > start]


def _place(rng: random.Random, data: bytes) -> int:
    """Anywhere, or where a line ends or a field's name does: there is more to break."""
    marks = [at for at in range(len(data)) if data[at : at + 1] in (b"\r", b"\n", b":", b" ", b";")]
    return rng.choice(marks) if marks and rng.random() < 0.6 else rng.randrange(len(data) + 1)


def _insert(rng: random.Random, data: bytes) -> bytes:
    at = _place(rng, data)
    return data[:at] + rng.choice(PIECES) + data[at:]


def _replace(rng: random.Random, data: bytes) -> bytes:
    at = _place(rng, data)
    return data[:at] + rng.choice(PIECES) + data[at + rng.randrange(1, 4) :]


def _swap_piece(rng: random.Random, data: bytes) -> bytes:
    present = [piece for piece in PIECES if piece in data]
    return data.replace(rng.choice(present), rng.choice(PIECES), rng.choice((1, 1, -1))) if present else data


def _flip(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data)) if data else 0
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _drop(rng: random.Random, data: bytes) -> bytes:
    at = _place(rng, data)
    return data[:at] + data[at + rng.choice((1, 1, 2, 4, 16)) :]


def _repeat(rng: random.Random, data: bytes) -> bytes:
    at = _place(rng, data)
    piece = data[at : at + rng.choice((1, 2, 8, 24))]
    return data[:at] + piece * rng.choice((2, 2, 3, 40)) + data[at:]


def _repeat_line(rng: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    at = rng.randrange(len(lines))
    return b"\r\n".join([*lines[:at], lines[at], *lines[at:]])


def _truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _any_case(rng: random.Random, data: bytes) -> bytes:
    at = _place(rng, data)
    return data[:at] + data[at : at + 12].swapcase() + data[at + 12 :]


_CHANGES = [
    *[_insert] * 3, *[_replace] * 2, _swap_piece, _flip, _drop, _repeat, _repeat_line, _truncate, _any_case
]  # fmt: skip
