"""Towns' figures on their way to InfluxDB: what there is once, what changes again, each step once, whoever steers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from city.alarms import AlarmKind, Severity
from city.clock import ManualClock
from city.commands import Event, Priority, advance, command
from city.energy import LampNight, Used
from city.errors import InfluxDown, StoreDown
from city.factors import Factor, FactorKind
from city.groups import Target
from city.ids import AssetId, CircuitId, DevEui, OverrideId, TenantId, ZoneId
from city.imports import parse
from city.incidents import Cause, incident
from city.lighting import override
from city.orders import SetLevel
from city.parking_facts import BayFact
from city.places import Site, Tenant
from city.readings import DeviceState, Last, Lasts, to_ns
from city.settings import Influx, Settings
from city.store.figure_outbox import Outbox
from city.store.influx import InfluxHeld
from city.store.port_parking import ParkingFound
from city.store.ports import AuditLine, Facts
from decoders.catalog import catalog
from gateway_bridge.ship_figures import FigureShipper
from tests.gateway_bridge.test_ship import ListSink
from tests.stores import new_store

NOW = datetime(2026, 11, 22, 19, 0, 5, tzinfo=UTC)
TOWN, OTHER = TenantId("ahausen"), TenantId("beheim")
HEAD = "asset,kind,name,latitude,longitude,zone,circuit,dev_eui,model,power_w,lighting_class,restriction\n"
EUI = "70b3d5e70000000"
STEP = 60


class Place(ListSink):
    """A bucket."""

    def close(self):
        """Nothing is open."""


class Bridge:
    """The city database, a bridge, and a bucket for each town."""

    def __init__(self, store, clock=None, places=None, steers=True, **influx):
        self.store, self.clock, self.steers = store, clock or ManualClock(NOW), steers
        self.places = {} if places is None else places
        self.settings = Settings(influx=Influx(url="http://localhost", **influx))
        self.restart()

    def restart(self):
        self.outbox = Outbox(lambda place: self.places.setdefault(place, Place()))
        self.shipper = FigureShipper(self.store, self.outbox, self.clock, self.settings, lease=lambda: (self.steers, None))

    def step(self, seconds=STEP):
        """The lines of the town that one more step brings."""
        self.clock.advance(seconds)
        return self.run()

    def run(self):
        before = len(self.stored())
        self.shipper.step()
        return self.stored()[before:]

    def stored(self, town=TOWN):
        return self.places.setdefault(town if self.settings.influx.per_town else "", Place()).stored

    def points(self, town=TOWN):
        """What InfluxDB has: the last word of each field of each point."""
        found = {}
        for line in self.stored(town):
            series, _, rest = line.decode().partition(" ")
            fields, _, at = rest.rpartition(" ")
            found.setdefault((series, int(at)), {}).update(_fields(fields))
        return found


def _fields(text):
    """Of texts without commas and equals signs, but that of sentences."""
    found, name = {}, ""
    for part in text.split(","):
        before, equals, after = part.partition("=")
        if equals and before.isidentifier():
            name = before
            found[name] = after
        else:
            found[name] += "," + part
    return found


@pytest.fixture
def store(tmp_path):
    made = new_store(tmp_path / "city.db")
    for town, seed in ((TOWN, "a"), (OTHER, "b")):
        made.put_tenant(Tenant(town, town, Site(51.0, 8.0)))
        rows, problems = parse((HEAD + "".join(
            f"L{number},lamp,Lampe {number},51,8,markt,K1,{seed}0b3d5e70000000{number},nas/ul20xx,40,,\n"
            for number in range(3))).encode(), set(catalog()))
        assert not problems
        made.tenant(town).import_rows(rows)
    yield made
    made.close()


@pytest.fixture
def bridge(store):
    return Bridge(store)


def eui(number):
    return DevEui(f"a0b3d5e70000000{number}")


def order(number, now, origin="override:o1"):
    return command(tenant=TOWN, device=eui(number), asset=AssetId(f"L{number}"), order=SetLevel(40, 60), origin=origin,
                   priority=Priority.OVERRIDE, now=now, expires_at=now + timedelta(hours=1))


def wish(now=NOW, id="o1", hours=2):
    return override(id=OverrideId(id), tenant=TOWN, level=40, until=now + timedelta(hours=hours), now=now, actor="anna",
                    reason="because", targets=[Target("zone", "markt")])


def state(number, now, level):
    return DeviceState(eui(number), heard_ns=to_ns(now),
                       last=Lasts.of({"lamp.level": Last(level, to_ns(now), to_ns(now))}))


def control(points, at):
    return points.get(("control,tenant=ahausen,zone=markt", to_ns(at)), {})


def overrides(points):
    return [values for (series, _), values in points.items() if series.startswith("override,")]


def test_a_command_is_seen_in_each_of_its_states_and_a_step_is_sampled_once(bridge):
    at = NOW.replace(second=0)
    bridge.store.tenant(TOWN).add_override(wish())
    planned = order(0, NOW)
    bridge.store.commit(Facts(commands=(planned,)))
    bridge.run()
    assert control(bridge.points(), at)["planned"] == "1i"
    assert bridge.run() == []  # the same step: nothing is sampled twice
    sent = advance(planned, Event.SEND, NOW)
    bridge.store.commit(Facts(commands=(sent,), states=(state(0, NOW, 100.0),)))
    bridge.step()
    point = control(bridge.points(), at + timedelta(seconds=STEP))
    assert (point["planned"], point["sent"], point["outstanding"], point["oldest"]) == ("0i", "1i", "1i", "55.0")
    assert overrides(bridge.points())[0] | {"begins": "", "until": "", "id": ""} == {
        "id": "", "begins": "", "until": "", "level": "40.0", "lamps": "3i", "confirmed": "0i", "waiting": "1i", "failed": "0i",
        "state": '"active"'}
    obeyed = bridge.clock.now() + timedelta(seconds=1)
    bridge.store.commit(Facts(commands=(advance(sent, Event.CONFIRM, obeyed),), states=(state(0, obeyed, 40.0),)))
    bridge.step()
    [one] = overrides(bridge.points())
    assert (one["confirmed"], one["waiting"]) == ("1i", "0i")
    assert control(bridge.points(), at + timedelta(seconds=STEP))["applied"] == "1i"
    assert control(bridge.points(), at + timedelta(seconds=2 * STEP))["outstanding"] == "0i"


def test_looking_again_and_again_changes_no_point_and_tells_only_samples(bridge):
    bridge.store.tenant(TOWN).add_override(wish())
    bridge.store.put_incidents(TOWN, [trouble()])
    bridge.run()
    bridge.step()
    sheets = [line.split(b",")[0] for line in bridge.step()]
    assert sorted(sheets) == [b"control", b"control", b"faults", b"faults", b"fleet"]
    before = bridge.points()
    bridge.restart()  # within the step that was sampled
    again = bridge.run()
    assert again
    assert bridge.points() == before


def trouble(began=NOW):
    return incident(TOWN, Cause.ASSET, "L1", began, Severity.MAJOR, assets=(AssetId("L1"),), kinds=(AlarmKind.LAMP_FAILURE,))


def test_what_is_over_before_the_bridge_looks_is_told_too(bridge):
    town, ago = bridge.store.tenant(TOWN), NOW - timedelta(days=30)
    town.add_override(wish(ago))
    one = trouble(ago)
    bridge.store.put_incidents(TOWN, [replace(one, ended_at=ago + timedelta(days=1), closed_at=ago + timedelta(days=2))])
    town.audit(AuditLine(ago, "anna", "program", "sparsam", "Sparsam"))
    town.audit(AuditLine(ago, "anna", "circuit", "K1", "x"))
    text = b"\n".join(bridge.run())
    assert b'state="over"' in text
    assert b'state="closed"' in text
    assert "Programm „Sparsam“ geändert".encode() in text
    assert text.count(b"event,kind=program") == 1
    assert b"anna" not in text
    assert b"because" not in text


def test_a_bridge_that_was_away_fills_the_counts_of_the_hours_that_it_missed(bridge):
    bridge.run()
    missed = bridge.clock.now() + timedelta(hours=1)
    bridge.steers = False
    assert bridge.step(2 * 3600) == []
    bridge.store.commit(Facts(commands=(advance(advance(order(0, missed), Event.SEND, missed), Event.REJECT, missed),)))
    bridge.steers = True
    bridge.step(3600)
    assert control(bridge.points(), missed.replace(second=0))["failed"] == "1i"


def test_an_override_of_yesterday_is_judged_by_its_commands_after_a_restart(bridge):
    ago = NOW - timedelta(hours=20)
    bridge.store.tenant(TOWN).add_override(wish(ago, hours=30))
    sent = [advance(order(number, ago), Event.SEND, ago) for number in range(2)]
    bridge.store.commit(Facts(commands=(advance(sent[0], Event.GIVE_UP, ago), advance(sent[1], Event.CONFIRM, ago)),
                              states=(state(1, NOW, 40.0),)))
    bridge.run()
    [one] = overrides(bridge.points())
    assert (one["failed"], one["confirmed"], one["waiting"]) == ("1i", "1i", "0i")


def test_while_influxdb_is_away_samples_wait_and_each_is_sent(bridge):
    bridge.run()
    bridge.places[TOWN].failures = [InfluxDown("away")] * 3
    for _ in range(3):
        with pytest.raises(InfluxDown):
            bridge.step()
    assert bridge.shipper.error
    bridge.run()
    assert bridge.shipper.error == ""
    assert [at for series, at in sorted(bridge.points()) if series == "fleet,kind=lamp,tenant=ahausen,zone=markt"] == [
        to_ns(NOW.replace(second=0) + timedelta(seconds=number * STEP)) for number in range(4)]
    assert bridge.shipper.lost == 0


def test_what_was_dropped_in_a_long_outage_is_told_anew_once_it_is_over(bridge):
    bridge.run()
    bridge.places[TOWN].failures = [InfluxDown("away")] * 100
    bridge.store.tenant(TOWN).add_override(wish(bridge.clock.now(), hours=30))
    for _ in range(20):
        with pytest.raises(InfluxDown):
            bridge.step(300)
    bridge.places[TOWN].failures = []
    bridge.run()
    assert bridge.shipper.lost > 0
    assert overrides(bridge.points()) == []  # it was told an hour and a half ago, and that was dropped
    bridge.step()
    assert overrides(bridge.points())[0]["state"] == '"active"'


def test_a_town_whose_bucket_is_held_keeps_no_other_waiting(bridge):
    bridge.places[TOWN] = Place(failures=[InfluxHeld("no", held="missing")])
    with pytest.raises(InfluxHeld):
        bridge.run()
    assert bridge.shipper.held == "missing"
    assert bridge.points(OTHER)
    assert not bridge.points()
    bridge.run()
    assert bridge.points()
    assert (bridge.shipper.held, bridge.shipper.error) == ("", "")


def test_each_town_has_its_own_place_and_nothing_of_another(bridge):
    bridge.run()
    for town in (TOWN, OTHER):
        assert all(f",tenant={town}," in series or series.endswith(f",tenant={town}") for series, _ in bridge.points(town))


def test_one_bucket_for_all_towns_where_that_is_wished_for(store):
    bridge = Bridge(store, per_town=False)
    bridge.run()
    assert set(bridge.places) == {""}
    assert {series.partition("tenant=")[2].partition(",")[0] for series, _ in bridge.points()} == {TOWN, OTHER}


def test_two_bridges_take_turns_without_a_gap(bridge):
    other = Bridge(bridge.store, bridge.clock, bridge.places, steers=False)
    for number in range(12):
        bridge.steers, other.steers = number // 3 % 2 == 0, number // 3 % 2 == 1
        bridge.clock.advance(STEP)
        for one in (bridge, other):
            one.shipper.step()
    fleet = {at for series, at in bridge.points() if series.startswith("fleet")}
    assert len(fleet) == 12


def test_a_line_that_is_refused_is_counted_and_the_others_are_stored(bridge):
    bridge.run()
    bad = next(line for line in bridge.stored() if line.startswith(b"fleet"))
    bridge.places[TOWN] = Place(bad={bad})
    bridge.restart()
    bridge.run()
    assert bridge.shipper.lost == 1
    assert bad not in bridge.stored()
    assert any(line.startswith(b"control") for line in bridge.stored())


def test_nights_come_in_pieces_and_again_only_where_they_change(bridge):
    nights = [NOW.date() - timedelta(days=back) for back in range(30)]

    def book(night, wh):
        line = LampNight(AssetId("L0"), night, ZoneId("markt"), CircuitId("K1"), Used(wh), words=wh)
        bridge.store.book_nights(TOWN, [line], NOW)

    def energy(lines):
        return [line for line in lines if line.startswith(b"energy")]

    for night in nights:
        book(night, 300)
    assert [len(energy(bridge.run() if not number else bridge.step())) for number in range(6)] == [9, 7, 7, 7, 0, 0]
    [tonight] = [at for (_, at), fields in bridge.points().items() if "expected" in fields]  # what held then is not known
    assert tonight == to_ns(datetime(2026, 11, 22, 11, tzinfo=UTC))
    book(nights[0], 310)
    assert energy(bridge.step()) == []  # not due yet
    assert len(energy(bridge.step(600))) == 1
    book(nights[20], 320)  # a correction of an old night shows within a day
    bridge.store.tenant(TOWN).put_factor(Factor(FactorKind.PRICE, nights[10], 0.5, "contract"), "anna", NOW)
    bridge.clock.advance(86_400)
    found = [line for _ in range(8) for line in energy(bridge.step())]
    assert len(found) == 11 + 1
    assert len([at for series, at in bridge.points() if series.startswith("energy")]) == 30
    [then] = [fields for (_, at), fields in bridge.points().items() if "expected" in fields]  # that was tonight a day ago
    assert (then["over"], then["used"]) == ("true", "310.0")


def test_a_lamp_that_is_moved_counts_where_it_stands_now(bridge):
    bridge.store.commit(Facts(commands=(order(0, NOW),)))
    bridge.run()
    rows, _ = parse((HEAD + f"L0,lamp,Lampe 0,51,8,bahnhof,K1,{eui(0)},nas/ul20xx,40,,\n").encode(), set(catalog()))
    bridge.store.tenant(TOWN).import_rows(rows)
    zones = {line.split(b" ")[0].rpartition(b"zone=")[2]: line for line in bridge.step() if line.startswith(b"fleet")}
    assert {zone: line.split(b" ")[1].split(b",")[0] for zone, line in zones.items()} == {
        b"markt": b"devices=2i", b"bahnhof": b"devices=1i"}


def test_sensors_are_followed_from_look_to_look_and_few_of_them_never_told_of(bridge):
    def bays(number, zone, first=0):
        return "".join(f"B{first + n},bay,,51,8,{zone},,c0b3d5e7000000{first + n:02},bosch/tps110,,,\n" for n in range(number))

    def found(*occupied, at=0):
        return ParkingFound(bays=[BayFact(AssetId(f"B{n}"), ZoneId("platz"), "occupied" if n in occupied else "unknown",
                                          "" if n in occupied else "gone", None, None, None, certain=True, learning=False)
                                  for n in range(at, 6)])

    rows, problems = parse((HEAD + bays(6, "platz") + bays(2, "gasse", 50)).encode(), set(catalog()))
    assert not problems
    town = bridge.store.tenant(TOWN)
    town.import_rows(rows)
    bridge.store.put_parking(TOWN, found(0, 1))
    bridge.run()
    bridge.store.put_parking(TOWN, found(4, at=4))
    bridge.step()
    told = [values for (series, _), values in sorted(bridge.points().items(), key=lambda one: one[0][1])
            if series == "sensors,tenant=ahausen,zone=platz"]
    assert [(one["bays"], one["known"], one["stale"]) for one in told] == [("6i", "2i", "4i"), ("6i", "3i", "3i")]
    assert b"gasse" not in b"".join(bridge.stored())
    assert b"kind=bay" in b"".join(bridge.stored())


def test_a_fault_of_ours_in_one_town_keeps_no_other_waiting(bridge, caplog):
    class Faulty:
        def __init__(self, store):
            self._store = store

        def __getattr__(self, name):
            return getattr(self._store, name)

        def tenant(self, id):
            if id == TOWN:
                raise ZeroDivisionError("ours")
            return self._store.tenant(id)

    bridge.store = Faulty(bridge.store)
    bridge.restart()
    bridge.run()
    assert bridge.points(OTHER)
    assert "figures of ahausen: a fault of ours" in caplog.text


def test_a_city_database_that_is_away_in_the_middle_of_a_step_costs_no_town_its_sample(bridge):
    class Failing:
        def __init__(self, store):
            self._store, self.fails = store, True

        def __getattr__(self, name):
            return getattr(self._store, name)

        def tenant(self, id):
            if id == OTHER and self.fails:
                raise StoreDown("away")
            return self._store.tenant(id)

    bridge.store = failing = Failing(bridge.store)
    bridge.restart()
    with pytest.raises(StoreDown):
        bridge.run()
    failing.fails = False
    bridge.run()
    assert bridge.points(OTHER)
    assert len(bridge.stored()) == len(set(bridge.stored()))
