"""Panels' queries in InfluxQL, the one language that InfluxDB 1.x, 2.x and 3.x share, made from the tables of quantities.

Every query names its town literally, the chosen tags through Grafana's variables, and $timeFilter; $__interval and $interval are
Grafana's too. A number per asset is made before assets are added up, so that a lamp that reports often counts once. Not used, for
3.x has not got it: SLIMIT. Not used, for it depends on how the server is set up: database and retention policy in names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from city.ids import TenantId
from city.quantities import Kind, Quantity
from city.store.influxql import name, text
from city.store.lines import column

Mean = Literal["mean", "max", "min", "last", "sum", "count"]
Rolled = Literal["mean", "min", "max", "last", "count"]  # fields of hours and days: city.store.aggregates
EVERY = "$__interval"
CHOSEN_EVERY = "$interval"
MOST_CHOICES = 5000


@dataclass(frozen=True, slots=True)
class Scope:
    """What bounds a board's queries: the town (None: data that is no town's), the tags that a viewer chooses, each with its
    variable, and tags that are fixed. `also`: of a chosen tag, series without it are shown too, as they concern all."""

    tenant: TenantId | None
    chosen: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    also: bool = False

    def with_fixed(self, **tags: str) -> "Scope":
        """The same, narrower."""
        return Scope(self.tenant, self.chosen, {**self.fixed, **tags}, self.also)

    def tags(self) -> str:
        """The condition on tags; empty where there is none."""
        wanted = [] if self.tenant is None else [f"{name('tenant')} = {text(self.tenant)}"]
        wanted += [f"{name(tag)} = {text(value)}" for tag, value in self.fixed.items()]
        for tag, variable in self.chosen.items():
            one = f"{name(tag)} =~ /^${variable}$/"
            wanted.append(f"({one} OR {name(tag)} = '')" if self.also else one)
        return " AND ".join(wanted)

    def where(self, *more: str) -> str:
        """The whole condition, with the time."""
        return " AND ".join(part for part in (self.tags(), *more, "$timeFilter") if part)


def series(quantity: Quantity, scope: Scope, *, by: Sequence[str] = ("zone",), every: str = EVERY, of: Mean = "mean",
           rolled: Rolled | None = None, per: int = 1, into: Quantity | None = None, only: Sequence[str] = ()) -> str:
    """One value for each step and combination of `by`. A mean is of numbers only; "last" also of counters, "count" of anything.
    `rolled`: asked of hours or days. `per`, `into`: divided by so much, under that quantity's name. `only`: conditions."""
    measurement, stored, shown = _numbers(quantity, of, rolled)
    shown, divided = column(into)[1] if into is not None else shown, f" / {per}" if per != 1 else ""
    return (f"SELECT {of}({name(stored)}){divided} AS {name(shown)} FROM {name(measurement)} WHERE {scope.where(*only)} "
            f"GROUP BY {_groups(every, by)} fill(none)")


def together(quantity: Quantity, scope: Scope, *, each: Sequence[str] = ("zone",), by: Sequence[str] = (), every: str = EVERY,
             of: Mean = "mean", into: Literal["sum", "max"] = "sum", rolled: Rolled | None = None) -> str:
    """The sum (or the largest) over `each` of a value that each of them says, through time, for each `by`. Each one's mean in a
    step is taken first, so that who speaks often counts once; who says nothing in a step is missing from it. Not for thousands of
    lamps: InfluxDB 1.x takes ten seconds and more to bring together so many; for a sum of them see the hours."""
    measurement, stored, shown = _numbers(quantity, of, rolled)
    tags = list(dict.fromkeys((*each, *by)))
    inner = (f"SELECT {of}({name(stored)}) AS {name(shown)} FROM {name(measurement)} WHERE {scope.where()} "
             f"GROUP BY {_groups(every, tags)} fill(none)")
    return (f"SELECT {into}({name(shown)}) AS {name(shown)} FROM ({inner}) WHERE $timeFilter "
            f"GROUP BY {_groups(every, by)} fill(none)")


