"""The retention job: what city.retention plans, done in small steps, with a report of each kind for each town."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from city.ids import TenantId
from city.parking_facts import Retired
from city.retention import Term, over
from city.store.ports import Store

ROWS = 2000  # removed in one transaction: writers wait for no longer than that takes
LEFT = "left"  # note of a report: something older remains
INFLUX_BAYS = "influx_bays"  # a kind that InfluxDB forgets by itself: reported on by who ships to it


@dataclass(frozen=True, slots=True)
class Step:
    """So many rows were removed; with a report where a kind is done, and whether the town keeps that report."""

    tenant: TenantId
    what: str
    removed: int
    report: Retired | None = None
    kept: bool = False


def retire(store: Store, terms: Sequence[Term], now: datetime, quiet: Collection[tuple[TenantId, str]] = (), *,
           rows: int = ROWS) -> Iterator[Step]:
    """Remove what is due in every town, a little at each step, and write the reports. Those of kinds in `quiet` are kept only
    where something was removed or is left. Raises StoreDown."""
    for tenant in [town.id for town in store.tenants()]:
        for term in terms:
            yield from _retire(store, tenant, term, now, rows, quiet=(tenant, term.what) in quiet)


def _retire(store: Store, tenant: TenantId, term: Term, now: datetime, rows: int, *, quiet: bool) -> Iterator[Step]:
    total = 0
    while removed := store.retire(tenant, term.what, term.before, rows):
        total += removed
        yield Step(tenant, term.what, removed)
    oldest = store.oldest(tenant, term.what)
    left = LEFT if over(term, oldest) else ""
    report = Retired(now, term.what, total, oldest, float(term.keep_days), left)
    kept = bool(total or left or not quiet)
    if kept:
        store.put_retired(tenant, report)
    yield Step(tenant, term.what, 0, report, kept)
