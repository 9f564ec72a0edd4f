"""What happens to a town at the times that its scenario names, and what is undone afterwards."""

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from city.errors import DecodeError
from city.quantities import DEVICE_FIRMWARE
from city.readings import NS
from decoders.catalog import decode
from decoders.codec import Frame
from simulator.chirpstack import ChirpStack
from simulator.fault_plan import AnyFault, begins, seconds
from simulator.faults import Troubled
from simulator.scenario import Scenario
from tests.simulator.conftest import NIGHT

QUIET = {"lamp_failure": 0.0, "stuck_driver": 0.0, "silent": 0.0, "missed_edge": 0.0, "uplink_loss": 0.0, "downlink_loss": 0.0,
         "join_within_s": 2.0, "status_interval_s": 60.0, "usage_interval_s": 86_400.0}


@dataclass
class Scene:
    """A town with faults, and what came out of it, with the minute in which it came."""

    town: Troubled
    chirpstack: ChirpStack
    minute: int = 0
    said: list[tuple[int, str, str, dict[str, Any]]] = field(default_factory=list)  # minute, kind, DevEUI, event
    raw: list[tuple[str, bytes]] = field(default_factory=list)

    def run(self, minutes: int) -> "Scene":
        for _ in range(minutes):
            self.minute += 1
            for topic, payload in self.town.advance(NIGHT + timedelta(minutes=self.minute)):
                self.raw.append((topic, payload))
                parts = topic.split("/")
                if payload.count(b"{") == payload.count(b"}"):  # no fragment
                    self.said.append((self.minute, parts[5], parts[3], json.loads(payload)))
        return self

    def ups(self, first: int, last: int, *, devices: Set[str] | None = None) -> list[dict[str, Any]]:
        return [event for minute, kind, eui, event in self.said
                if kind == "up" and first <= minute <= last and (devices is None or eui in devices)]

    def of(self, kind: str, first: int, last: int) -> list[str]:
        return [eui for minute, what, eui, _ in self.said if what == kind and first <= minute <= last]


def scene(*faults: Mapping[str, object], lamps: int = 12, bays: int = 6, seed: int = 1) -> Scene:
    """A quiet town to which these faults happen."""
    base = Scenario.load().sized(lamps=lamps, bays=bays).tuned(**QUIET)
    made = msgspec.convert(faults, tuple[AnyFault, ...])
    plan = msgspec.structs.replace(base.plan, fault=made)
    scenario = Scenario(plan, base.tenant, base.streets, base.lamps, base.bays, base.antennas)
    chirpstack = ChirpStack(scenario, seed=seed, start=NIGHT)
    return Scene(Troubled(chirpstack, seed=seed, start=NIGHT), chirpstack)


def circuit_of(made: Scene) -> tuple[str, set[str]]:
    """A circuit with lamps, and their DevEUIs."""
    circuits = Counter(site.lamp.circuit for site in made.town.scenario.lamps)
    circuit = circuits.most_common(1)[0][0]
    return str(circuit), {site.device.dev_eui for site in made.town.scenario.lamps if site.lamp.circuit == circuit}


CIRCUIT, DARK = circuit_of(scene())
LAMPS = {site.device.dev_eui for site in scene().town.scenario.lamps}
GATEWAYS = [gateway.id for gateway in scene().town.scenario.gateways]


def test_a_gateway_that_is_down_hears_nothing_and_hears_again() -> None:
    made = scene(*({"kind": "gateway-down", "at": "+10 min", "for": "10 min", "gateway": one} for one in GATEWAYS)).run(40)
    assert made.ups(5, 10)
    assert made.ups(11, 20) == []
    assert len(made.ups(30, 40)) > 50


def test_one_gateway_by_its_name_leaves_the_others() -> None:
    name = scene().town.scenario.gateways[0].name
    made = scene({"kind": "gateway-down", "at": "+10 min", "for": "10 min", "gateway": name}).run(20)
    heard = {one["gatewayId"] for event in made.ups(11, 20) for one in event["rxInfo"]}
    before = {one["gatewayId"] for event in made.ups(3, 10) for one in event["rxInfo"]}
    assert heard == before - {GATEWAYS[0]} != before


