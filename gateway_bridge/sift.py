"""Finding the lines that InfluxDB refuses, with few requests.

InfluxDB 3 names each line that it refuses: the others are sent again. 1.x and 2.x name one conflict and how many points they have
dropped. So the lines with the named field are tried apart from the others, and a request of which all lines were dropped needs no
further question; what is left is halved. Where many lines are bad and nothing tells which, halving would ask twice as often as
there are lines: then each is asked for by itself.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from city.ids import TenantId
from city.store.influx import RejectedLines

MANY = 32  # bad lines of one batch, found by halving

Write = Callable[[Sequence[bytes]], int]
_CONFLICT = re.compile(r'input field \\?"(.{1,200}?)\\?" on measurement \\?"(.{1,200}?)\\?" is type')


@dataclass(frozen=True, slots=True)
class Line:
    """One line, whose it is, and which device said it ("": nobody asks)."""

    text: bytes
    tenant: TenantId
    device: str = ""


@dataclass(slots=True)
class Sifted:
    """What became of lines: how many are stored, how many were too old to be kept, and the refused ones with InfluxDB's
    words. All three together are all lines."""

    stored: int
    expired: int
    refused: list[tuple[Line, str]]


def sift(lines: Sequence[Line], write: Write) -> Sifted:
    """Store all that InfluxDB takes. Raises InfluxDown; then nothing is known, and all of it may be sent again."""
    sifter = _Sifter(write)
    sifter.store(lines)
    return Sifted(len(lines) - sifter.expired - len(sifter.refused), sifter.expired, sifter.refused)


class _Sifter:
    def __init__(self, write: Write) -> None:
        self._write = write
        self.expired = 0
        self.refused: list[tuple[Line, str]] = []

    def store(self, lines: Sequence[Line]) -> None:
        waiting = [lines] if lines else []
        while waiting:
            part = waiting.pop()
            refusal = self._refusal(part)
            if refusal is None:
                continue
            named = [(line, refusal.lines[line.text]) for line in part if line.text in refusal.lines]
            if named:
                self.refused += named
                rest = [line for line in part if line.text not in refusal.lines]
                waiting += [rest] if rest else []
            elif len(part) == 1 or refusal.dropped >= len(part):
                self.refused += [(line, refusal.words) for line in part]
            elif len(self.refused) >= MANY:
                waiting += [[line] for line in reversed(part)]
            else:
                waiting += reversed(_divided(part, refusal.words))

    def _refusal(self, part: Sequence[Line]) -> RejectedLines | None:
        try:
            self.expired += self._write([line.text for line in part])
        except RejectedLines as error:
            return error
        return None


def _divided(lines: Sequence[Line], words: str) -> list[Sequence[Line]]:
    """Those without the named field and those with it; or halves, where that divides nothing."""
    found = _CONFLICT.search(words)
    if found:
        field, measurement = (f"{text}".encode() for text in found.groups())
        suspects = [line for line in lines if _says(line.text, measurement, field)]
        if 0 < len(suspects) < len(lines):
            return [[line for line in lines if not _says(line.text, measurement, field)], suspects]
    half = len(lines) // 2
    return [lines[:half], lines[half:]]


def _says(text: bytes, measurement: bytes, field: bytes) -> bool:
    return text.startswith(measurement + b",") and (b" " + field + b"=" in text or b"," + field + b"=" in text)
