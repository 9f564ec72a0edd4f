"""The panel's API: what it shows of a town of events, and what it does to it."""

import json
from base64 import b64decode
from datetime import timedelta

import pytest

from city.clock import ManualClock
from city.orders import MulticastGroup
from decoders.catalog import codec_of
from simulator.chirpstack import ChirpStack
from simulator.faults import Troubled
from simulator.panel import maps
from simulator.panel.imitation import Imitation
from simulator.panel.journal import Copy, Journal, Seen
from simulator.panel.pausing import PausableClock
from simulator.panel.watch import Watch
from simulator.scenario import Scenario
from tests.simulator.conftest import NIGHT
from tests.simulator.panel_scene import TOKEN, Caller, EventTown

TOWN = "/towns/hilchenbach"


@pytest.fixture
def scene() -> EventTown:
    return EventTown()


@pytest.fixture(scope="module")
def large() -> EventTown:
    """Seen only: no test may change it."""
    return EventTown(lamps=2000, bays=100, seconds=0)


def events(said: list[tuple[str, bytes]], kind: str = "up") -> list[dict[str, object]]:
    return [json.loads(payload) for topic, payload in said if topic.endswith(f"/{kind}")]


def test_numbers_count_what_the_town_does(scene: EventTown) -> None:
    now = scene.call.get(TOWN)
    assert (now["devices"], now["joined"], now["lamps"], now["bays"]) == (10, 10, 6, 4)
    assert now["burning"] == sum(lamp.driver.lit > 0 for lamp in scene.chirpstack.lamps.values())
    assert now["uplinks"] == scene.chirpstack.stats["up"]
    assert now["collisions"] is None, "nobody can count them where the air is statistical"


def test_the_list_is_filtered_paged_and_bounded(large: EventTown) -> None:
    page = large.call.get(f"{TOWN}/devices", kind="lamp", offset=1990, limit=200)
    assert page["total"] == 2000
    assert len(page["items"]) == 10
    eui = large.chirpstack.scenario.bays[7].device.dev_eui
    assert [one["kind"] for one in large.call.get(f"{TOWN}/devices", q=eui.upper())["items"]] == ["bay"]
    assert large.call.get(f"{TOWN}/devices", shows="unjoined")["total"] == 2100
    answer = large.call.http.get(f"/api{TOWN}/devices", params={"limit": 201})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == "limit"


def test_a_map_thins_out_and_shows_everything_near_by(large: EventTown) -> None:
    whole = large.call.get(f"{TOWN}/map")
    assert whole["things"] == []
    assert sum(cell["lamps"] + cell["bays"] for cell in whole["cells"]) == whole["total"] == 2100
    assert len(whole["cells"]) <= (maps.CELLS + 1) ** 2
    site = large.chirpstack.scenario.lamps[0].lamp.site
    near = large.call.get(f"{TOWN}/map", south=site.latitude - 1e-3, north=site.latitude + 1e-3, west=site.longitude - 1e-3,
                          east=site.longitude + 1e-3)
    assert large.lamp in {thing["id"] for thing in near["things"]}
    assert near["cells"] == []
    assert large.call.http.get(f"/api{TOWN}/map", params={"south": 1, "north": 0, "west": 0, "east": 1}).status_code == 422


def test_a_cut_circuit_is_dark_and_joins_again_when_it_is_restored(scene: EventTown) -> None:
    circuit = scene.call.get(f"{TOWN}/devices/{scene.lamp}")["circuit"]
    lamps = [site.lamp.id for site in scene.chirpstack.scenario.lamps if site.lamp.circuit == circuit]
    cut = scene.call.do(f"{TOWN}/circuits/{circuit}/power", {"on": False})
    assert cut.json() == {"id": circuit, "lamps": len(lamps), "powered": 0, "burning": 0}
    assert [one["kind"] for one in scene.call.get(TOWN)["faults"]] == ["cabinet-outage"]
    assert scene.call.do(f"{TOWN}/circuits/{circuit}/power", {"on": False}).status_code == 409
    scene.run(60)
    assert scene.call.get(f"{TOWN}/devices", shows="unpowered")["total"] == len(lamps)
    assert scene.call.do(f"{TOWN}/circuits/{circuit}/power", {"on": True}).json()["powered"] == len(lamps)
    said = scene.run(120)
    euis = {site.device.dev_eui for site in scene.chirpstack.scenario.lamps if site.lamp.circuit == circuit}
    assert {event["deviceInfo"]["devEui"] for event in events(said, "join")} == euis
    assert scene.call.get(TOWN)["faults"] == []