def test_two_outages_of_one_gateway_end_with_the_later() -> None:
    made = scene(*({"kind": "gateway-down", "at": at, "for": "10 min", "gateway": one}
                   for one in GATEWAYS for at in ("+5 min", "+10 min"))).run(25)
    assert made.ups(6, 20) == []
    assert made.ups(21, 25)


def test_a_circuit_without_power_is_silent_and_joins_again_when_it_returns() -> None:
    made = scene({"kind": "cabinet-outage", "at": "+10 min", "for": "20 min", "circuit": CIRCUIT}).run(9)
    assert all(lamp.power() > 5 for lamp in made.chirpstack.lamps.values())
    made.run(11)
    dark = [lamp for lamp in made.chirpstack.lamps.values() if lamp.asset.circuit == CIRCUIT]
    assert [lamp.power() for lamp in dark] == [0.0] * len(DARK)
    made.run(30)
    assert made.ups(12, 30, devices=DARK) == []
    assert len(made.ups(12, 30, devices=LAMPS - DARK)) > 50
    assert set(made.of("join", 31, 40)) == DARK
    assert {event["deviceInfo"]["devEui"] for event in made.ups(35, 50)} >= DARK


def test_what_a_broker_did_not_get_comes_at_once_and_in_order_or_never() -> None:
    kept = scene({"kind": "broker-loss", "at": "+10 min", "for": "10 min"}).run(30)
    lost = scene({"kind": "broker-loss", "at": "+10 min", "for": "10 min", "keeps": False}).run(30)
    quiet = scene().run(30)
    assert [one for one in kept.said if 11 <= one[0] <= 19] == []
    assert kept.raw == quiet.raw, "nothing is missing, nothing has changed places"
    assert len(kept.ups(20, 20)) + len(kept.ups(21, 21)) > 100
    assert 0 < len(quiet.raw) - len(lost.raw) == len([one for one in quiet.said if 11 <= one[0] <= 20])


@pytest.mark.parametrize(("keeps", "level"), [(True, 30), (False, None)])
def test_a_command_while_the_broker_is_lost_comes_when_it_is_back_or_never(keeps: bool, level: int | None) -> None:
    made = scene({"kind": "broker-loss", "at": "+5 min", "for": "5 min", "keeps": keeps}).run(7)
    site = made.town.scenario.lamps[0]
    lamp = made.chirpstack.lamps[site.lamp.id]
    before = lamp.level
    command(made, site.device.dev_eui)
    made.run(2)
    assert lamp.level == before != level
    made.run(3)
    assert lamp.level == (before if level is None else level)


def command(made: Scene, eui: str) -> None:
    """Dim to 30 %."""
    topic = f"application/{made.town.scenario.application('lamp')}/device/{eui}/command/down"
    made.town.command(topic, json.dumps({"devEui": eui, "fPort": 60, "data": "Cf4eBQ=="}).encode(),
                      NIGHT + timedelta(minutes=made.minute))


def test_a_burst_is_of_its_devices_only() -> None:
    made = scene({"kind": "burst", "at": "+10 min", "for": "10 min", "circuit": CIRCUIT}).run(25)
    assert made.ups(11, 19, devices=DARK) == []
    assert len(made.ups(11, 19, devices=LAMPS - DARK)) > 50
    assert len(made.ups(20, 21, devices=DARK)) >= 9 * len(DARK)


def test_a_join_storm_is_over_within_its_time() -> None:
    made = scene({"kind": "join-storm", "at": "+10 min", "within": "30 s", "asset": "lamp"}).run(15)
    joins = made.of("join", 11, 15)
    assert set(joins) == LAMPS
    assert len(made.of("join", 11, 11)) == len(LAMPS)


