"""Every canonical frame of every model through the bridge's pipeline, and what staff then read of the bay or the lamp."""

from datetime import UTC, datetime, timedelta

import pytest

from api.views import Picture
from city.bay_tracks import bay_state, follow
from city.bays import BayState, Occupancy, Rules, Track, Why, event_of
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.parking import sign_of_life
from city.parking_display import count
from city.places import Device, Luminaire, ParkingBay, Restriction, Site, Tenant
from city.programs import Programming
from city.quantities import BAY_OCCUPIED, LAMP_RELAY_CLOSED, quantity
from city.readings import DeviceState, Quality, from_ns, to_ns
from city.store.ports import Known, Registered
from city.wants import Wants
from decoders.catalog import catalog, vectors_path
from decoders.vectors import Uplink as Vector
from decoders.vectors import load
from gateway_bridge.events import Uplink
from gateway_bridge.pipeline import Handled, handle

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOWN, EUI, ZONE = Tenant(TenantId("t"), "Town", Site(51, 8)), DevEui("70b3d57ed0000042"), ZoneId("z")
BAY = ParkingBay(TOWN.id, AssetId("B"), "Bay", TOWN.site, ZONE)
LAMP = Luminaire(TOWN.id, AssetId("L"), "Lamp", TOWN.site, ZONE)
BAYS = sorted(model for model, codec in catalog().items() if codec.asset == "bay")
LAMPS = sorted(model for model, codec in catalog().items() if codec.asset == "lamp")


def canonical(model: str, name: str) -> list[Vector]:
    """The model's frames that say this of the whole asset."""
    return [vector for vector in load(vectors_path(model)).uplinks if vector.canonical and name in (vector.reads or {})]


def known(model: str) -> Known:
    asset = BAY if model in BAYS else LAMP
    return Known(Registered.of(TOWN, Device(EUI, TOWN.id, asset.id, model), asset), DeviceState(EUI))


def heard(vector: Vector, before: Known, at: datetime = NOW) -> Handled:
    up = Uplink(device=EUI, at_ns=to_ns(at), key="k", dev_addr="01020304", f_cnt=before.state.f_cnt + 1,
                f_port=vector.frame.port, dr=5, data=vector.frame.data)
    return handle(up, before, at)


class Believed:
    """A bay as staff see it, after each frame that the pipeline has handled."""

    def __init__(self, model: str) -> None:
        self.known, self.track, self._usual = known(model), Track(), catalog()[model].heartbeat

    @property
    def beat(self) -> timedelta:
        return sign_of_life(self.known.state, self._usual)

    def hears(self, vector: Vector, at: datetime) -> Handled:
        done = heard(vector, self.known, at)
        self.known = done.known
        event = event_of(done.entry) if done.entry is not None else None
        if event is not None:
            self.track, _ = follow(self.track, [event], Rules(), self.beat)
        return done

    def at(self, at: datetime) -> BayState:
        return bay_state(BAY, self.track, beat=self.beat, now_ns=to_ns(at), rules=Rules())


@pytest.mark.parametrize("model", BAYS)
def test_each_frame_that_tells_a_bays_state_is_the_state_that_staff_see_until_it_is_too_old(model: str) -> None:
    vectors = canonical(model, "bay.occupied")
    assert {vector.reads["bay.occupied"] for vector in vectors if vector.reads} == {False, True}
    other = {occupied: next(v for v in vectors if v.reads and v.reads["bay.occupied"] is occupied) for occupied in (False, True)}
    for vector in vectors:
        assert vector.reads is not None
        wanted = Occupancy.OCCUPIED if vector.reads["bay.occupied"] else Occupancy.FREE
        bay = Believed(model)
        bay.hears(other[not vector.reads["bay.occupied"]], NOW - timedelta(minutes=5))
        assert bay.hears(vector, NOW).failed is None
        shows = NOW + Rules().debounce
        if bay.track.fault:
            assert (bay.at(shows).occupancy, bay.at(shows).why) == (Occupancy.UNKNOWN, Why.FAULT)
            continue
        assert (bay.at(shows).occupancy, bay.at(shows).said_at) == (wanted, NOW)
        late = NOW + bay.beat + timedelta(hours=1)
        assert bay.at(late).occupancy is wanted
        unknown = bay.at(late + timedelta(seconds=1))
        assert unknown.occupancy is Occupancy.UNKNOWN
        counted = count([unknown], Restriction.NONE)
        assert (counted.free, counted.occupied, counted.unknown) == (0, 0, 1)


@pytest.mark.parametrize("model", BAYS)
def test_no_frame_that_tells_nothing_of_a_bay_changes_it(model: str) -> None:
    occupied = next(v for v in canonical(model, "bay.occupied") if v.reads and v.reads["bay.occupied"])
    for vector in load(vectors_path(model)).uplinks:
        if not 1 <= vector.frame.port <= 223 or (vector.reads is not None and "bay.occupied" in vector.reads):
            continue
        bay = Believed(model)
        bay.hears(occupied, NOW)
        later = NOW + timedelta(hours=30 * 24)
        done = bay.hears(vector, later)
        assert (done.failed is None) == (vector.reads is not None)
        assert bay.at(later).occupancy in (Occupancy.UNKNOWN, Occupancy.OUT_OF_SERVICE)
        assert bay.at(later).heard_at in (later, NOW)  # a frame that nobody can read is one all the same
        assert bay.at(later).said_at in (None, NOW)


def test_an_nps405_tells_of_the_change_that_was_lost_before() -> None:
    """Occupied at 12:00; the frame that it was free is lost; at 15:00 occupied again, free before for 74 minutes."""
    came = next(v for v in canonical("nwave/nps405", "bay.previous_minutes") if v.frame.data == b"\x95")
    first = heard(came, known("nwave/nps405"))
    done = heard(came, first.known, NOW + timedelta(hours=3))
    assert done.entry is not None
    states = [(from_ns(one.at_ns), one.value, one.quality) for one in done.entry.readings if one.quantity is BAY_OCCUPIED]
    assert states == [(NOW + timedelta(minutes=106), False, Quality.GOOD), (NOW + timedelta(hours=3), True, Quality.GOOD)]
    assert done.known.state.last[BAY_OCCUPIED.name].since_ns == to_ns(NOW + timedelta(hours=3))
    assert done.known.state.value(BAY_OCCUPIED) is True
    assert heard(came, done.known, NOW + timedelta(hours=3, minutes=1)).known.state.value(BAY_OCCUPIED) is True


@pytest.mark.parametrize("model", LAMPS)
def test_each_frame_that_tells_a_lamps_level_power_or_relay_is_what_staff_see(model: str) -> None:
    for name in ("lamp.level", "lamp.power", "lamp.relay_closed"):
        for vector in canonical(model, name):
            assert vector.reads is not None
            value = vector.reads[name]
            done = heard(vector, known(model))
            assert done.failed is None
            if not quantity(name).plausible(value):
                continue
            view = Picture(zones=(), devices={LAMP.id: done.known.device}, codecs=catalog(), states={EUI: done.known.state},
                           alarms=(), live=(), targets=Wants(Programming(TOWN.site), (), NOW), now=NOW).view(LAMP)
            seen = {"lamp.level": view.level, "lamp.power": view.power_w,
                    "lamp.relay_closed": done.known.state.value(LAMP_RELAY_CLOSED)}
            assert seen[name] == value
