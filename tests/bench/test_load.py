"""The bench's load is what it says it is, and its instruments count rightly: else its figures are void."""

import struct
from datetime import UTC, datetime, timedelta

import pytest

from bench._load import in_python
from bench._load.lamps import MODEL, Lamps, write_records
from bench._load.loader import latencies, percentile
from bench._peers.nodered import flow
from city.imports import parse as parse_list
from decoders.catalog import catalog
from decoders.codec import Frame
from gateway_bridge.events import parse

START = datetime(2026, 11, 1, tzinfo=UTC)


def events(count=250, lamps=100):
    return [parse(event.topic, event.payload) for event in Lamps(lamps).events(count, START)]


def test_every_lamp_is_registered_with_its_device():
    rows, problems = parse_list(Lamps(300).csv(), catalog())
    assert not problems
    assert {row.dev_eui for row in rows} == {event.device for event in events(300, 300)}
    assert {row.model for row in rows} == {MODEL}


def test_lamps_report_in_turn_with_times_and_counters_of_their_own():
    seen = events()
    assert len({event.device for event in seen[:100]}) == 100
    assert [event.device for event in seen[:100]] == [event.device for event in seen[100:200]]
    assert seen[100].f_cnt == seen[0].f_cnt + 1
    assert 600 < (seen[100].at_ns - seen[0].at_ns) / 1e9 < 1200
    assert len({event.key for event in seen}) == len({(event.device, event.at_ns) for event in seen}) == 250
    assert [event.device for event in seen[:100]] != sorted(event.device for event in seen[:100])


def test_a_report_says_what_a_real_lamp_says():
    for event in events():
        said = {measurement.quantity.name: measurement.value
                for measurement in catalog()[MODEL].decode_uplink(Frame(event.f_port, event.data))}
        assert len(said) == 17
        assert said["device.clock"] == event.at_ns // 10**9
        assert said["lamp.relay_closed"] is (said["lamp.level"] > 0)


def test_a_town_hears_each_lamp_by_one_to_three_gateways():
    heard = [event.gateways for event in events(1000, 50)]
    assert set(heard) == {1, 2, 3}
    assert 0.7 < heard.count(1) / 1000 < 0.9


def test_the_same_seed_gives_the_same_events():
    assert list(Lamps(20).events(50, START)) == list(Lamps(20).events(50, START))
    assert list(Lamps(20).events(50, START)) != list(Lamps(20).events(50, START + timedelta(seconds=1)))


def test_records_come_out_as_packets(tmp_path):
    published = list(Lamps(5).events(10, START))
    write_records(tmp_path / "records", published)
    packets = list(in_python._packets(tmp_path / "records"))
    assert len(packets) == 10
    for number, (packet, event) in enumerate(zip(packets, published, strict=True), start=1):
        assert packet[0] == 0x32
        assert packet.endswith(struct.pack(">H", number) + event.payload)
        assert event.topic.encode() in packet


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 1000])
def test_the_relay_counts_acknowledgements_however_they_are_cut(step):
    subscribe = b"\x82" + b"\xc8\x01" + b"\x40" * 200  # 200 bytes that look like acknowledgements and are none
    stream = b"".join([b"\x10\x02ab", subscribe, b"\x40\x02\x00\x01", b"\xc0\x00", b"\x40\x03\x00\x02\x00", b"\x40\x02\x00\x03"])
    noted, held = [], b""
    for at in range(0, len(stream), step):
        held = in_python._note(held + stream[at:at + step], struct.pack("<d", at), noted.append)
    assert len(noted) == 3
    assert held == b""


def test_latencies_pair_the_nth_event_with_the_nth_acknowledgement(tmp_path):
    (tmp_path / "due").write_bytes(struct.pack("<3d", 10.0, 10.1, 10.2))
    (tmp_path / "done").write_bytes(struct.pack("<4d", 9.0, 10.005, 10.103, 10.3))  # the first is the bridge's own
    found = latencies(tmp_path / "due", tmp_path / "done")
    assert found == pytest.approx([3.0, 5.0, 100.0])
    assert percentile(found, 0.5) == pytest.approx(5.0)


def test_latencies_without_every_acknowledgement_are_void(tmp_path):
    (tmp_path / "due").write_bytes(struct.pack("<3d", 10.0, 10.1, 10.2))
    (tmp_path / "done").write_bytes(struct.pack("<2d", 10.005, 10.103))
    with pytest.raises(AssertionError, match="void"):
        latencies(tmp_path / "due", tmp_path / "done")


def test_a_flow_of_node_red_is_wired_and_has_no_name_that_it_takes_for_another_node():
    nodes = flow(1883, 8086, "lamps", "3.1.1")
    ids = {node["id"] for node in nodes}
    wired = {target for node in nodes for output in node.get("wires", []) for target in output}
    assert wired < ids
    assert not ids & {node.get("name") for node in nodes}
    assert all("x" in node for node in nodes if "z" in node)
