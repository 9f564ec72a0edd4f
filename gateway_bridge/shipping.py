"""`stadtfunk ship`: what waits in the local log for InfluxDB, sending again what it has lost, lines that it refused, and removing
what it should not have."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from city.clock import Clock, SystemClock
from city.errors import Invalid
from city.ids import TenantId
from city.readings import from_ns, to_ns
from city.settings import Influx, Settings, load
from city.store import packing
from city.store.influx import InfluxHeld, RejectedLines, Sink
from city.store.influx_bays import bays_settings
from city.store.influx_forget import forget_bays
from city.store.influx_places import of_town
from city.store.influx_towns import TownsHeld, open_bays, open_readings
from city.store.opening import open_store
from city.store.ports import Store
from city.store.readings import LocalLog, open_log
from gateway_bridge.rewind import BAYS_FILE, FILE, Rewind, Rewinds
from gateway_bridge.ship import BAYS_TOPIC, TOPIC, cursor_name

MOST = 100_000
LAST_NS = 2**63 - 1
PATIENCE_S, POLL_S = 15.0, 0.25


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code: 1 where a line that was sent again is still refused, or where a rewind or a removal
    lacks its confirmation. Raises CityError."""
    words = _parser().parse_args(argv)
    settings = load(words.settings)
    if words.action == "replay":
        return _replay(settings)
    if words.action in ("rewind", "forget") and not settings.influx.url:
        raise Invalid("No InfluxDB is set (influx.url).", field="influx.url", rule="set")
    if words.action == "forget":
        return _forget(settings, sure=words.yes)
    log = open_log(settings.log)
    try:
        if words.action == "rewind":
            to = None if words.all else words.to
            done = _rewind(planned(log, settings, to), Rewinds(Path(settings.log.directory)), SystemClock(), sure=words.yes)
            return done or _rewind_bays(log, settings, to, sure=words.yes)
        sys.stdout.write(status(log, settings))
        return 0
    finally:
        log.close()


def status(log: LocalLog, settings: Settings) -> str:
    """A few lines for a person; no secrets."""
    if not settings.influx.url:
        return "No InfluxDB is set (influx.url): readings stay in the local log.\n"
    rest = _status(log, settings, settings.influx, FILE)
    if settings.influx.bays == "no":
        return rest
    return f"Single bays\n{_status(log, settings, bays_settings(settings.influx), BAYS_FILE)}\nAll else\n{rest}"


def _status(log: LocalLog, settings: Settings, influx: Influx, file: str) -> str:
    place = of_town(settings.influx, TenantId("TOWN"))
    bucket = (bays_settings(place) if file == BAYS_FILE else place).bucket
    shipped, newest = log.cursor(cursor_name(influx)), log.head()
    asked = Rewinds(Path(settings.log.directory), file).asked()
    oldest = _dated(log, shipped) if newest > shipped else None
    return "".join(f"{name:<9} {said}\n" for name, said in (
        ("InfluxDB", f"{influx.url}, {bucket}"),
        ("shipped", shipped), ("newest", newest),
        ("rewind", f"asked for, to position {asked.position}" if asked else ""),
        ("oldest", f"{oldest:%Y-%m-%d %H:%M:%S}Z is the oldest that waits" if oldest else ""),
        ("waiting", max(newest - shipped, 0))) if said != "")


@dataclass(frozen=True, slots=True)
class Plan:
    """A rewind: what it would do."""

    rewind: Rewind
    shipped: int
    newest: int
    oldest: datetime | None

    @property
    def summary(self) -> str:
        """For a person who has to say yes."""
        if self.rewind.position >= self.shipped:
            return f"Nothing to do: InfluxDB has been sent everything up to position {self.shipped} only.\n"
        dated = f", from {self.oldest:%Y-%m-%d %H:%M:%S}Z on" if self.oldest else ""
        return (f"cursor    {self.rewind.cursor}\nnow       {self.shipped} of {self.newest}\n"
                f"then      {self.rewind.position}{dated}\n"
                f"again     {self.shipped - self.rewind.position} positions at most; what InfluxDB has already stays as it is\n")


def planned(log: LocalLog, settings: Settings, to: "datetime | int | None", *, bays: bool = False) -> Plan:
    """To the first entry that is dated `to` or later, to a position (what lies behind it is sent), or (None) to the
    beginning of the log. `bays`: of single bays; else of all others."""
    name = cursor_name(bays_settings(settings.influx) if bays else settings.influx)
    position = _position(log, to) if isinstance(to, datetime) else to or 0
    return Plan(Rewind(name, position), log.cursor(name), log.head(), _dated(log, position))


