"""The panel at frame level: headers, MAC commands, what each gateway had, and why copies were lost."""

import pytest

from city.orders import SetLevel
from simulator import mac
from simulator.medium import LOSSES
from simulator.panel.commands import Command, commands
from tests.simulator.panel_scene import AirTown

TOWN = "/towns/hilchenbach"


@pytest.fixture(scope="module")
def joined() -> AirTown:
    """Seen only: no test may change it."""
    return AirTown().run(90)


def of(town: AirTown, limit: int = 30) -> list[dict]:
    return town.call.get(f"{TOWN}/devices/{town.first.lamp.id}/frames", limit=limit)


def test_a_join_is_seen_both_ways(joined: AirTown) -> None:
    frames = list(reversed(of(joined)))
    request = next(frame for frame in frames if frame["header"]["type"] == "Join-Request")
    assert request["header"]["facts"]["DevEUI"] == joined.first.device.dev_eui
    assert (request["up"], request["header"]["length"], request["hex"]) == (True, 23, "")
    accept = next(frame for frame in frames if frame["header"]["type"] == "Join-Accept")
    assert (accept["up"], accept["header"]["length"]) == (False, 33)


def test_uplinks_are_opened_and_explained_with_each_gateways_copy(joined: AirTown) -> None:
    frame = next(one for one in of(joined) if one["port"] == 23)
    device = joined.field.devices[joined.first.lamp.id]
    assert frame["header"]["whole"] is True
    assert frame["header"]["dev_addr"] == f"{device.kept.session.dev_addr:08x}"
    assert frame["header"]["facts"]["ADR"] == "1"
    assert "lamp.level" in {one["quantity"] for one in frame["readings"]}
    there = {antenna.gateway.id for antenna in joined.field.scenario.antennas}
    arrived = [copy for copy in frame["copies"] if not copy["reason"]]
    assert arrived
    assert {copy["gateway"] for copy in frame["copies"]} <= there
    assert all(copy["rssi_dbm"] < 0 and copy["snr_db"] is not None for copy in arrived)
    assert {copy["reason"] for copy in frame["copies"]} <= {"", *LOSSES}
    assert frame["sf"] in range(7, 13)
    assert frame["frequency"] in range(863_000_000, 870_000_000)


def test_the_counters_are_those_that_the_server_has(joined: AirTown) -> None:
    eui = joined.first.device.dev_eui
    heard = [up.f_cnt for up in joined.server.heard if up.eui == eui]
    shown = [one["f_cnt"] for one in reversed(of(joined)) if one["up"] and one["f_cnt"] is not None]
    assert list(dict.fromkeys(shown)) == heard[-len(dict.fromkeys(shown)):]


def test_mac_commands_of_real_frames_are_named(joined: AirTown) -> None:
    names = {item["name"] for frame in of(joined) if frame["up"] for item in frame["commands"]}
    assert "DeviceTimeReq" in names, "a lamp asks for the time when it has joined"


def test_numbers_and_gateways_of_the_air(joined: AirTown) -> None:
    now = joined.call.get(TOWN)
    assert now["level"] == "frames"
    assert (now["joined"], now["devices"]) == (5, 5)
    assert now["uplinks"] == joined.field.medium.stats["sent up"] > 5
    assert now["collisions"] is not None
    bands = [band for gateway in joined.call.get(f"{TOWN}/gateways") for band in gateway["bands"]]
    assert sum(band["used_s"] for band in bands) > 0, "join-accepts took airtime"


def test_a_device_off_the_net_sends_what_no_gateway_can_hear_and_comes_back() -> None:
    town = AirTown(lamps=2, bays=0).run(60)
    path = f"{TOWN}/devices/{town.first.lamp.id}"
    before = town.call.get(path)["radio"]["links"]
    assert town.call.do(f"{path}/network", {"on": False}).json()["mark"] == "apart"
    assert town.call.get(path)["radio"]["links"] == before
    heard = len(town.server.heard)
    assert town.call.do(f"{path}/send", {"port": 5, "hex": "0102", "confirmed": True}).status_code == 200
    town.run(3)
    lost = next(one for one in of(town) if one["port"] == 5)
    assert {copy["reason"] for copy in lost["copies"]} == {"weak"}
    assert lost["confirmed"] is True
    assert not [up for up in town.server.heard[heard:] if up.eui == town.first.device.dev_eui]
    town.call.do(f"{path}/network", {"on": True})
    town.run(30)
    assert any(up.port == 5 and up.data == b"\1\2" for up in town.server.heard), "it is repeated until it is heard"


