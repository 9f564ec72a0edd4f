"""The query options of OGC SensorThings API 1.1 (18-088, 9.3) that we answer: parsed once, and applied to plain values. Pure.

$top, $skip, $count, $select, $orderby; $expand with options of its own, three deep; $filter in a subset of OData's grammar:
and, or, not, parentheses; eq ne gt ge lt le; numbers, 'texts', times, true, false, null; the functions in FUNCTIONS; names of
properties, with a slash into objects and along single relations. Whatever else is asked for is refused with a sentence:
Unsupported for what the standard knows and we do not, Invalid for what nobody can read.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from city.errors import Invalid, Unsupported

MOST_TOP, USUAL_TOP, MOST_SKIP = 1000, 100, 1_000_000
LONGEST, MOST_TOKENS, DEEPEST, MOST_KEYS, MOST_EXPANDED, EXPAND_DEPTH = 1000, 150, 12, 5, 8, 3
KNOWN: Final = ("$count", "$expand", "$filter", "$orderby", "$select", "$skip", "$top")
FOREIGN: Final = ("$apply", "$compute", "$format", "$levels", "$resultFormat", "$search", "$value")  # of the standard, or near it
FUNCTIONS: Final[Mapping[str, tuple[int, Callable[..., object]]]] = {
    "substringof": (2, lambda part, text: str(part) in str(text)), "contains": (2, lambda text, part: str(part) in str(text)),
    "startswith": (2, lambda text, part: str(text).startswith(str(part))),
    "endswith": (2, lambda text, part: str(text).endswith(str(part))),
    "length": (1, lambda text: len(str(text))), "tolower": (1, lambda text: str(text).lower()),
    "toupper": (1, lambda text: str(text).upper()), "trim": (1, lambda text: str(text).strip()),
    "now": (0, lambda: None)}
_ELSEWHERE: Final = re.compile(r"(st_\w+|geo\.\w+|indexof|substring|concat|year|month|day|hour|minute|second|date|time|round|"
                               r"fractionalseconds|totaloffsetminutes|mindatetime|maxdatetime|floor|ceiling|any|all)\Z")
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))|(?P<number>-?\d{1,15}(?:\.\d{1,12})?)"
    r"|(?P<text>'(?:[^']|'')*')|(?P<name>[@A-Za-z_][\w.@]*(?:/[@A-Za-z_][\w.@]*)*)|(?P<sign>[(),]))")
_WORDS: Final[Mapping[str, object]] = {"true": True, "false": False, "null": None}

Getter = Callable[[str], object]  # the value of a property of the thing at hand, by its path; None where there is none
Term = Callable[[Getter], object]


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of a collection. `filter` says whether something belongs; `window` is what it says of phenomenonTime or
    resultTime that must hold at least: no earlier than, no later than."""

    top: int = USUAL_TOP
    skip: int = 0
    count: bool = False
    select: tuple[str, ...] = ()
    orderby: tuple[tuple[str, bool], ...] = ()  # path, whether descending
    filter: Term | None = None
    window: tuple[datetime | None, datetime | None] = (None, None)
    weight: int = 1  # how much work it is to look at one thing: the filter's words, and three for each key of the order
    expand: Mapping[str, "Query"] = field(default_factory=dict)
    asked: tuple[tuple[str, str], ...] = ()  # as it came, for the link to the next page


@dataclass(frozen=True, slots=True)
class Interval:
    """A time, or from a time up to another one."""

    start: datetime
    end: datetime


def parse(options: Iterable[tuple[str, str]], now: datetime, depth: int = 0) -> Query:
    """Raises Invalid, Unsupported. Options without "$" are none of ours, and refused too: ignored, they would tell lies."""
    found: dict[str, str] = {}
    for name, text in options:
        if name in FOREIGN:
            raise Unsupported("“{name}” is not supported here.", field=name, rule=", ".join(KNOWN), name=name)
        if name not in KNOWN or name in found:
            raise Invalid("“{name}” is no option that can be read here.", field=name[:40], rule=", ".join(KNOWN), name=name[:40])
        found[name] = text
    keep, window, words = _filter(found["$filter"], now) if "$filter" in found else (None, (None, None), 0)
    order = _order(found.get("$orderby", ""))
    return Query(_number(found, "$top", USUAL_TOP, MOST_TOP), _number(found, "$skip", 0, MOST_SKIP),
                 _flag(found.get("$count", "false")), _names(found.get("$select", "")), order, keep, window,
                 1 + words + 3 * len(order), _expand(found["$expand"], now, depth) if "$expand" in found else {},
                 tuple(found.items()))


def matches(query: Query, get: Getter) -> bool:
    """Whether something belongs to what is asked for."""
    return query.filter is None or query.filter(get) is True


def ordered(items: Iterable[Any], query: Query, getter: Callable[[Any], Getter]) -> list[Any]:
    """In the order that is asked for; what has no value stands first, and last where the order is descending."""
    found = list(items)
    for path, descending in reversed(query.orderby):
        found.sort(key=lambda item: _sortable(getter(item)(path)), reverse=descending)
    return found