@pytest.mark.parametrize("does", ["truncates", "garbage"])
def test_a_buggy_firmware_sends_what_nobody_can_read(does: str) -> None:
    made = scene({"kind": "firmware-bug", "at": "+10 min", "for": "20 min", "over": "1 min", "asset": "lamp", "share": 0.5,
                  "does": does}).run(45)
    bad = {event["deviceInfo"]["devEui"] for event in made.ups(15, 29, devices=LAMPS) if unreadable(event)}
    assert 2 <= len(bad) <= 10, "about half of twelve"
    assert set(made.of("join", 11, 13)) == bad, "they restarted with it"
    assert not any(unreadable(event) for event in made.ups(31, 45))


def test_a_firmware_says_its_version_rightly_and_all_else_wrong() -> None:
    made = scene({"kind": "firmware-bug", "at": "+10 min", "over": "1 min", "asset": "lamp", "does": "garbage",
                  "version": "1.2.3"}).run(20)
    told = {event["deviceInfo"]["devEui"]: one.value for event in made.ups(11, 20, devices=LAMPS) if not unreadable(event)
            for one in decode("nas/ul20xx", Frame(event["fPort"], b64decode(event["data"])))
            if one.quantity is DEVICE_FIRMWARE}
    assert told == dict.fromkeys(LAMPS, "1.2.3")
    assert sum(unreadable(event) for event in made.ups(13, 20, devices=LAMPS)) > 50


def unreadable(event: dict[str, Any]) -> bool:
    try:
        decode("nas/ul20xx", Frame(event["fPort"], b64decode(event["data"])))
    except DecodeError:
        return True
    return False


@pytest.mark.parametrize(("does", "level"), [("obeys-wrongly", 70), ("deaf", None)])
def test_a_buggy_firmware_does_the_opposite_or_hears_nothing(does: str, level: int | None) -> None:
    made = scene({"kind": "firmware-bug", "at": "+5 min", "over": "10 s", "model": "nas/ul20xx", "does": does}).run(8)
    site = made.town.scenario.lamps[0]
    lamp = made.chirpstack.lamps[site.lamp.id]
    before = lamp.level
    command(made, site.device.dev_eui)
    made.run(1)
    assert lamp.level == (before if level is None else level)


def test_rain_noise_and_jammers_make_the_radio_worse_and_pass() -> None:
    def lost(*faults: Mapping[str, object]) -> int:
        made = scene(*faults).run(40)
        weather = made.chirpstack.weather
        assert (weather.loss, weather.attenuation_db, weather.noise_db, weather.jammers) == (0.0, 0.0, 0.0, [])
        return made.town.stats["lost up"]

    clear = lost()
    assert lost({"kind": "weather", "at": "+5 min", "for": "20 min", "loss": 0.5}) > clear + 50
    assert lost({"kind": "weather", "at": "+5 min", "for": "20 min", "attenuation_db": 25, "noise_db": 10}) > clear + 50
    assert lost({"kind": "jammer", "at": "+5 min", "for": "20 min", "power_dbm": 40}) > clear + 50


def test_weathers_that_overlap_add_up() -> None:
    made = scene({"kind": "weather", "at": "+1 min", "for": "10 min", "loss": 0.5, "noise_db": 2},
                 {"kind": "weather", "at": "+5 min", "for": "10 min", "loss": 0.5, "noise_db": 3}).run(7)
    assert (made.chirpstack.weather.loss, made.chirpstack.weather.noise_db) == (0.75, 5)
    made.run(5)
    assert (made.chirpstack.weather.loss, made.chirpstack.weather.noise_db) == (0.5, 3)


def away(event: dict[str, Any], minute: int, key: str = "time") -> float:
    """Seconds between an event's time and the minute in which it came."""
    at = event[key] if key == "time" else event["rxInfo"][0][key]
    return (datetime.fromisoformat(at) - (NIGHT + timedelta(minutes=minute))).total_seconds()