def test_what_is_not_there_is_said_in_the_askers_language(scene: EventTown) -> None:
    answer = scene.call.do(f"{TOWN}/circuits/SV-99/power", {"on": False}, **{"Accept-Language": "de"})
    assert answer.status_code == 404
    assert answer.json()["detail"] == "In dieser Stadt gibt es nichts mit diesem Namen (Stromkreis SV-99)."
    assert scene.call.do("/towns/nowhere/weather", {}).status_code == 404
    assert scene.call.do(f"{TOWN}/devices/HIL-9999/reboot").json()["detail"].startswith("Ein Gerät HIL-9999")


def test_a_lamp_off_the_net_burns_on_unheard_and_comes_back(scene: EventTown) -> None:
    path = f"{TOWN}/devices/{scene.lamp}"
    eui = scene.call.get(path)["dev_eui"]
    assert scene.call.do(f"{path}/network", {"on": False}).json()["mark"] == "apart"
    assert scene.call.do(f"{path}/send", {"port": 23, "hex": "00"}).status_code == 200
    said = scene.run(1300)
    assert not [event for event in events(said) if event["deviceInfo"]["devEui"] == eui]
    frames = scene.call.get(f"{path}/frames")
    assert all(copy["reason"] == "nobody" for frame in frames[:3] for copy in frame["copies"])
    back = scene.call.do(f"{path}/network", {"on": True}).json()
    assert back["mark"] == ""
    assert back["radio"]["links"]
    assert [event for event in events(scene.run(1300)) if event["deviceInfo"]["devEui"] == eui]


def test_a_car_parks_and_leaves_once(scene: EventTown) -> None:
    path = f"{TOWN}/devices/{scene.bay}"
    here = scene.call.get(path)["bay"]["taken"]
    assert scene.call.do(f"{path}/car", {"here": here}).status_code == 409
    moved = scene.call.do(f"{path}/car", {"here": not here}).json()
    assert moved["bay"]["taken"] is not here
    eui = moved["dev_eui"]
    assert any(event["deviceInfo"]["devEui"] == eui for event in events(scene.run(120))), "its sensor notices"
    assert scene.call.do(f"{TOWN}/devices/{scene.lamp}/car", {"here": True}).status_code == 422


def test_devices_fail_by_their_own_kinds_of_fault(scene: EventTown) -> None:
    lamp, bay = f"{TOWN}/devices/{scene.lamp}/fault", f"{TOWN}/devices/{scene.bay}/fault"
    assert scene.call.do(lamp, {"fault": "driver failure"}).json()["lamp"]["lit"] == 0
    assert scene.call.do(lamp, {"fault": "flapping"}).status_code == 422
    assert scene.call.do(bay, {"fault": "flapping"}).json()["mark"] == "fault"
    assert scene.call.do(bay, {"fault": ""}).json()["fault"] == ""


def test_raw_bytes_are_sent_as_they_are(scene: EventTown) -> None:
    path, eui = f"{TOWN}/devices/{scene.lamp}", scene.chirpstack.scenario.lamps[0].device.dev_eui
    assert scene.call.do(f"{path}/send", {"port": 99, "hex": "de ad BEEF", "confirmed": True}).status_code == 200
    sent = [event for event in events(scene.run(2)) if event["deviceInfo"]["devEui"] == eui and event["fPort"] == 99]
    assert b64decode(str(sent[0]["data"])) == bytes.fromhex("deadbeef")
    assert sent[0]["confirmed"] is True
    for wrong in ({"port": 99, "hex": "abc"}, {"port": 0, "hex": "00"}, {"port": 99, "hex": "zz"}, {"port": 224, "hex": "00"},
                  {"port": 99, "hex": "00" * 243}, {"port": 99, "hex": "00", "more": 1}):
        answer = scene.call.do(f"{path}/send", wrong)
        assert answer.status_code == 422, wrong
        assert answer.json()["detail"]
    assert EventTown(seconds=0).call.do(f"{path}/send", {"port": 1, "hex": "00"}).status_code == 409, "it has not joined"


def test_a_restarted_device_joins_anew(scene: EventTown) -> None:
    eui = scene.chirpstack.scenario.lamps[0].device.dev_eui
    assert scene.call.do(f"{TOWN}/devices/{scene.lamp}/reboot").status_code == 200
    assert eui in {event["deviceInfo"]["devEui"] for event in events(scene.run(60), "join")}


def test_what_has_no_power_does_nothing(scene: EventTown) -> None:
    path = f"{TOWN}/devices/{scene.lamp}"
    circuit = scene.call.get(path)["circuit"]
    scene.call.do(f"{TOWN}/circuits/{circuit}/power", {"on": False})
    for what, body in (("reboot", None), ("send", {"port": 1, "hex": "00"})):
        assert scene.call.do(f"{path}/{what}", body).json()["detail"] == "Dieses Gerät ist ohne Spannung."