def gain(counter: Quantity, scope: Scope, *, into: Quantity, by: Sequence[str] = ("zone",), every: str = "1d",
         rolled: bool = False) -> str:
    """By how much each asset's counter grew from step to step, added up for each `by` under the name of `into`. A counter that
    starts anew adds nothing in that step."""
    measurement, field = column(counter)
    stored, shown = f"{field}_last" if rolled else field, column(into)[1]
    tags = list(dict.fromkeys(("asset", *by)))
    each = (f"SELECT non_negative_difference(last({name(stored)})) AS {name(shown)} FROM {name(measurement)} "
            f"WHERE {scope.where()} GROUP BY {_groups(every, tags)} fill(none)")
    return (f"SELECT sum({name(shown)}) AS {name(shown)} FROM ({each}) WHERE $timeFilter "
            f"GROUP BY {_groups(every, by)} fill(none)")


def share(into: Quantity, part: str, whole: str, measurement: str, scope: Scope, *, by: Sequence[str] = (),
          every: str = "", only: Sequence[str] = ()) -> str:
    """100 · part / whole: two expressions over sums of fields of one measurement; the whole range where there is no step.
    `only`: conditions."""
    groups = _groups(every, by)
    return (f"SELECT 100 * ({part}) / ({whole}) AS {name(column(into)[1])} FROM {name(measurement)} WHERE {scope.where(*only)}"
            + (f" GROUP BY {groups}" if groups else "") + (" fill(none)" if every else ""))


def summed(quantity: Quantity, scope: Scope, *, less: Quantity | None = None, into: Quantity | None = None) -> str:
    """The sum over the range; `less` another of the same measurement, under the name of `into`."""
    measurement, stored, shown = _numbers(quantity, "sum", None)
    minus = f" - sum({name(column(less)[1])})" if less is not None else ""
    shown = column(into)[1] if into is not None else shown
    return f"SELECT sum({name(stored)}){minus} AS {name(shown)} FROM {name(measurement)} WHERE {scope.where()}"


def now(quantity: Quantity, scope: Scope, *, each: Sequence[str] = ("zone",), by: Sequence[str] = (),
        into: Literal["sum", "max", "min"] = "sum") -> str:
    """What the newest samples of `each` come to, for each `by`."""
    measurement, stored, shown = _numbers(quantity, "last", None)
    groups = f" GROUP BY {_groups('', by)}" if by else ""
    return (f"SELECT {into}({name(shown)}) AS {name(shown)} FROM (SELECT last({name(stored)}) AS {name(shown)} "
            f"FROM {name(measurement)} WHERE {scope.where()} GROUP BY {_groups('', list(dict.fromkeys((*each, *by))))}){groups}")


def count_now(quantity: Quantity, scope: Scope, *, above: float | None = None) -> str:
    """How many assets have said anything, or something above a number with their newest value."""
    _, _, field = _numbers(quantity, "last", None)
    condition = "" if above is None else f" WHERE {name(field)} > {above!r}"
    return f"SELECT count({name(field)}) AS {name(field)} FROM ({newest_each(quantity, scope, by=('asset',))}){condition}"


def newest(quantity: Quantity, scope: Scope) -> str:
    """The newest value of all, with its time."""
    measurement, field = column(quantity)
    return f"SELECT last({name(field)}) AS {name(field)} FROM {name(measurement)} WHERE {scope.where()}"


def newest_each(quantity: Quantity, scope: Scope, *, by: Sequence[str] = ("asset", "zone")) -> str:
    """The newest value for each `by`, with its time."""
    measurement, field = column(quantity)
    return (f"SELECT last({name(field)}) AS {name(field)} FROM {name(measurement)} WHERE {scope.where()} "
            f"GROUP BY {_groups('', by)}")


def listed(inner: str, fields: Sequence[str], *, most: int, newest_first: bool = False) -> str:
    """Rows of a query that is grouped by tags, as one table of at most `most` rows, by time."""
    order = "DESC" if newest_first else "ASC"
    return f"SELECT {', '.join(map(name, fields))} FROM ({inner}) ORDER BY time {order} LIMIT {most}"


def rows(measurement: str, fields: Mapping[str, str] | Sequence[str], scope: Scope, *more: str, most: int) -> str:
    """The newest points as they are, newest first; a mapping gives fields other names. `more`: conditions."""
    named = fields if isinstance(fields, Mapping) else {field: field for field in fields}
    what = ", ".join(name(field) + (f" AS {name(shown)}" if field != shown else "") for field, shown in named.items())
    return f"SELECT {what} FROM {name(measurement)} WHERE {scope.where(*more)} ORDER BY time DESC LIMIT {most}"