def replay(store: Store, sink: Sink, bays: Sink | None = None) -> tuple[int, int]:
    """Send every refused line again, those about single bays to `bays`; what InfluxDB takes now is no dead letter any more.
    Returns how many it took and how many it still refuses. Raises InfluxDown or StoreDown; the letters not yet sent stay. Raises
    TownsHeld when those of all other towns have been sent."""
    taken = refused = 0
    held: dict[TenantId, InfluxHeld] = {}
    for letter in store.all_letters(MOST, RejectedLines.__name__):
        where = sink if letter.topic == TOPIC else bays if letter.topic.startswith(f"{BAYS_TOPIC}/") else None
        if where is None:
            continue
        try:
            where.write([letter.payload])
        except RejectedLines:
            refused += 1
        except TownsHeld as error:
            held |= error.towns
        else:
            store.remove_letter(letter.id)
            taken += 1
    if held:
        raise TownsHeld(held)
    return taken, refused


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stadtfunk ship", description="What waits for InfluxDB.")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="settings (default: stadtfunk.toml)")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("status", help="how much of the local log InfluxDB has")
    actions.add_parser("replay", help="send the lines again that InfluxDB refused")
    rewinding = actions.add_parser("rewind", help="send again what InfluxDB has lost; the bridge may run")
    where = rewinding.add_mutually_exclusive_group(required=True)
    where.add_argument("--to", type=_where, metavar="TIME|POSITION",
                       help="all that is dated from 2026-11-20T00:00Z on, or what lies behind a position of the log")
    where.add_argument("--all", action="store_true", help="everything that the log has")
    forgetting = actions.add_parser("forget", help="remove single bays that an older version has sent among all other readings")
    for one in (rewinding, forgetting):
        one.add_argument("--yes", action="store_true", help="do it; without, it is only said what would be done")
    return parser


def _where(text: str) -> datetime | int:
    """A position, or a time with its zone."""
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return int(text)
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time needs its zone: 2026-11-20T00:00Z")
    return at.astimezone(UTC)


def _rewind(plan: Plan, rewinds: Rewinds, clock: Clock, *, sure: bool) -> int:
    _say(plan.summary)
    if plan.rewind.position >= plan.shipped:
        return 0
    if not sure:
        _say("Nothing has been done. Say --yes to do it.\n")
        return 1
    rewinds.ask(plan.rewind)
    taken = asyncio.run(_taken(rewinds, clock))
    _say("The bridge sends it now.\n" if taken else
         "Asked for. The bridge begins when InfluxDB takes data, or when it is started.\n")
    return 0


def _forget(settings: Settings, *, sure: bool) -> int:
    store = open_store(settings.database.url.reveal())
    try:
        bays = [(town.id, bay.id) for town in store.tenants() for bay in store.tenant(town.id).bays()]
    finally:
        store.close()
    towns = ", the towns' own buckets" if settings.influx.per_town else ""
    _say(f"All that {settings.influx.bucket}{towns}, and hours and days have of {len(bays)} bays, for good.\n")
    if not sure:
        _say("Nothing has been done. Say --yes to do it.\n")
        return 1
    forget_bays(settings.influx, bays)
    _say("Removed. What is where single bays belong stays as it is.\n")
    return 0


def _rewind_bays(log: LocalLog, settings: Settings, to: "datetime | int | None", *, sure: bool) -> int:
    """The same for single bays, of which the log knows no more than the last days."""
    plan = planned(log, settings, to, bays=True)
    if settings.influx.bays != "no" and plan.rewind.position < plan.shipped and sure:
        Rewinds(Path(settings.log.directory), BAYS_FILE).ask(plan.rewind)
        _say("Single bays are sent again too.\n")
    return 0


async def _taken(rewinds: Rewinds, clock: Clock) -> bool:
    """Whether the bridge has taken the request in time."""
    for _ in range(round(PATIENCE_S / POLL_S)):
        if rewinds.asked() is None:
            return True
        await clock.sleep(POLL_S)
    return False


def _position(log: LocalLog, since: datetime) -> int:
    """The newest position before all entries with a reading of `since` or later."""
    first_ns = to_ns(since)
    found = (position for position, at_ns, _, body in log.scan(None, first_ns, LAST_NS)
             if at_ns >= first_ns or any(at_ns + offset >= first_ns for _, offset in packing.said_of(body)[2].values()))
    return max(min(found, default=log.head() + 1) - 1, 0)


def _dated(log: LocalLog, position: int) -> datetime | None:
    """When the entry behind a position happened; None where there is none."""
    return next((from_ns(entry.at_ns) for _, entry in log.after(position, 1)), None)


def _replay(settings: Settings) -> int:
    if not settings.influx.url:
        raise Invalid("No InfluxDB is set (influx.url).", field="influx.url", rule="set")
    sink = open_readings(settings.influx)
    bays = open_bays(settings.influx, SystemClock(), days=max(settings.parking.raw_days, 1))
    store = open_store(settings.database.url.reveal())
    try:
        taken, refused = replay(store, sink, bays if settings.influx.bays != "no" else None)
    finally:
        store.close()
        sink.close()
        bays.close()
    sys.stdout.write(f"{taken} stored, {refused} still refused\n")
    return 1 if refused else 0


def _say(text: str) -> None:
    sys.stdout.write(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