def as_time(value: object) -> Interval | None:
    """A text of SensorThings as a time, where it is one: an instant, or two with a slash between them."""
    if isinstance(value, Interval):
        return value
    if not isinstance(value, str) or not value[:4].isdigit():
        return None
    first, _, last = value.partition("/")
    try:
        start = datetime.fromisoformat(first)
        end = datetime.fromisoformat(last) if last else start
    except ValueError:
        return None
    return Interval(start, end) if start.tzinfo is not None and end.tzinfo is not None else None


def _number(found: Mapping[str, str], name: str, usual: int, most: int) -> int:
    text = found.get(name, str(usual))
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise Invalid("“{name}” must be a whole number.", field=name, rule=f"0…{most}", name=name)
    if name == "$skip" and int(text) > most:
        raise Invalid("“{name}” must be a whole number.", field=name, rule=f"0…{most}", name=name)
    return min(int(text), most)  # a server may give fewer than asked for (9.3.3.2)


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise Invalid("“{name}” must be true or false.", field="$count", rule="true, false", name="$count")
    return text == "true"


def _names(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if len(text) > LONGEST or any(not re.fullmatch(r"[@A-Za-z][\w.@]{0,80}", name) for name in names):
        raise Invalid("These names cannot be read: {text}.", field="$select", rule="names", text=text[:80])
    return names


def _order(text: str) -> tuple[tuple[str, bool], ...]:
    found: list[tuple[str, bool]] = []
    for part in filter(None, (part.strip() for part in text[:LONGEST].split(","))):
        match = re.fullmatch(r"([@A-Za-z][\w.@/]{0,120})(?:\s+(asc|desc))?", part)
        if match is None or len(found) >= MOST_KEYS:
            raise Invalid("This order cannot be read: {text}.", field="$orderby", rule="name asc, name desc", text=part[:80])
        found.append((match[1], match[2] == "desc"))
    return tuple(found)


def _expand(text: str, now: datetime, depth: int) -> Mapping[str, Query]:
    """`A,B($top=1;$expand=C),D/E`: what to put in, each with options of its own."""
    if len(text) > LONGEST or depth >= EXPAND_DEPTH:
        raise Unsupported("This would put in too much: at most {most} deep.", field="$expand", rule=f"≤ {EXPAND_DEPTH}",
                          most=EXPAND_DEPTH)
    found: dict[str, Query] = {}
    for part in _split(text, ","):
        match = re.fullmatch(r"([A-Za-z]{1,40})(?:/([A-Za-z/]{1,120}))?(?:\((.*)\))?", part.strip(), re.DOTALL)
        if match is None or match[1] in found or len(found) >= MOST_EXPANDED:
            raise Invalid("What is to be put in cannot be read: {text}.", field="$expand", rule="Name($option=…;…)",
                          text=part[:80])
        name, rest, options = match.groups()
        inner = f"$expand={rest}({options})" if rest and options else f"$expand={rest}" if rest else options or ""
        pairs = [(key.strip(), value) for key, _, value in (one.partition("=") for one in _split(inner, ";")) if key.strip()]
        found[name] = parse(pairs, now, depth + 1)
    return found


def _split(text: str, sign: str) -> list[str]:
    """The parts between signs that stand outside of parentheses and quotes."""
    parts, level, quoted, start = [], 0, False, 0
    for place, letter in enumerate(text):
        if letter == "'":
            quoted = not quoted
        elif not quoted:
            level += {"(": 1, ")": -1}.get(letter, 0)
            if letter == sign and level == 0:
                parts.append(text[start:place])
                start = place + 1
    return [*parts, text[start:]]


def _filter(text: str, now: datetime) -> tuple[Term, tuple[datetime | None, datetime | None], int]:
    """The filter, the time that it leaves, and how many words it has."""
    if len(text) > LONGEST:
        raise Invalid("This filter is too long.", field="$filter", rule=f"≤ {LONGEST}")
    tokens = _tokens(text)
    parser = _Parser(tokens, now)
    return parser.whole(), parser.window(), len(tokens)


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place, text = 0, text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None or len(found) >= MOST_TOKENS:
            raise Invalid("This filter cannot be read from here on: {text}.", field="$filter", rule="OData, a part of it",
                          text=text[place:place + 60].strip())
        found.append((match.lastgroup, match[match.lastgroup]))
        place = match.end()
    return found


class _Parser:
    """A filter's words, read from left to right; `or` binds less than `and`, that less than `not`."""

    def __init__(self, tokens: Sequence[tuple[str, str]], now: datetime) -> None:
        self._tokens, self._now, self._at, self._deep = tokens, now, 0, 0
        self._bounds: list[tuple[str, datetime]] = []
        self._narrow = not any(token in (("name", "or"), ("name", "not")) for token in tokens)

    def whole(self) -> Term:
        term = self._any()
        if self._at < len(self._tokens):
            raise self._unreadable()
        return term

    def window(self) -> tuple[datetime | None, datetime | None]:
        """What all matches must at least lie in, where the filter is a plain chain of `and`."""
        if not self._narrow:
            return None, None
        after = [at for how, at in self._bounds if how in ("gt", "ge", "eq")]
        before = [at for how, at in self._bounds if how in ("lt", "le", "eq")]
        return max(after, default=None), min(before, default=None)

    def _any(self) -> Term:
        terms = [self._all()]
        while self._takes("name", "or"):
            terms.append(self._all())
        return terms[0] if len(terms) == 1 else lambda get: any(term(get) is True for term in terms)

    def _all(self) -> Term:
        terms = [self._one()]
        while self._takes("name", "and"):
            terms.append(self._one())
        return terms[0] if len(terms) == 1 else lambda get: all(term(get) is True for term in terms)

    def _one(self) -> Term:
        self._deep += 1
        if self._deep > DEEPEST:
            raise Invalid("This filter is nested too deep.", field="$filter", rule=f"≤ {DEEPEST}")
        try:
            if self._takes("name", "not"):
                inner = self._one()
                return lambda get: inner(get) is not True
            if self._takes("sign", "("):
                inner = self._any()
                self._must(")")
                return inner
            return self._compared()
        finally:
            self._deep -= 1

    def _compared(self) -> Term:
        left_name, left = self._operand()
        how = self._peek()
        if how[0] != "name" or how[1] not in _COMPARE:
            return left
        self._at += 1
        _, right = self._operand()
        self._bound(left_name, how[1], right)
        return lambda get: compare(how[1], left(get), right(get))

    def _bound(self, name: str, how: str, right: Term) -> None:
        value = right(lambda _: None)
        if name in ("phenomenonTime", "resultTime") and isinstance(value, Interval):
            self._bounds.append((how, value.start))

    def _operand(self) -> tuple[str, Term]:
        kind, text = self._next()
        if kind == "name" and text in _WORDS:
            return "", lambda _: _WORDS[text]
        if kind == "name":
            return (text, self._called(text)) if self._peek() == ("sign", "(") else (text, lambda get: get(text))
        if kind == "number":
            return "", lambda _: float(text)
        if kind == "text":
            return "", lambda _: text[1:-1].replace("''", "'")
        if kind == "time" and (time := as_time(text)) is not None:
            return "", lambda _: time
        raise self._unreadable()

    def _called(self, name: str) -> Term:
        if name not in FUNCTIONS:
            kind = Unsupported if _ELSEWHERE.match(name) else Invalid
            raise kind("The function “{name}” is not supported here.", field="$filter", rule=", ".join(FUNCTIONS), name=name[:40])
        count, work = FUNCTIONS[name]
        self._must("(")
        arguments: list[Term] = []
        while len(arguments) < count:
            if arguments:
                self._must(",")
            arguments.append(self._operand()[1])
        self._must(")")
        if name == "now":
            moment = Interval(self._now, self._now)
            return lambda _: moment
        return lambda get: None if None in (values := [term(get) for term in arguments]) else work(*values)

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _next(self) -> tuple[str, str]:
        found = self._peek()
        self._at += 1
        return found

    def _takes(self, kind: str, text: str) -> bool:
        if self._peek() != (kind, text):
            return False
        self._at += 1
        return True

    def _must(self, sign: str) -> None:
        if not self._takes("sign", sign):
            raise self._unreadable()

    def _unreadable(self) -> Invalid:
        rest = " ".join(text for _, text in self._tokens[max(self._at - 1, 0):])[:60]
        return Invalid("This filter cannot be read from here on: {text}.", field="$filter", rule="OData, a part of it", text=rest)


def compare(how: str, left: object, right: object) -> bool:
    """As OData compares: what is of two kinds is never equal, and neither more nor less. A span of time is before what it ends
    at or before, and after what it begins at or after."""
    if (one := as_time(left)) is not None and (other := as_time(right)) is not None and Interval in (type(left), type(right)):
        return _COMPARE_TIMES[how](one, other)
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return {"eq": left is right, "ne": left is not right}.get(how, False)
    if isinstance(left, int | float) and isinstance(right, int | float):
        return _COMPARE[how](left, right)
    if isinstance(left, str) and isinstance(right, str):
        return _COMPARE[how](left, right)
    return how == "ne"


def _sortable(value: object) -> tuple[int, float, str]:
    if (time := as_time(value)) is not None:
        return 2, time.start.astimezone(UTC).timestamp(), ""
    if isinstance(value, int | float):
        return 1, float(value), ""
    return (0, 0.0, "") if value is None else (3, 0.0, str(value))


_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b, "le": lambda a, b: a <= b}
_COMPARE_TIMES: Final[Mapping[str, Callable[[Interval, Interval], bool]]] = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b,
    "gt": lambda a, b: a.start > b.end or (a.start >= b.end and a.start < a.end), "ge": lambda a, b: a.start >= b.end,
    "lt": lambda a, b: a.end < b.start or (a.end <= b.start and a.start < a.end), "le": lambda a, b: a.end <= b.start}
