"""Where something stands in a TOML file: the standard library's reader tells of values, not of lines.

A small scan of the source finds the line of each table and key. It reads only text that `tomllib` has accepted, so that
it need not judge anything; values are skipped by their brackets and quotes.
"""

import re
from collections import Counter
from collections.abc import Iterator

from city.errors import Invalid

Steps = tuple[str | int, ...]
_HEADER = re.compile(r"\s*(\[\[?)(.+?)\]\]?\s*(?:#.*)?$")
_KEY = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)"""
_ASSIGNMENT = re.compile(rf"\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*=")
_WORD = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*\.?""")
_STEP = re.compile(r"\.([^.\[\]`]+)|\[(\d+)\]")
_PLACE = re.compile(r" - at `\$([^`]*)`")
_NAMED = re.compile(r"field `([^`]+)`")
_MULTILINE = ('"""', "'''")


class Source:
    """A scenario file's text and the lines of its tables and keys."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self._lines = dict(_scan(text))

    def line(self, *steps: str | int) -> int:
        """The line (from 1) of a table or key, as ("street", 0, "zone"); of what it stands in, where it has none."""
        for length in range(len(steps), 0, -1):
            if steps[:length] in self._lines:
                return self._lines[steps[:length]]
        return 1

    def of(self, error: str) -> tuple[int, str]:
        """The line and the sentence of a validation error of msgspec."""
        place = _PLACE.search(error)
        steps: list[str | int] = [int(number) if number else name
                                  for name, number in _STEP.findall(place[1] if place else "")]
        named = _NAMED.search(error)
        if named and "unknown" in error:
            steps.append(named[1])
        return self.line(*steps), error

    def wrong(self, message: str, *steps: str | int, **facts: object) -> Invalid:
        """The error that says: in this line, `message` (a template for `facts`)."""
        return Invalid("The scenario {file} cannot be used, line {line}: " + message, field=str(facts.get("what", "")),
                       rule="scenario", file=self.file, line=self.line(*steps), **facts)


def _scan(text: str) -> Iterator[tuple[Steps, int]]:
    """Each table and key with its line."""
    table: Steps = ()
    counts: Counter[Steps] = Counter()
    reader = _Values()
    for number, line in enumerate(text.split("\n"), start=1):  # TOML knows no other end of a line
        if reader.open:
            reader.read(line)
            continue
        header, assignment = _HEADER.match(line), _ASSIGNMENT.match(line)
        if header and not assignment:
            table = _table(header, counts)
            yield table, number
        elif assignment:
            yield (*table, *_words(assignment[1])), number
            reader.read(line[assignment.end():])


def _table(header: re.Match[str], counts: Counter[Steps]) -> Steps:
    """The path of a header; the tables of an array are counted, and one inside such a table belongs to its last."""
    path: Steps = ()
    words = _words(header[2])
    for place, word in enumerate(words):
        path = (*path, word)
        if header[1] == "[[" and place == len(words) - 1:
            counts[path] += 1
        if path in counts:
            path = (*path, counts[path] - 1)
    return path


def _words(dotted: str) -> Steps:
    return tuple(quoted or literal or bare for quoted, literal, bare in _WORD.findall(dotted))


class _Values:
    """Reads over values; `open` is true while one goes on in the next line."""

    def __init__(self) -> None:
        self._depth, self._quotes = 0, ""

    @property
    def open(self) -> bool:
        """Whether a bracket or a string of several lines is not closed yet."""
        return self._depth > 0 or bool(self._quotes)

    def read(self, line: str) -> None:
        """The rest of a line."""
        at = 0
        while at < len(line):
            at = self._in_string(line, at) if self._quotes else self._outside(line, at)
        if len(self._quotes) == 1:
            self._quotes = ""

    def _in_string(self, line: str, at: int) -> int:
        if line[at] == "\\" and self._quotes[0] == '"':
            return at + 2
        if line.startswith(self._quotes, at):
            at += len(self._quotes)
            self._quotes = ""
            return at
        return at + 1

    def _outside(self, line: str, at: int) -> int:
        letter = line[at]
        if letter == "#":
            return len(line)
        if letter in "\"'":
            self._quotes = line[at:at + 3] if line[at:at + 3] in _MULTILINE else letter
            return at + len(self._quotes)
        self._depth += (letter in "[{") - (letter in "]}")
        return at + 1
