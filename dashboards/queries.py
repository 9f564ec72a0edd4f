"""Panels' queries in InfluxQL, the one language that InfluxDB 1.x, 2.x and 3.x share, made from the Quantity table.

Every query names the tenant literally and the chosen zones through Grafana's $zone; $timeFilter and $__interval are
Grafana's too. A number per asset is made before assets are added up, so that a lamp that reports often counts once.
"""

from typing import Literal

from city.ids import TenantId
from city.quantities import Kind, Quantity
from city.store import influxql
from city.store.influxql import name, text
from city.store.lines import column

By = Literal["zone", "asset", "circuit"]
ZONE = "$zone"


def series(quantity: Quantity, *, tenant: TenantId, by: By = "zone", every: str = "$__interval") -> str:
    """The mean over time for each `by`; only numbers have one."""
    measurement, field = _number(quantity)
    return (f"SELECT mean({name(field)}) AS {name(field)} FROM {name(measurement)} WHERE {_where(tenant)} "
            f"GROUP BY time({every}), {name(by)} fill(none)")


def total(quantity: Quantity, *, tenant: TenantId, by: By = "zone", every: str = "$__interval") -> str:
    """The sum over assets for each `by`, through time: each asset's mean in a step, steps between two of its reports
    interpolated. Not fill(previous): InfluxDB 1.x does not sum what that fills in, but gives each asset by itself.
    Steps after an asset's last report go without it, so the newest step may be too low."""
    measurement, field = _number(quantity)
    tags = ", ".join(dict.fromkeys((name("asset"), name(by))))
    each = (f"SELECT mean({name(field)}) AS {name(field)} FROM {name(measurement)} WHERE {_where(tenant)} "
            f"GROUP BY time({every}), {tags} fill(linear)")
    return (f"SELECT sum({name(field)}) AS {name(field)} FROM ({each}) WHERE $timeFilter "
            f"GROUP BY time({every}), {name(by)} fill(none)")


def total_now(quantity: Quantity, *, tenant: TenantId) -> str:
    """The sum of each asset's newest value."""
    field = name(_number(quantity)[1])
    return f"SELECT sum({field}) AS {field} FROM ({_newest_each(quantity, tenant)})"


def count_now(quantity: Quantity, *, tenant: TenantId, above: float | None = None) -> str:
    """How many assets have said anything, or something above a number with their newest value."""
    field = name(_number(quantity)[1])
    condition = "" if above is None else f" WHERE {field} > {above!r}"
    return f"SELECT count({field}) AS {field} FROM ({_newest_each(quantity, tenant)}){condition}"


def newest(quantity: Quantity, *, tenant: TenantId) -> str:
    """The newest value of all, with its time."""
    measurement, field = column(quantity)
    return f"SELECT last({name(field)}) AS {name(field)} FROM {name(measurement)} WHERE {_where(tenant)}"


def newest_each(quantity: Quantity, *, tenant: TenantId) -> str:
    """The newest value of each asset, with its time and zone."""
    return _newest_each(quantity, tenant, "zone")


def choices(quantity: Quantity, *, tenant: TenantId, tag: str) -> str:
    """The values of a tag: what a variable offers."""
    measurement, _ = column(quantity)
    return (f"SHOW TAG VALUES FROM {name(measurement)} WITH KEY = {name(tag)} "
            f"WHERE {name('tenant')} = {text(tenant)}")


def _newest_each(quantity: Quantity, tenant: TenantId, *more: str) -> str:
    return influxql.newest_each(quantity, _where(tenant), *more, "asset")


def _where(tenant: TenantId) -> str:
    return f"{name('tenant')} = {text(tenant)} AND {name('zone')} =~ /^{ZONE}$/ AND $timeFilter"


def _number(quantity: Quantity) -> tuple[str, str]:
    if quantity.kind not in (Kind.FLOAT, Kind.INT) or quantity.counts_up:
        raise ValueError(f"{quantity.name} has no mean: it is {'a counter' if quantity.counts_up else 'no number'}")
    return column(quantity)
