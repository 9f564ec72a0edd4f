"""Many lamps, one cause: what a whole circuit or all that one gateway hears does together.

A device is overdue when it has missed a report and a tenth; silence counts only while its feeder has power and we ourselves
were listening. A group is quiet when most of it is overdue, together they have missed too many reports for chance, and hardly
any of it was heard just now. The order: nothing at all is heard (it is us, or the network); else a gateway, where what only it
hears is quiet over more than one circuit; else a circuit, while its neighbours on the same gateways are alive.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import msgspec

from city.ids import AssetId
from city.incidents import Cause, Collective, Incident
from city.readings import NS, from_ns

LEAST, SHARE = 3, 0.6  # of a group, that must be concerned
MISSED = 6  # reports that a group must have missed together: with a tenth of all frames lost, one in a million by chance
LATE, SLACK = 1.1, 120 * NS
RECENT = 0.3  # of an interval: "just now"
NEIGHBOURS = 0.8
WHOLE = 10  # devices that a town must have for its silence to mean something
BACK = 0.5  # of a group that must be heard again


class Vital(msgspec.Struct, frozen=True, gc=False):
    """One device as correlation sees it; times in ns. `since_ns`: from when its silence counts, 0 where it does not now (its
    feeder has no power, it was never heard). `alone`: mostly heard by one gateway. `by_day`, `dark`: whether it burns by day, or
    stays dark at night, as far as it has told today or tonight."""

    asset: AssetId
    circuit: str
    gateway: str
    heard_ns: int
    interval_ns: int
    since_ns: int
    alone: bool = False
    by_day: bool | None = None
    dark: bool | None = None

    def quiet_ns(self, now_ns: int) -> int:
        """For how long it should have been heard and was not."""
        return now_ns - max(self.heard_ns, self.since_ns)

    def overdue(self, now_ns: int) -> bool:
        """Whether it has missed a report."""
        return bool(self.since_ns) and self.quiet_ns(now_ns) > LATE * self.interval_ns + SLACK


def correlate(vitals: Sequence[Vital], standing: Iterable[Incident], now_ns: int) -> tuple[Collective, ...]:
    """The causes that stand now. `standing`: those known so far, which last until there is evidence that they are over."""
    known = {(one.cause, one.subject): one for one in standing if one.standing and one.cause is not Cause.ASSET}
    by_asset = {one.asset: one for one in vitals}
    found = {(one.cause, one.subject): one for one in (*_silences(vitals, now_ns), *_lit(vitals, now_ns))}
    for key, one in known.items():
        if key not in found and not _over(one, by_asset, now_ns):
            found[key] = Collective(one.cause, one.subject, one.assets, one.began_at, one.facts)
    return tuple(found.values())


def silent_together(found: Iterable[Collective]) -> frozenset[AssetId]:
    """Those whose silence is explained."""
    causes = (Cause.CIRCUIT_OUT, Cause.GATEWAY_DOWN, Cause.TOWN_SILENT)
    return frozenset(asset for one in found if one.cause in causes for asset in one.assets)


def quiet(group: Collection[Vital], now_ns: int) -> bool:
    """Whether a group has fallen silent, and not by chance."""
    powered = [one for one in group if one.since_ns]
    late = [one for one in powered if one.overdue(now_ns)]
    if len(late) < max(LEAST, SHARE * len(powered)):
        return False
    missed = sum((one.quiet_ns(now_ns) - SLACK) // max(one.interval_ns, NS) for one in late)
    recent = sum(now_ns - one.heard_ns < RECENT * one.interval_ns for one in powered)
    return missed >= MISSED and recent <= 0.1 * len(powered)


def _silences(vitals: Sequence[Vital], now_ns: int) -> list[Collective]:
    counting = [one for one in vitals if one.since_ns]
    if not any(one.overdue(now_ns) for one in counting):
        return []
    if len(counting) >= WHOLE and quiet(counting, now_ns) and not _several_alive(counting, now_ns):
        return [_silence(Cause.TOWN_SILENT, "", counting, now_ns)]
    circuits, gateways = _grouped(counting, "circuit"), _grouped(counting, "gateway")
    out = {name for name, lamps in circuits.items() if name and quiet(lamps, now_ns)}
    found = [_silence(Cause.GATEWAY_DOWN, name, [one for one in devices if one.alone], now_ns)
             for name, devices in gateways.items() if name and _down(devices, circuits, now_ns)]
    explained = {asset for one in found for asset in one.assets}
    for name in sorted(out):
        lamps = circuits[name]
        if sum(one.asset in explained for one in lamps) >= SHARE * len(lamps):
            continue
        if _neighbours_alive(name, lamps, gateways, out, now_ns):
            found.append(_silence(Cause.CIRCUIT_OUT, name, lamps, now_ns))
    return found


def _several_alive(vitals: Iterable[Vital], now_ns: int) -> bool:
    """Whether enough was heard just now to say that it is not us."""
    return sum(now_ns - one.heard_ns < RECENT * one.interval_ns for one in vitals) >= LEAST


def _down(devices: Sequence[Vital], circuits: dict[str, list[Vital]], now_ns: int) -> bool:
    """Whether a gateway is: all that only it hears is quiet, nothing was heard by it just now, and no single circuit's loss
    of power would explain that."""
    alone = [one for one in devices if one.alone]
    if not quiet(alone, now_ns) or any(now_ns - one.heard_ns < RECENT * one.interval_ns for one in devices):
        return False
    fed = {one.circuit for one in alone}
    if len(fed) > 1:
        return True
    return any(not one.overdue(now_ns) for name in fed for one in circuits.get(name, ()))


def _neighbours_alive(name: str, lamps: Iterable[Vital], gateways: dict[str, list[Vital]], out: Collection[str],
                      now_ns: int) -> bool:
    """Whether the gateways of a circuit still hear its neighbours; true where it has none."""
    near = [one for gateway in {lamp.gateway for lamp in lamps} for one in gateways.get(gateway, ())
            if one.circuit != name and one.circuit not in out]
    alive = sum(not one.overdue(now_ns) for one in near)
    return alive >= NEIGHBOURS * len(near)


def _lit(vitals: Iterable[Vital], now_ns: int) -> list[Collective]:
    """Circuits that burn by day, or stay dark at night, as a whole."""
    found = []
    for name, lamps in _grouped(vitals, "circuit").items():
        for cause, told in ((Cause.CIRCUIT_BY_DAY, [one for one in lamps if one.by_day is not None]),
                            (Cause.CIRCUIT_DARK, [one for one in lamps if one.dark is not None])):
            bad = [one for one in told if (one.by_day if cause is Cause.CIRCUIT_BY_DAY else one.dark)]
            if name and len(bad) >= max(LEAST, SHARE * len(told)):
                found.append(Collective(cause, name, tuple(one.asset for one in lamps), from_ns(now_ns),
                                        {"told": len(told), "bad": len(bad)}))
    return found


def _over(one: Incident, by_asset: dict[AssetId, Vital], now_ns: int) -> bool:
    """Whether there is evidence that the cause is gone. Lamps that tell nothing now (it is night, say) are none."""
    lamps = [by_asset[asset] for asset in one.assets if asset in by_asset]
    if not lamps:
        return True
    if one.cause in (Cause.CIRCUIT_BY_DAY, Cause.CIRCUIT_DARK):
        told = [told for lamp in lamps
                if (told := lamp.by_day if one.cause is Cause.CIRCUIT_BY_DAY else lamp.dark) is not None]
        return len(told) >= min(LEAST, len(lamps)) and sum(told) < (1 - SHARE) * len(told)
    begun = one.returned_at or one.began_at
    heard = sum(lamp.heard_ns / NS > begun.timestamp() and not lamp.overdue(now_ns) for lamp in lamps)
    return heard >= BACK * len(lamps)


def _silence(cause: Cause, subject: str, members: Sequence[Vital], now_ns: int) -> Collective:
    last = max((one.heard_ns for one in members), default=now_ns)
    begun: datetime = from_ns(min(last, now_ns))
    late = sum(one.overdue(now_ns) for one in members)
    return Collective(cause, subject, tuple(one.asset for one in members), begun, {"silent": late, "of": len(members)})


def _grouped(vitals: Iterable[Vital], by: str) -> dict[str, list[Vital]]:
    groups: dict[str, list[Vital]] = defaultdict(list)
    for one in vitals:
        groups[getattr(one, by)].append(one)
    return groups
