"""How long anything of parking is kept, and whether that is kept to. Pure; the bridge that steers does it, and reports.

Storage limitation is Art. 5 (1) e DSGVO: what tells of single bays goes first, then single stays, then the health of single
sensors; sums of zones tell of nobody and stay longest. A sum over one bay or a few is no sum: it goes with the stays.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from city.parking_facts import Retired
from city.settings import Parking

EVENTS, LETTERS, STAYS, SENSORS, DOUBTS = "bay_events", "bay_letters", "parking_stays", "bay_days", "doubts"
CHECKED, CHECKS = "checked_sensors", "sensor_checks"
FORECASTS, BLOCKS, QUARTERS, REPORTS = "forecasts", "bay_blocks", "parking_quarters", "retired"
FEW_QUARTERS = "few_quarters"  # those of fewer bays than …
FEW_BAYS = 5  # … this: a zone's only bay for the disabled has a history there like any single bay. The store's index names it
EVERY = timedelta(hours=1)
SLACK = 2 * EVERY  # what became too old since the last run, and once a failed one, is not overdue
SILENT_AFTER = timedelta(hours=26)  # each kind is reported on once a day at least


@dataclass(frozen=True, slots=True)
class Term:
    """Rows of one kind are kept for so many days: those from before `before` go now."""

    what: str
    keep_days: int
    before: datetime


def plan(rules: Parking, now: datetime) -> list[Term]:
    """What must go now, the most telling first. At least a day of each is kept; quarters of an hour for ever where their days
    are 0."""
    days = {EVENTS: rules.raw_days, LETTERS: rules.raw_days, CHECKED: rules.raw_days, STAYS: rules.stays_days,
            FEW_QUARTERS: rules.stays_days,
            SENSORS: rules.sensor_days, DOUBTS: rules.doubt_days, CHECKS: rules.doubt_days,
            FORECASTS: 7 * rules.forecast_weeks, BLOCKS: rules.sensor_days, QUARTERS: rules.quarter_days,
            REPORTS: rules.report_days}
    if rules.quarter_days <= 0:
        del days[QUARTERS]
    return [Term(what, max(keep, 1), _before(what, max(keep, 1), now)) for what, keep in days.items()]


def over(term: Term, oldest: datetime | None) -> bool:
    """Whether the oldest that is left should have gone before now."""
    return oldest is not None and oldest < term.before - (timedelta(days=1) if term.what == SENSORS else SLACK)


def broken_promises(terms: Iterable[Term], reports: Mapping[str, Retired], now: datetime) -> list[str]:
    """Kinds of which the newest report is missing or too old, or says that something is left whose time was over then."""
    return [term.what for term in terms
            if (report := reports.get(term.what)) is None or now - report.at > SILENT_AFTER or report.note]


def latest(reports: Iterable[Retired]) -> dict[str, Retired]:
    """The newest report of each kind."""
    found: dict[str, Retired] = {}
    for one in sorted(reports, key=lambda report: report.at):
        found[one.what] = one
    return found


def _before(what: str, keep_days: int, now: datetime) -> datetime:
    limit = now.astimezone(UTC) - timedelta(days=keep_days)
    return datetime.combine(limit.date(), time(), UTC) if what == SENSORS else limit
