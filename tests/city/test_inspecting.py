"""Look after look over a town: what begins must end, whatever was forgotten in between, and one cause stays one thing."""

from datetime import UTC, datetime, timedelta

import msgspec

from city.alarms import Alarm, AlarmKind
from city.faults import Want
from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.incidents import Cause, Incident
from city.inspecting import Found, Inspected, Lamp, inspect, packed, unpacked
from city.places import Luminaire, Site
from city.quantities import quantity
from city.readings import NS, DeviceState, to_ns

T, SITE = TenantId("t"), Site(51.0, 8.0)
NIGHT = datetime(2026, 11, 2, 18, tzinfo=UTC)
FIVE = timedelta(minutes=5)


class City:
    """Lamps that report each hour, and looks every five minutes."""

    def __init__(self, lamps: int) -> None:
        self.now, self.memory = NIGHT, Inspected()
        self.lamps = [Luminaire(T, AssetId(f"L{n:05}"), f"L{n}", SITE, ZoneId("z"), CircuitId(f"c{n % 50}"), 40.0,
                                luminaire_type="A") for n in range(lamps)]
        self.states = {lamp.id: DeviceState(DevEui(f"{n:016x}")) for n, lamp in enumerate(self.lamps)}
        self.alarms: dict[str, Alarm] = {}
        self.incidents: dict[str, Incident] = {}

    def say(self, watts: float, only: range | None = None) -> None:
        for lamp in self.lamps if only is None else [self.lamps[n] for n in only]:
            before = self.states[lamp.id]
            last, _ = before.last.after([quantity("lamp.level")(100.0), quantity("lamp.power")(watts)], to_ns(self.now))
            self.states[lamp.id] = DeviceState(before.device, heard_ns=to_ns(self.now), last=last)

    def look(self, times: int = 1, every: timedelta = FIVE) -> None:
        for _ in range(times):
            own: dict[AssetId, list[Alarm]] = {}
            for alarm in self.alarms.values():
                if alarm.open:
                    own.setdefault(alarm.asset, []).append(alarm)
            lamps = [Lamp(lamp, self.states[lamp.id], tuple(own.get(lamp.id, ())), 3600 * NS) for lamp in self.lamps]
            found: Found = inspect(T, self.memory, lamps, (), [one for one in self.incidents.values() if one.open], site=SITE,
                                   want=lambda _: Want(100, to_ns(NIGHT)), night_fed=frozenset(), now=self.now)
            self.alarms |= {alarm.id: alarm for alarm in found.alarms}
            self.incidents |= {one.id: one for one in found.incidents}
            self.now += every

    def open(self) -> list[AlarmKind]:
        return [alarm.kind for alarm in self.alarms.values() if alarm.open]


def test_an_alarm_whose_evidence_was_forgotten_ends_on_good_news():
    city = City(1)
    for _ in range(3):
        city.say(0.5)
        city.look(12)
    assert city.open() == [AlarmKind.LAMP_FAILURE]
    city.memory = Inspected()  # the process died before it had kept what it remembered
    for _ in range(4):
        city.say(40.0)
        city.look(12)
    assert city.open() == []
    assert [one.standing for one in city.incidents.values()] == [False]


def test_a_memory_of_another_version_is_none():
    city = City(1)
    city.say(0.5)
    city.look()
    body = packed(city.memory)
    assert unpacked(body, {}).tracks
    other = msgspec.msgpack.encode(["0", *msgspec.msgpack.decode(body)[1:]])
    assert unpacked(other, {}).tracks == {}


def test_a_city_that_falls_silent_and_comes_back_is_one_incident():
    """More lamps than a person would ever read the names of."""
    city = City(2600)
    city.say(40.0)
    city.look(25, timedelta(minutes=14))
    assert [(one.cause, one.count) for one in city.incidents.values()] == [(Cause.TOWN_SILENT, 2600)]
    for part in range(5):  # it comes back by and by, over an hour
        city.say(40.0, range(part * 520, (part + 1) * 520))
        city.look(2)
    assert [one.cause for one in city.incidents.values()] == [Cause.TOWN_SILENT]
    assert city.open() == []


def test_lamps_that_are_gone_are_forgotten_with_the_night():
    city = City(3)
    city.say(40.0)
    city.look()
    city.lamps.pop()
    city.now += timedelta(days=1)
    city.look()
    assert set(city.memory.tracks) == set(city.memory.judged) == set(city.memory.vitals) == {"L00000", "L00001"}