def test_a_gateway_whose_satellite_time_is_wrong_is_believed() -> None:
    satellite = next(one.gateway.id for one in scene().town.scenario.antennas if one.gnss)
    made = scene({"kind": "gps-time", "at": "+5 min", "for": "10 min", "gateway": satellite}).run(25)
    first = [(minute, event) for minute, kind, _, event in made.said
             if kind == "up" and event["rxInfo"][0]["gatewayId"] == satellite]
    wrong = [away(event, minute) for minute, event in first if 7 <= minute <= 15]
    assert wrong
    assert all(1700 < seconds_off < 1900 for seconds_off in wrong)
    assert all(abs(away(event, minute)) < 90 for minute, event in first if minute > 16)


def test_a_server_whose_clock_is_wrong_dates_what_no_satellite_has_dated() -> None:
    made = scene({"kind": "clock-step", "of": "server", "at": "+5 min", "for": "10 min", "seconds": -3600},
                 {"kind": "join-storm", "at": "+8 min"}).run(20)
    ups = [(minute, event) for minute, kind, _, event in made.said if kind == "up" and 7 <= minute <= 15]
    assert all(away(event, minute, "nsTime") < -3500 for minute, event in ups)
    for minute, event in ups:
        assert (away(event, minute) < -3500) == ("timeSinceGpsEpoch" not in event["rxInfo"][0])
    joins = [away(event, minute) for minute, kind, _, event in made.said if kind == "join" and 7 <= minute <= 15]
    assert joins
    assert all(off < -3500 for off in joins)


def test_a_lamp_with_a_wrong_clock_keeps_its_calendar_by_it() -> None:
    made = scene({"kind": "clock-step", "of": "device", "at": "+5 min", "seconds": 7200, "asset": "lamp"}).run(6)
    lamp = next(iter(made.chirpstack.lamps.values()))
    assert lamp.clock_s() - made.chirpstack.now_ns // NS == pytest.approx(7200, abs=5)


def test_duplicates_fragments_and_strangers_come_only_in_their_time() -> None:
    made = scene({"kind": "duplicates", "at": "+5 min", "for": "5 min", "share": 0.5},
                 {"kind": "broken-messages", "at": "+12 min", "for": "5 min", "share": 0.5},
                 {"kind": "strangers", "at": "+18 min", "for": "5 min", "share": 0.5}).run(30)
    quiet = scene().run(30)
    surplus = Counter(made.raw) - Counter(quiet.raw)
    assert Counter(quiet.raw) - Counter(made.raw) == Counter()
    assert sum(count for message, count in surplus.items() if message in set(quiet.raw)) > 10
    known = {topic.split("/")[3] for topic, _ in quiet.raw}
    assert sum(topic.split("/")[3] not in known for topic, _ in surplus) > 10
    assert sum(topic.split("/")[3] in known and payload.count(b"{") != payload.count(b"}") for topic, payload in surplus) > 10


def test_reordered_messages_are_all_there_and_not_far_from_their_places() -> None:
    made = scene({"kind": "reordered", "at": "+5 min", "for": "10 min", "share": 0.3, "by": 10}).run(25)
    quiet = scene().run(25)
    assert sorted(made.raw) == sorted(quiet.raw)
    places = {message: place for place, message in enumerate(quiet.raw)}
    moved = [place - places[message] for place, message in enumerate(made.raw)]
    assert any(moved)
    assert max(map(abs, moved)) <= 12


def test_a_broken_codec_of_the_server_adds_an_object_and_spoils_nothing_else() -> None:
    made = scene({"kind": "codec-garbage", "at": "+5 min", "for": "5 min", "share": 0.5}).run(15)
    with_object = [event for event in made.ups(1, 15) if "object" in event]
    assert len(with_object) > 10
    assert {minute for minute, _, _, event in made.said if "object" in event} <= set(range(5, 12))
    assert all(event["data"] for event in with_object)


def test_a_rush_fills_a_lot() -> None:
    def taken(*faults: Mapping[str, object]) -> int:
        return sum(lot.occupied for lot in scene(*faults, lamps=1, bays=72).run(120).chirpstack.lots.values())
    assert taken({"kind": "rush", "at": "+5 min", "for": "2 h", "factor": 20}) > taken() + 10


