"""Whether InfluxDB forgets what single bays' sensors say when this program does (parking.raw_days; docs/privacy.md). Pure."""

from collections.abc import Iterator

from city.settings import Influx
from city.store import influxql
from city.store.influx_bays import Kept, Server, bays_settings, forgets
from city.store.influx_make import DAY_S
from gateway_bridge.doctor.findings import Finding, broken, ok, warning
from gateway_bridge.doctor.services import InfluxFacts

CHECK, OLD_CHECK = "InfluxDB's bays", "InfluxDB's older bays"
BAY = "bay"


def judge_bays(facts: InfluxFacts, settings: Influx, days: int) -> Iterator[Finding]:
    """Where readings of bays go and how long they stay, and whether there are some from before they had a place of their own."""
    if facts.bays is not None:
        yield _kept(facts.bays, settings, days)
    if any(measurement == BAY for measurement, _, _ in facts.fields):
        yield broken(OLD_CHECK, f"{settings.bucket} has readings of single bays from an older version of this program, and keeps "
                     "them as long as all others.", "stadtfunk ship forget --yes (1.x, 2.x, VictoriaMetrics); what is left then "
                     f"is of bays that nobody knows any more: DROP MEASUREMENT \"{BAY}\"")


def _kept(kept: Kept, settings: Influx, days: int) -> Finding:
    bucket = bays_settings(settings).bucket
    if settings.bays == "yes":
        return warning(CHECK, f"Readings of single bays go to {bucket}, however long that keeps them (influx.bays = yes).",
                       f"see to it that they are gone after {days} days, or settings: influx.bays = \"\"")
    if not kept.there and not kept.words:
        made = ok(CHECK, f"There is no {bucket} yet; it is made for {days} days when the first bay speaks.")
        return made if kept.server is not Server.TWO else warning(
            CHECK, f"There is no {bucket} yet. It is made for {days} days when the first bay speaks, if the token may do that.",
            _mend(kept.server, settings, days))
    if forgets(kept, days):
        return ok(CHECK, f"{bucket} forgets readings of single bays after {(kept.seconds or 0) / DAY_S:g} days.")
    if kept.seconds is None:
        return warning(CHECK, f"Readings of single bays stay in the local log: {kept.server.value} does not say that it would "
                       f"forget them after {days} days ({kept.words}).", _mend(kept.server, settings, days))
    said = f"for {kept.seconds / DAY_S:g} days" if kept.seconds else "for ever"
    return broken(CHECK, f"{bucket} keeps what it gets {said}; readings of single bays may be kept for {days} days, so none are "
                  "sent.", _mend(kept.server, settings, days))


def _mend(server: Server, settings: Influx, days: int) -> str:
    """What somebody types to have it as it must be."""
    bucket = bays_settings(settings).bucket
    match server:
        case Server.ONE:
            return (f"ALTER RETENTION POLICY \"autogen\" ON {influxql.name(bucket)} DURATION {days}d SHARD DURATION 6h DEFAULT")
        case Server.TWO:
            org = f" --org {settings.org}" if settings.org else ""
            return (f"influx bucket create --name {bucket}{org} --retention {days}d --shard-group-duration 6h (if it is there: "
                    f"influx bucket update --id ID --retention {days}d); the token has to read buckets, and to write this one")
        case Server.THREE:
            return (f"influxdb3 create database --retention-period {days}d {bucket} (from 3.2 on; if it is there: influxdb3 "
                    f"update database --database {bucket} --retention-period {days}d)")
        case Server.VICTORIA | Server.OTHER:
            return ("nothing, if single bays are not needed there (zones' quarters are); settings: influx.bays = \"no\" "
                    f"ends this, influx.bays = \"yes\" sends them, right only where all is forgotten after {days} days")
