"""What people are shown of a lamp: one word, and setpoints that agree with city.lighting for every lamp."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from api import views
from api.schemas import LuminaireOut
from api.views import LampWord
from city.alarms import AlarmKind, begin
from city.commands import Command, Priority, State, command
from city.groups import Target
from city.ids import AssetId, DevEui, GatewayId, OverrideId, TenantId, ZoneId
from city.lighting import Override, Setpoint
from city.orders import SetLevel
from city.places import Device, Luminaire, Restriction, Site, Zone
from city.programs import Programming
from city.quantities import LAMP_LEVEL, LAMP_POWER
from city.readings import DeviceState, Last, Lasts, to_ns
from city.store.ports import Facts
from city.wants import Wants
from decoders.catalog import catalog, codec_of

NOW = datetime(2026, 3, 2, 22, tzinfo=UTC)
ALT, HERE = TenantId("alt"), Site(51.0, 8.1)
NAS = codec_of("nas/ul20xx")
LAMPS = [Luminaire(ALT, AssetId(f"L{n}"), "", HERE, ZoneId("a" if n % 2 else "b"),
                   restriction=Restriction.CROSSWALK if n == 3 else Restriction.NONE, min_level=20 * (n == 4))
         for n in range(6)]


def wanted(level: int, since: datetime, reason: str = "program") -> Setpoint:
    return Setpoint(level, reason, "program", since, since + timedelta(hours=9))


def under_way() -> Command:
    return command(tenant=ALT, device=DevEui("a" * 16), asset=AssetId("L1"), order=SetLevel(50, 60), origin="program",
                   priority=Priority.PROGRAM, now=NOW, expires_at=NOW + timedelta(minutes=5))


LONG_AGO = NOW - timedelta(hours=2)


@pytest.mark.parametrize(("target", "level", "heard", "alarm", "live", "word"), [
    (wanted(50, LONG_AGO), 50.0, NOW, None, None, LampWord.OK),
    (wanted(50, LONG_AGO), 50.4, NOW, None, None, LampWord.OK),
    (wanted(50, LONG_AGO), 80.0, NOW, None, None, LampWord.DEVIATES),
    (wanted(50, LONG_AGO), 80.0, NOW, None, under_way(), LampWord.WAITING),
    (wanted(40, NOW - timedelta(minutes=2), "override"), 80.0, NOW, None, None, LampWord.WAITING),
    (wanted(40, NOW - timedelta(minutes=4), "override"), 80.0, NOW, None, None, LampWord.DEVIATES),
    (wanted(100, NOW - timedelta(minutes=20)), 0.0, NOW, None, None, LampWord.WAITING),
    (wanted(100, NOW - timedelta(minutes=30)), 0.0, NOW, None, None, LampWord.DEVIATES),
    (wanted(50, LONG_AGO), None, NOW, None, None, LampWord.WAITING),
    (wanted(50, LONG_AGO), 50.0, NOW, AlarmKind.LAMP_FAILURE, None, LampWord.FAULT),
    (wanted(50, LONG_AGO), 50.0, NOW, AlarmKind.CLOCK_INVALID, None, LampWord.OK),
    (wanted(50, LONG_AGO), 50.0, NOW, AlarmKind.DEVICE_SILENT, None, LampWord.SILENT),
    (wanted(50, LONG_AGO), 50.0, NOW - 2 * NAS.heartbeat - timedelta(hours=2), None, None, LampWord.SILENT),
    (wanted(50, LONG_AGO), None, None, None, None, LampWord.NEVER_HEARD)])
def test_one_word_for_a_lamp(target, level, heard, alarm, live, word):
    alarms = [] if alarm is None else [begin(ALT, AssetId("L1"), alarm, NOW)]
    assert views.lamp_word(target, level, heard, alarms, live, NAS, NOW) is word


def wish(number: int, level: int, minutes_ago: int, lasts: int, zone: str | None, asset: int | None) -> Override:
    start = NOW - timedelta(minutes=minutes_ago)
    return Override(OverrideId(f"o{number}"), ALT, level, start, start + timedelta(minutes=lasts), "", "me", start,
                    (Target("zone", str(zone)) if asset is None else Target("lamp", f"L{asset}"),))


def test_zones_count_every_lamp_once(town, clock, hears):
    hears("L1", clock.now(), level=50.0)
    zones = views.lighting_zones(town, clock.now())
    assert sum(zone.lamps for zone in zones) == sum(sum(zone.words.values()) for zone in zones) == 6
    assert {zone.zone.id: zone.floor for zone in zones} == {"markt": 0, "schule": 100, "hof": 0}


class Counting:
    """A TenantStore that counts how often it is asked."""

    def __init__(self, town) -> None:
        self._town, self.asked = town, 0

    def __getattr__(self, name):
        found = getattr(self._town, name)
        if callable(found):
            self.asked += 1
        return found


@pytest.mark.parametrize("ask", [views.luminaires, views.lighting_zones])
def test_the_number_of_queries_does_not_grow_with_the_town(town, clock, ask):
    counting = Counting(town)
    ask(counting, clock.now())
    assert counting.asked <= 12


def test_an_estimate_spreads_over_the_gateways_that_hear_the_lamps(town, store, hears, clock):
    lamps = [lamp for lamp in town.luminaires() if lamp.zone == "markt"]
    one = views.estimate_for(town, lamps, clock.now())
    for lamp, gateway in zip(lamps, ("1" * 16, "2" * 16, "1" * 16, "2" * 16), strict=True):
        hears(lamp.id, clock.now(), level=50.0)
        heard = town.state(town.device_of(lamp.id).dev_eui)
        store.commit(Facts(states=(structs.replace(heard, gateway=GatewayId(gateway)),)))
    two = views.estimate_for(town, lamps, clock.now())
    assert one.airtime_s == two.airtime_s
    assert two.last_s < one.last_s


def test_twenty_thousand_lamps_are_shown_within_bounds():
    """The assembling alone, without a database: well below a second on any machine."""
    lamps = [Luminaire(ALT, AssetId(f"L{n}"), f"Lampe {n}", HERE, ZoneId(f"z{n % 50}")) for n in range(20_000)]
    devices = {lamp.id: Device(DevEui(f"{n:016x}"), ALT, lamp.id, "nas/ul20xx") for n, lamp in enumerate(lamps)}
    at = to_ns(NOW)
    states = {device.dev_eui: DeviceState(device.dev_eui, heard_ns=at, last=Lasts.of({
        LAMP_LEVEL.name: Last(50.0, at, at), LAMP_POWER.name: Last(20.0, at, at)})) for device in devices.values()}
    began = time.process_time()
    picture = views.Picture(zones=[Zone(ALT, ZoneId(f"z{n}"), f"Zone {n}") for n in range(50)], devices=devices, codecs=catalog(),
                            states=states, alarms=[], live=[], targets=Wants(Programming(HERE), [], NOW), now=NOW)
    shown = [LuminaireOut.of(picture.view(lamp)) for lamp in lamps]
    assert time.process_time() - began < 3
    assert {view.state for view in shown} == {"ok"}


def test_a_lamp_that_reports_no_level_has_applied_what_it_acknowledged() -> None:
    wish = Override(OverrideId("o"), ALT, 40, NOW, NOW + timedelta(hours=1), "", "ada", NOW, (Target("lamp", AssetId("L1")),))
    device = Device(DevEui("a" * 16), ALT, AssetId("L1"), "zenosmart/lcc")
    order = command(tenant=ALT, device=device.dev_eui, asset=device.asset, order=SetLevel(40), origin="override:o",
                    priority=Priority.OVERRIDE, now=NOW, expires_at=NOW + timedelta(hours=1))
    applied = replace(order, state=State.APPLIED, attempts=1)
    told = {device.dev_eui: DeviceState(device.dev_eui)}
    assert views.step_of(wish, True, device, told, [applied]) == "applied"
    says = Lasts.of({LAMP_LEVEL.name: Last(100.0, to_ns(NOW), to_ns(NOW))})
    assert views.step_of(wish, True, device, {device.dev_eui: DeviceState(device.dev_eui, last=says)}, [applied]) == "deviating"