def test_stuck_sensors_are_stuck_until_they_are_repaired() -> None:
    made = scene({"kind": "device-fault", "at": "+5 min", "for": "60 min", "asset": "bay", "fault": "silent"}, lamps=1, bays=72)
    made.run(65)
    bays: set[str] = {site.device.dev_eui for site in made.town.scenario.bays}
    assert made.ups(7, 64, devices=bays) == []
    made.run(180)
    assert made.ups(66, 245, devices=bays)


def test_the_same_happens_however_often_one_looks() -> None:
    faults: Sequence[Mapping[str, object]] = (
        {"kind": "weather", "at": "+3 min", "for": "9 min", "loss": 0.3},
        {"kind": "reordered", "at": "+4 min", "for": "7 min", "share": 0.5, "by": 30},
        {"kind": "duplicates", "at": "+5 min", "for": "4 min", "share": 0.5, "asset": "lamp"},
        {"kind": "firmware-bug", "at": "+6 min", "share": 0.5, "does": "garbage"},
        {"kind": "broker-loss", "at": "+10 min", "for": "3 min"})
    by_minute = scene(*faults).run(20).raw
    at_once = scene(*faults).town.advance(NIGHT + timedelta(minutes=20))
    odd = scene(*faults)
    oddly = [message for step in range(1, 171) for message in odd.town.advance(NIGHT + timedelta(seconds=step * 7.07))]
    oddly += odd.town.advance(NIGHT + timedelta(minutes=20))
    assert by_minute == at_once == oddly
    assert scene(*faults, seed=2).town.advance(NIGHT + timedelta(minutes=20)) != at_once


def test_what_is_running_is_known_in_the_order_of_the_file() -> None:
    made = scene({"kind": "duplicates", "at": "+3 min", "for": "4 min"}, {"kind": "reordered", "at": "+2 min", "for": "9 min"})
    assert [kinds_after(made, minutes) for minutes in (1, 2, 2, 4, 4)] == [
        [], ["Duplicates", "Reordered"], ["Duplicates", "Reordered"], ["Reordered"], []]


def kinds_after(made: Scene, minutes: int) -> list[str]:
    made.run(minutes)
    return [type(one).__name__ for one in made.town.running]


@pytest.mark.parametrize(("said", "wanted"), [
    ("90 s", 90), ("10min", 600), ("1 h 30 min", 5400), ("1.5 h", 5400), ("2 d 1 s", 172_801), ("", 0)])
def test_periods(said: str, wanted: float) -> None:
    assert seconds(said) == wanted


@pytest.mark.parametrize(("at", "wanted"), [
    ("+10 min", datetime(2026, 11, 21, 20, 10, tzinfo=UTC)),
    ("21:30", datetime(2026, 11, 21, 20, 30, tzinfo=UTC)),  # 20:00 UTC is 21:00 in Germany
    ("20:30", datetime(2026, 11, 22, 19, 30, tzinfo=UTC)),
    ("2026-11-23T07:00", datetime(2026, 11, 23, 6, 0, tzinfo=UTC))])
def test_times_are_offsets_or_the_towns_own(at: str, wanted: datetime) -> None:
    assert begins(at, NIGHT, "Europe/Berlin") == wanted


def test_a_local_time_follows_summer_time() -> None:
    start = datetime(2026, 3, 28, 22, tzinfo=UTC)  # the night in which clocks go forward
    assert begins("07:00", start, "Europe/Berlin") == datetime(2026, 3, 29, 7, tzinfo=ZoneInfo("Europe/Berlin"))


def test_what_was_over_before_the_start_never_happens() -> None:
    made = scene({"kind": "broker-loss", "at": "2026-11-21T20:00", "for": "30 min"},
                 {"kind": "duplicates", "at": "2026-11-21T20:00", "for": "2 h"}).run(1)
    assert [type(one).__name__ for one in made.town.running] == ["Duplicates"]
    assert made.said
