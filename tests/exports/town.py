"""A small town as exports see it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from city.alarms import Alarm, AlarmKind, begin
from city.exports.seen import LampSeen, TownSeen
from city.groups import Filter, Group, Target
from city.ids import AssetId, CalendarId, CircuitId, DevEui, GroupId, OverrideId, ProgramId, TenantId, ZoneId
from city.lighting import Override, Setpoint, override
from city.places import Circuit, Device, Luminaire, Site, Supply, Tenant, Zone
from city.programs import Assignment, Programming
from city.quantities import LAMP_BURN_TIME, LAMP_ENERGY, LAMP_LEVEL, LAMP_POWER, LAMP_REASON, LAMP_STARTS, LAMP_VOLTAGE
from city.readings import DeviceState, Last, Lasts, to_ns

NOW = datetime(2026, 11, 22, 21, 30, tzinfo=UTC)
TOWN = TenantId("alt")
SITE = Site(51.0, 8.1)


def lamp(number: int, **more: object) -> Luminaire:
    made = Luminaire(TOWN, AssetId(f"L{number}"), f"Markt {number}", Site(51 + number / 1000, 8.1), ZoneId("markt"),
                     CircuitId("K1"), 40.0, "P4", lighting_class_night="P5", luminaire_type="Alpha 40/4000")
    return replace(made, **more)  # type: ignore[arg-type]


def state(number: int, **values: float | str) -> DeviceState:
    names = {"level": LAMP_LEVEL, "power": LAMP_POWER, "reason": LAMP_REASON, "voltage": LAMP_VOLTAGE, "energy": LAMP_ENERGY,
             "burned": LAMP_BURN_TIME, "starts": LAMP_STARTS}
    at = NOW - timedelta(minutes=5)
    last = {names[name].name: Last(names[name].typed(value), to_ns(at), to_ns(at - timedelta(hours=1)))
            for name, value in values.items()}
    return DeviceState(DevEui(f"{number:016x}"), heard_ns=to_ns(at), last=Lasts.of(last))


def seen(number: int = 1, *, kinds: tuple[AlarmKind, ...] = (), target: Setpoint | None = None, place: Luminaire | None = None,
         **values: float | str) -> LampSeen:
    want = target or Setpoint(50, "program", "program", NOW - timedelta(hours=1), NOW + timedelta(hours=6),
                              ProgramId("halbnacht"), 10)
    alarms = tuple(begin(TOWN, AssetId(f"L{number}"), kind, NOW - timedelta(hours=2)) for kind in kinds)
    device = Device(DevEui(f"{number:016x}"), TOWN, AssetId(f"L{number}"), "nas/ul20xx")
    return LampSeen(place or lamp(number), "Am Markt", device, state(number, **values) if values else None, want,
                    CalendarId("standard"), alarms)


def alarm(kind: AlarmKind, *, ended: bool = False) -> Alarm:
    found = begin(TOWN, AssetId("L1"), kind, NOW - timedelta(hours=2))
    return replace(found, ended_at=NOW - timedelta(hours=1)) if ended else found


def wish(*targets: str, level: int | None = 30, reason: str = "Markt") -> Override:
    return override(id=OverrideId("0f0e0d0c-0000-4000-8000-000000000001"), tenant=TOWN,
                    targets=[Target.parse(one) for one in targets], level=level, until=NOW + timedelta(hours=2), actor="me",
                    now=NOW - timedelta(minutes=1), reason=reason)


def town(*lamps: Luminaire, overrides: tuple[Override, ...] = ()) -> TownSeen:
    programming = Programming(
        SITE, "NW", groups={GroupId("alpha"): Group(TOWN, GroupId("alpha"), "Alle Alpha", filter=Filter(
            luminaire_types=("Alpha 40/4000",)))},
        assignments=(Assignment(Target("zone", "markt"), CalendarId("teilnacht"), NOW, "me"),))
    return TownSeen(Tenant(TOWN, "Altstadt", SITE), [Zone(TOWN, ZoneId("markt"), "Am Markt")],
                    [Circuit(TOWN, CircuitId("K1"), "Kasten 1", "DE0001", Supply.NIGHT)], lamps, programming, overrides, NOW)
