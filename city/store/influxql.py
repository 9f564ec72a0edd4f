"""InfluxQL, the one language that InfluxDB 1.x, 2.x and 3.x share: how names and strings are quoted in it, and the
queries that answer a Question. Nothing that comes from outside gets into a query but through `name` and `text`."""

import re

from city.ids import TenantId, ZoneId
from city.quantities import Quantity
from city.readings import NS
from city.store.lines import column, tag
from city.store.queries import Question

_ESCAPED = re.compile(r"\\([,= ])")


def name(identifier: str) -> str:
    """An identifier in InfluxQL's quotes."""
    escaped = identifier.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def text(value: str) -> str:
    """A string in InfluxQL's quotes."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def said(value: str) -> str:
    """A tag's value as InfluxDB has it: what line protocol cannot say is replaced."""
    return _ESCAPED.sub(r"\1", tag(value))


def newest_each(quantity: Quantity, where: str, *tags: str, channel: str = "") -> str:
    """The newest value for each combination of `tags`, under the field's own name."""
    measurement, field = column(quantity, channel)
    return (f"SELECT last({name(field)}) AS {name(field)} FROM {name(measurement)} WHERE {where} "
            f"GROUP BY {', '.join(map(name, tags))}")


def asking(question: Question, *, weighed: bool = False) -> str:
    """The query that answers it: rows of `value`, grouped as asked. Steps count from `start`. `weighed`: each row of a step with
    how many values it is made of, so that two such answers can become one."""
    measurement, field = column(question.quantity, question.channel)
    every = question.step_ns
    what = f"{question.manner}({name(field)})" if every else name(field)
    what = f"{what} AS value, count({name(field)}) AS weight" if every and weighed else f"{what} AS value"
    groups = [f"time({_duration(every)}, {_duration(question.first_ns % every)})"] if every else []
    groups += [name(question.by)] if question.by else []
    query = f"SELECT {what} FROM {name(measurement)} WHERE {_where(question)}"
    return query + (f" GROUP BY {', '.join(groups)}" if groups else "") + (" fill(none)" if every else "")


def newest_of(tenant: TenantId, quantity: Quantity, zone: ZoneId | None) -> str:
    """The newest value of each asset, under the field's own name."""
    wanted = [_is("tenant", tenant), _is("channel", "")] + ([_is("zone", zone)] if zone is not None else [])
    return newest_each(quantity, " AND ".join(wanted), "asset")


def _where(question: Question) -> str:
    wanted = [_is("tenant", question.tenant)]
    if question.zone is not None:
        wanted.append(_is("zone", question.zone))
    if question.asset is not None:
        wanted.append(_is("asset", question.asset))
    facet = column(question.quantity, question.channel) != column(question.quantity)  # the channel is in the field's name
    wanted.append(_is("channel", "" if facet else question.channel))
    return " AND ".join((*wanted, f"time >= {question.first_ns}", f"time < {question.last_ns}"))


def _is(key: str, value: str) -> str:
    return f"{name(key)} = {text(said(value))}"


def _duration(ns: int) -> str:
    return f"{ns // NS}s" if ns % NS == 0 else f"{ns // 1000}u"
