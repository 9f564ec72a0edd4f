"""Grafana's part in an alert rule: it asks, reduces each series, compares, and says which series are in alarm. Made from its
documentation of expressions (reduce, threshold, math), states and the pending period (`for`)."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from math import isfinite

from dashboards.fill import fill
from dashboards.render import Json

Labels = tuple[tuple[str, str], ...]
Ask = Callable[[str], Iterable[Mapping[str, object]]]
REDUCERS = {"last": lambda values: values[-1], "sum": sum, "max": max, "min": min,
            "mean": lambda values: sum(values) / len(values), "count": len}
COMPARED = {"gt": lambda value, limit: value > limit, "lt": lambda value, limit: value < limit}


def alarms(rule: Json, ask: Ask, now: datetime) -> set[Labels] | str:
    """The labels of each series that has been true at each evaluation of the pending period; or the rule's noDataState where
    no query gives anything now."""
    found = true_at(rule, ask, now)
    number, unit = int(rule["for"][:-1]), rule["for"][-1]
    minutes = number if unit == "m" else number // 60
    for ago in range(1, minutes + 1):
        before = true_at(rule, ask, now - timedelta(minutes=ago)) if found else ""
        if isinstance(found, str) or not found:
            return found
        found &= before if isinstance(before, set) else set()
    return found


def true_at(rule: Json, ask: Ask, now: datetime) -> set[Labels] | str:
    """The labels of each series for which the condition holds."""
    series: dict[str, dict[Labels, list[float]]] = {}
    values: dict[str, dict[Labels, float]] = {}
    for one in rule["data"]:
        model, ref = one["model"], one["refId"]
        if one["datasourceUid"] != "__expr__":
            span = one["relativeTimeRange"]
            start, end = now - timedelta(seconds=span["from"]), now - timedelta(seconds=span["to"])
            series[ref] = asked(ask(fill(model["query"], start, end, model["intervalMs"], {})), model["query"])
        elif model["type"] == "reduce":
            values[ref] = {labels: float(REDUCERS[model["reducer"]](found))
                           for labels, found in series[model["expression"]].items() if found}
        elif model["type"] == "threshold":
            evaluator = model["conditions"][0]["evaluator"]
            values[ref] = {labels: float(COMPARED[evaluator["type"]](value, evaluator["params"][0]))
                           for labels, value in values[model["expression"]].items()}
        else:
            values[ref] = computed(model["expression"], values)
    if not any(series.values()):
        return str(rule["noDataState"])
    return {labels for labels, value in values[rule["condition"]].items() if value}


def asked(rows: Iterable[Mapping[str, object]], query: str) -> dict[Labels, list[float]]:
    """Each series' numbers in the order of time, by the tags that the query groups by; no number: dropped (dropNN)."""
    found: dict[Labels, list[float]] = {}
    tags = re.findall(r'"(\w+)"', query.rpartition("GROUP BY")[2])
    for row in rows:
        labels = tuple((tag, str(row[tag])) for tag in tags)
        its = found.setdefault(labels, [])
        its += [float(value) for key, value in row.items()
                if key not in ("time", *tags) and isinstance(value, int | float) and isfinite(value)]
    return found


def computed(expression: str, values: Mapping[str, Mapping[Labels, float]]) -> dict[Labels, float]:
    """Math over series that have the same labels; what one side lacks is not in the answer."""
    refs = re.findall(r"\$([A-Z])", expression)
    python = re.sub(r"\$([A-Z])", r"\1", expression).replace("&&", "and").replace("||", "or")
    assert re.fullmatch(r"[A-Z0-9 .<>=+*/()-]*(?:(?:and|or)[A-Z0-9 .<>=+*/()-]*)*", python)
    common = set.intersection(*(set(values[ref]) for ref in refs))
    return {labels: float(eval(python, {"__builtins__": {}}, {ref: values[ref][labels] for ref in refs})) for labels in common}