def test_a_downlink_is_read_with_the_devices_own_keys() -> None:
    town = AirTown(lamps=1, bays=0).run(60)
    eui = town.first.device.dev_eui
    frame = town.order(SetLevel(40, 5))
    phy = town.server.down(eui, port=frame.port, data=frame.data)
    town.network.answer = lambda heard: phy if heard.eui == eui else None
    town.call.do(f"{TOWN}/devices/{town.first.lamp.id}/send", {"port": 5, "hex": "01"})
    town.run(5)
    down = next(one for one in of(town) if not one["up"] and one["port"] == frame.port)
    assert "SetLevel" in down["order"]
    assert down["copies"][0]["reason"] == ""
    assert town.lamp().level == 40


def test_a_gateway_that_is_down_is_a_copys_reason() -> None:
    town = AirTown(lamps=1, bays=0).run(60)
    for gateway in town.call.get(f"{TOWN}/gateways"):
        assert town.call.do(f"{TOWN}/gateways/{gateway['id']}/power", {"on": False}).json()["down"] is True
    town.call.do(f"{TOWN}/devices/{town.first.lamp.id}/send", {"port": 5, "hex": "01"})
    town.run(2)
    assert {copy["reason"] for copy in of(town, 1)[0]["copies"]} == {"gateway down"}


def test_a_cut_circuit_silences_its_lamps() -> None:
    town = AirTown(lamps=2, bays=0).run(60)
    circuit = str(town.first.lamp.circuit)
    town.call.do(f"{TOWN}/circuits/{circuit}/power", {"on": False})
    town.run(20)
    assert town.call.get(f"{TOWN}/devices/{town.first.lamp.id}")["does"] == "unpowered"
    heard = len(town.server.heard)
    town.run(90)
    assert not [up for up in town.server.heard[heard:] if up.eui == town.first.device.dev_eui]
    town.call.do(f"{TOWN}/circuits/{circuit}/power", {"on": True})
    town.run(90)
    assert [up for up in town.server.heard[heard:] if up.eui == town.first.device.dev_eui]


def test_faults_of_a_servers_events_cannot_happen_here(joined: AirTown) -> None:
    for kind in ({"kind": "burst"}, {"kind": "strangers"}, {"kind": "clock-step", "of": "server", "seconds": 5}):
        answer = joined.call.do(f"{TOWN}/faults", kind)
        assert (answer.status_code, answer.json()["title"]) == (422, "Unsupported"), kind


def test_bytes_that_the_data_rate_does_not_carry_are_refused(joined: AirTown) -> None:
    path = f"{TOWN}/devices/{joined.first.lamp.id}"
    most = joined.call.get(path)["radio"]["most_bytes"]
    if most < 242:
        answer = joined.call.do(f"{path}/send", {"port": 5, "hex": "00" * (most + 1)})
        assert (answer.status_code, answer.json()["field"]) == (422, "hex")


@pytest.mark.parametrize(("data", "up", "said"), [
    ("0350ff0001", False, [Command("03 50 ff 00 01", "LinkADRReq", {
        "DataRate": "5", "TXPower": "0", "ChMask": "0000000011111111", "ChMaskCntl": "0", "NbTrans": "1"})]),
    ("0307", True, [Command("03 07", "LinkADRAns", {"ChannelMaskACK": "yes", "DataRateACK": "yes", "PowerACK": "yes"})]),
    ("06fe3f0d", True, [Command("06 fe 3f", "DevStatusAns", {"Battery": "254", "Margin": "-1 dB"}),
                         Command("0d", "DeviceTimeReq", {})]),
    ("0500d2ad84", False, [Command("05 00 d2 ad 84", "RXParamSetupReq", {
        "RX1DROffset": "0", "RX2DataRate": "0", "Frequency": "869.5 MHz"})]),
    ("0805", False, [Command("08 05", "RXTimingSetupReq", {"Delay": "5 s"})]),
    ("0d00000000", False, [Command("0d 00 00 00 00", "?", {})]),
    ("ff01", True, [Command("ff 01", "?", {})])])
def test_mac_commands_in_words(data: str, up: bool, said: list[Command]) -> None:
    assert commands(bytes.fromhex(data), up=up) == said


def test_every_command_that_a_device_obeys_has_a_name() -> None:
    for cid, length in mac.LENGTHS.items():
        if cid < 0x10:
            assert commands(bytes([cid, *bytes(length)]), up=False)[0].name[:2] != "0x"