@pytest.mark.parametrize("body", ['{"kind": "jammer", "power_dbm": NaN}', '{"kind": "jammer", "place": [NaN, 0]}',
                                  '{"kind": "weather", "loss": Infinity}', "[" * 60_000, "null", "", '{"kind": ["weather"]}',
                                  "\xff"])
def test_whatever_is_sent_is_answered_with_a_problem(scene: EventTown, body: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    answer = scene.call.http.post(f"/api{TOWN}/faults", content=body.encode("latin-1"), headers=headers)
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert scene.call.get(f"{TOWN}/faults") == []


def test_gateways_go_down_and_come_up(scene: EventTown) -> None:
    gateways = [one["id"] for one in scene.call.get(f"{TOWN}/gateways")]
    for gateway in gateways:
        assert scene.call.do(f"{TOWN}/gateways/{gateway}/power", {"on": False}).json()["down"] is True
    assert events(scene.run(700)) == []
    assert scene.call.get(TOWN)["gateways_down"] == len(gateways)
    assert scene.call.do(f"{TOWN}/gateways/{gateways[0]}/power", {"on": True}).json()["down"] is False
    assert events(scene.run(700))
    bands = scene.call.get(f"{TOWN}/gateways")[0]["bands"]
    assert [(band["name"], band["most_s"]) for band in bands] == [("M", 36.0), ("P", 360.0)]


def test_weather_is_set_and_not_summed_up(scene: EventTown) -> None:
    scene.call.do(f"{TOWN}/weather", {"loss": 1.0, "attenuation_db": 3})
    assert events(scene.run(700)) == []
    now = scene.call.do(f"{TOWN}/weather", {"attenuation_db": 5}).json()
    assert (now["loss"], now["attenuation_db"], now["mine"]["attenuation_db"]) == (0.0, 5.0, 5.0)
    assert scene.call.do(f"{TOWN}/weather", {}).json()["attenuation_db"] == 0.0
    assert scene.call.get(f"{TOWN}/faults") == []
    assert scene.call.do(f"{TOWN}/weather", {"loss": 2}).json()["field"] == "loss"


def test_any_fault_of_a_scenario_can_be_started_and_ended(scene: EventTown) -> None:
    begun = scene.call.do(f"{TOWN}/faults", {"kind": "duplicates", "share": 0.5, "for": "1 min"}).json()
    assert (begun["kind"], begun["facts"]) == ("duplicates", {"for": "1 min", "share": "0.5"})
    scene.run(61)
    assert scene.call.get(f"{TOWN}/faults") == [], "it ends by itself"
    storm = scene.call.do(f"{TOWN}/faults", {"kind": "broker-loss"}).json()
    assert scene.run(700) == []
    assert scene.call.do(f"{TOWN}/faults/{storm['number']}", method="DELETE").status_code == 204
    assert events(scene.run(1)), "what was held comes at once"
    assert scene.call.do(f"{TOWN}/faults/{storm['number']}", method="DELETE").status_code == 404


@pytest.mark.parametrize(("asked", "status"), [
    ({"kind": "earthquake"}, 422), ({"kind": "rush", "factor": 101}, 422), ({"kind": "rush", "factor": "many"}, 422),
    ({"kind": "rush", "zone": "nowhere"}, 404), ({"kind": "gateway-down", "gateway": "x"}, 404), ({"kind": "gateway-down"}, 422),
    ({"kind": "device-fault", "fault": "plague"}, 422), ({"kind": "rush", "for": "1" * 50}, 422),
    ({"kind": "rush", "for": "999999 d 999999 d 999999 d 999999 d"}, 422), ({"kind": "jammer", "place": [1e9, 0]}, 422),
    ({"kind": "rush", "more": 1}, 422),    ({"kind": "weather", "at": "2026-01-01T00:00"}, 201)])
def test_a_fault_must_hold(scene: EventTown, asked: dict[str, object], status: int) -> None:
    answer = scene.call.do(f"{TOWN}/faults", asked)
    assert answer.status_code == status, answer.text
    assert status == 201 or answer.json()["detail"]


def test_every_kind_of_fault_says_which_keys_it_has(scene: EventTown) -> None:
    kinds = {one["kind"]: {key["name"]: key for key in one["fields"]} for one in scene.call.get("/fault-kinds")}
    assert len(kinds) == 17
    assert kinds["gateway-down"]["gateway"]["needed"] is True
    assert kinds["firmware-bug"]["does"]["choices"] == sorted(("truncates", "garbage", "obeys-wrongly", "deaf"))
    assert (kinds["weather"]["loss"]["least"], kinds["weather"]["loss"]["most"]) == (0, 1)
    assert kinds["rush"]["for"]["type"] == "period"


def test_a_rush_fills_a_lot_and_calms_down_when_it_is_ended() -> None:
    scene = EventTown(lamps=1, bays=40)
    zone = max(scene.call.get(f"{TOWN}/lots"), key=lambda lot: lot["bays"])["id"]
    taken = sum(lot["taken"] for lot in scene.call.get(f"{TOWN}/lots"))
    begun = scene.call.do(f"{TOWN}/lots/{zone}/rush", {"factor": 100, "minutes": 60})
    assert begun.status_code == 201
    scene.run(1800)
    assert sum(lot["taken"] for lot in scene.call.get(f"{TOWN}/lots")) > taken
    assert scene.call.do(f"{TOWN}/faults/{begun.json()['number']}", method="DELETE").status_code == 204


def test_frames_are_explained_by_the_devices_codec(scene: EventTown) -> None:
    frames = scene.call.get(f"{TOWN}/devices/{scene.lamp}/frames")
    status = next(frame for frame in frames if frame["port"] == 23)
    assert {one["quantity"]: one["unit"] for one in status["readings"]}["lamp.level"] == "%"
    assert [field["name"] for field in status["fields"]][:2] == ["header", "clock"]
    assert all(copy["rssi_dbm"] < 0 for copy in status["copies"])
    scene.call.do(f"{TOWN}/devices/{scene.lamp}/send", {"port": 23, "hex": "00"})
    assert scene.call.get(f"{TOWN}/devices/{scene.lamp}/frames")[0]["problem"], "and so is what it cannot read"


def test_keys_in_a_downlink_are_never_shown(scene: EventTown) -> None:
    key = "00112233445566778899aabbccddeeff"
    frame = codec_of("nas/ul20xx").encode_downlink(MulticastGroup(slot=0, dev_addr="01020304", nwk_s_key=key, app_s_key=key))
    asset = scene.chirpstack.scenario.lamps[0].lamp.id
    scene.town.journal.add(asset, Seen(0, False, [Copy("", "")], frame.port, frame.data))
    text = scene.call.http.get(f"/api{TOWN}/devices/{asset}/frames").text.lower()
    for spelt in (key, bytes.fromhex(key).hex(" "), bytes.fromhex(key)[::-1].hex(), bytes.fromhex(key)[::-1].hex(" ")):
        assert spelt not in text
    assert "··" in text


def test_time_stands_still_only_where_it_is_virtual() -> None:
    scene, real = EventTown(), ManualClock(NIGHT)
    assert scene.call.get("/clock") == {"can_pause": False, "paused": False}
    assert scene.call.do("/clock", {"paused": True}).status_code == 422
    clock = PausableClock(real)
    call = Caller([scene.town], clock)
    assert call.do("/clock", {"paused": True}).json()["paused"] is True
    real.advance(60)
    assert clock.now() == NIGHT
    call.do("/clock", {"paused": False})
    real.advance(5)
    assert clock.now() == NIGHT + timedelta(seconds=5)


def test_being_watched_changes_nothing() -> None:
    scenario = Scenario.load().sized(lamps=8, bays=4)
    alone, watched = (ChirpStack(scenario, seed=3, start=NIGHT) for _ in range(2))
    Imitation(watched, Troubled(watched, seed=3, start=NIGHT))
    until = NIGHT + timedelta(minutes=30)
    assert alone.advance(until) == watched.advance(until)


def test_a_town_of_any_size_is_looked_at_by_slices(large: EventTown) -> None:
    watch = Watch(large.call.panel.desk("hilchenbach").roster)
    last = large.chirpstack.scenario.lamps[-1].lamp.id
    large.chirpstack.lamps[last].cut()
    try:
        first, second = watch.look(1500), watch.look(1500)
        assert (first.items, [one.id for one in second.items]) == ([], [last])
        assert watch.counts["unpowered"] == 1
    finally:
        large.chirpstack.lamps[last].restore()


def test_a_journal_keeps_the_last_frames_of_each_and_not_too_many_of_all() -> None:
    journal = Journal(most=10, each=3)
    for number in range(8):
        journal.add("A", Seen(number, True, []))  # type: ignore[arg-type]
    assert [seen.at_ns for seen in journal.of("A")] == [7, 6, 5]  # type: ignore[arg-type]
    for number in range(9):
        journal.add(f"B{number}", Seen(number, True, []))  # type: ignore[arg-type]
    assert len(journal) <= 10
    assert [seen.at_ns for seen in journal.of("A")] == [7]  # type: ignore[arg-type]


def test_a_frame_by_hand_is_no_lamps_business(scene: EventTown) -> None:
    """The counter goes on, so that the next status is not refused as a repetition."""
    before = scene.call.get(f"{TOWN}/devices/{scene.lamp}")["radio"]["f_cnt_up"]
    scene.call.do(f"{TOWN}/devices/{scene.lamp}/send", {"port": 1, "hex": "01"})
    assert scene.call.get(f"{TOWN}/devices/{scene.lamp}")["radio"]["f_cnt_up"] == before + 1