def whole(measurement: str, scope: Scope, *, most: int) -> str:
    """The newest points with all fields and tags that the measurement has, newest first; `measurement` is a name, or a variable
    of the board ("$own") that holds one."""
    return f"SELECT * FROM {_measured(measurement)} WHERE {scope.where()} ORDER BY time DESC LIMIT {most}"


def means(measurement: str, scope: Scope, *, every: str = CHOSEN_EVERY) -> str:
    """The mean of each of its fields that are numbers, named mean_…; else as `whole`."""
    return f"SELECT mean(*) FROM {_measured(measurement)} WHERE {scope.where()} GROUP BY {_groups(every, ())} fill(none)"


def sums(quantities: Sequence[Quantity], scope: Scope, *, by: Sequence[str], most: int,
         of: Mapping[str, Mean] | None = None) -> str:
    """A table: sums of quantities of one measurement over the range, for each `by`; `of`: other aggregates by name."""
    fields = [column(one)[1] for one in quantities]
    what = ", ".join(f"{(of or {}).get(one.name, 'sum')}({name(field)}) AS {name(field)}"
                     for one, field in zip(quantities, fields, strict=True))
    inner = f"SELECT {what} FROM {name(quantities[0].measurement)} WHERE {scope.where()} GROUP BY {_groups('', by)}"
    # 2.x brings max and last in the order of the points that they chose, so that a row may come in two parts (seen at 2.9): the
    # sums put these together.
    sole = ", ".join(f"sum({name(field)}) AS {name(field)}" for field in fields)
    return listed(f"SELECT {sole} FROM ({inner}) GROUP BY {_groups('', by)}", [*fields, *by], most=most)


def weakest(quantity: Quantity, scope: Scope, *beside: Quantity, most: int, by: Sequence[str] = ("asset", "zone"),
            rolled: Literal["mean"] | None = None) -> str:
    """The assets whose mean is lowest, with means of what else the same reports said."""
    named = [_numbers(one, "mean", rolled) for one in (quantity, *beside)]
    (measurement, _, field), *_ = named
    means = ", ".join(f"mean({name(stored)}) AS {name(shown)}" for _, stored, shown in named)
    more = ", ".join(map(name, (*(shown for _, _, shown in named[1:]), *by)))
    return (f"SELECT bottom({name(field)}, {most}) AS {name(field)}, {more} FROM (SELECT {means} FROM {name(measurement)} "
            f"WHERE {scope.where()} GROUP BY {_groups('', by)})")


def choices(measurement: str, scope: Scope, *, tag: str) -> str:
    """The values of a tag: what a variable offers. Without a time 3.x looks at the last day alone; 1.x and 2.x look at whole
    shards."""
    return f"SHOW TAG VALUES FROM {name(measurement)} WITH KEY = {name(tag)} WHERE {scope.where()} LIMIT {MOST_CHOICES}"


def own_measurements(scope: Scope) -> str:
    """What a town's own scripts have said and nobody has mapped (city.quantities.raw): the measurements in which that is. 1.x
    takes no time here, and so 3.x looks at the last day alone."""
    return f"SHOW MEASUREMENTS WITH MEASUREMENT =~ /^raw\\// WHERE {scope.tags()} LIMIT {MOST_CHOICES}"


def _measured(measurement: str) -> str:
    return f"/^{measurement}$/" if measurement.startswith("$") else name(measurement)


def _rolled(quantity: Quantity) -> set[str]:
    """What hours and days have of a quantity (city.store.aggregates)."""
    if quantity.kind is Kind.TEXT:
        return set()
    if quantity.counts_up:
        return {"last", "count"}
    return {"mean", "count"} if quantity.kind is Kind.BOOL else {"mean", "min", "max", "count"}


def _groups(every: str, tags: Sequence[str]) -> str:
    return ", ".join([*([f"time({every})"] if every else []), *map(name, tags)])


def _numbers(quantity: Quantity, of: str, rolled: Rolled | None) -> tuple[str, str, str]:
    """Measurement, the field as it is stored, and the name it is shown under. Raises ValueError where that has no such value."""
    measurement, field = column(quantity)
    if rolled is not None:
        if rolled not in _rolled(quantity):
            raise ValueError(f"{quantity.name} has no {rolled} in hours and days")
        return measurement, f"{field}_{rolled}", field
    if of not in ("count", "last") and (quantity.kind not in (Kind.FLOAT, Kind.INT) or quantity.counts_up):
        raise ValueError(f"{quantity.name} has no {of}: it is {'a counter' if quantity.counts_up else 'no number'}")
    return measurement, field, field
