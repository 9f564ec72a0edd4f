"""What the vectors of the parking sensors cannot say: what is never told or kept, whole ranges, the device's side."""

from itertools import pairwise

import pytest

from city.errors import Invalid, Refused, Unsupported
from city.orders import Parameters
from city.quantities import (
    BAY_NUMBER,
    BAY_OCCUPIED,
    BAY_PREVIOUS_MINUTES,
    DEVICE_BATTERY_VOLTAGE,
    DEVICE_BOOT,
    DEVICE_COUNTER,
    DEVICE_DEBUG,
    DEVICE_ECHO,
    DEVICE_EVENT,
    DEVICE_FIRMWARE,
    DEVICE_HARDWARE,
    DEVICE_HEARTBEAT,
    DEVICE_REJECTED,
    DEVICE_SETTING,
    DEVICE_TEMPERATURE,
)
from decoders.catalog import catalog, vectors_path
from decoders.codec import Frame, TracedFrame
from decoders.devices import libelium_smartparking, netvox_r719a, nwave_nps405, tekzitel_tekzipark
from decoders.vectors import load, reads_of

PARKING = ("bosch/tps110", "bosch/tpl110", "nwave/nps405", "nwave/nps310", "libelium/smartparking", "tekzitel/tekzipark",
           "moko/lw009")
PERSONAL = [("nwave/nps405", 10, "d1 20 1f345678", "d1 00 00000000"), ("nwave/nps405", 10, "d1 1f345678", "d1 00000000"),
            ("nwave/nps405", 10, "d1 1f", "d1 00"), ("nwave/nps405", 10, "", ""),
            ("tekzitel/tekzipark", 1, "a4 14 07 c4 1234 5678", "a0 14 07 00 0000 0000"),
            ("tekzitel/tekzipark", 1, "a4 14", "a0 14"), ("tekzitel/tekzipark", 1, "", ""),
            ("tekzitel/tekzipark", 2, "a4 14 07 01fe7f 800304 00 05 0a", "a0 14 07 01fe7f 800304 00 05 0a")]


@pytest.mark.parametrize(("model", "port", "data", "kept"), PERSONAL)
def test_what_is_about_persons_is_not_kept(model, port, data, kept):
    frame = Frame(port, bytes.fromhex(data))
    assert catalog()[model].keepable(frame) == bytes.fromhex(kept)


@pytest.mark.parametrize(("model", "port", "data", "hidden"), [
    ("nwave/nps405", 10, "d1 e7 1f345678", ("1f 34", "e7", "231", "1f345678", "523523704")),
    ("tekzitel/tekzipark", 1, "a0 14 07 c4 1234 5678", ("c4", "12 34", "56 78", "4660", "-60"))])
def test_what_is_about_persons_is_neither_told_nor_shown(model, port, data, hidden):
    frame = TracedFrame(port, bytes.fromhex(data))
    told = " ".join(str(said.value) for said in catalog()[model].decode_uplink(frame))
    shown = " ".join(f"{field.hex} {field.value} {field.meaning}" for field in frame.trace)
    assert not [secret for secret in hidden if secret in told.split() or secret in shown]
    kept = Frame(port, catalog()[model].keepable(frame))
    assert catalog()[model].decode_uplink(kept) == catalog()[model].decode_uplink(frame)


@pytest.mark.parametrize("model", [model for model in PARKING if model not in ("nwave/nps405", "tekzitel/tekzipark")])
def test_all_else_is_kept_as_it_is(model):
    for vector in load(vectors_path(model)).uplinks:
        assert catalog()[model].keepable(vector.frame) == vector.frame.data


@pytest.mark.parametrize("model", [*PARKING, "pni/placepod", "stadtfunk/bay"])
def test_whoever_tells_a_state_tells_whether_it_changed(model):
    for vector in load(vectors_path(model)).uplinks:
        assert vector.reads is None or "bay.occupied" not in vector.reads or "device.heartbeat" in vector.reads


def test_an_r719a_does_not_tell_whether_it_changed_and_names_that_gap():
    codec = catalog()["netvox/r719a"]
    assert not [vector for vector in load(vectors_path(codec.model)).uplinks if "device.heartbeat" in (vector.reads or {})]
    assert any("device.heartbeat" in gap for gap in codec.leaves_open)


def test_a_tpl110_speaks_as_a_tps110():
    for vector in load(vectors_path("bosch/tps110")).uplinks:
        if vector.reads is not None:
            assert reads_of(catalog()["bosch/tpl110"].decode_uplink(vector.frame)) == vector.reads


def test_each_minute_comes_back_within_the_error_that_is_told():
    for minutes in range(2_000):
        least, error = nwave_nps405.lasted(nwave_nps405.compressed(minutes))
        assert least <= minutes
        assert (minutes >= 660) if error is None else (minutes <= least + error)
    assert all(nwave_nps405.compressed(nwave_nps405.lasted(raw)[0]) == raw for raw in range(128))
    assert all(nwave_nps405.lasted(one)[0] < nwave_nps405.lasted(next_)[0] for one, next_ in pairwise(range(128)))


def test_every_status_of_an_nps405_is_said_again():
    for raw in range(256):
        frame = Frame(1, bytes([raw]))
        assert nwave_nps405.encode_uplink(1, nwave_nps405.decode_uplink(frame)) == frame


@pytest.mark.parametrize("rest", ["00" * 9, "ff" * 9, "00" * 10, "ff" * 10])
def test_a_libelium_tells_its_state_and_counter_whatever_follows(rest):
    for raw in range(256):
        frame = Frame(5, bytes([raw, raw ^ 0xA5]) + bytes.fromhex(rest))
        said = libelium_smartparking.decode_uplink(frame)
        told = reads_of(said)
        assert (told["bay.occupied"], told["device.battery_low"]) == (raw >= 0x80, raw & 0x40 != 0)
        assert (told["device.heartbeat"], told["device.counter"]) == (raw & 0x0F != 0, raw ^ 0xA5)
        assert libelium_smartparking.decode_uplink(libelium_smartparking.encode_uplink(5, said)) == said


def test_a_libelium_of_eleven_bytes_is_written_bit_for_bit():
    for raw in range(256):
        frame = Frame(1, bytes([raw, 7, 0, 200, *range(7)]))
        assert libelium_smartparking.encode_uplink(1, libelium_smartparking.decode_uplink(frame)) == frame


def test_settings_of_a_tekzipark_fill_eight_bytes_and_never_overlap():
    zero = dict.fromkeys(tekzitel_tekzipark.SETTING_NAMES, 0)
    bits = {name: width for fields in tekzitel_tekzipark.LAYOUT for name, width in fields}
    alone = [int.from_bytes(tekzitel_tekzipark.encode_downlink(settings(zero | {name: (1 << width) - 1})).data)
             for name, width in bits.items()]
    assert len(alone) == 27
    assert sum(alone) == 2**64 - 1
    for name, width in bits.items():
        for beyond in (1 << width, -1):
            with pytest.raises(Invalid):
                tekzitel_tekzipark.encode_downlink(settings(zero | {name: beyond}))


def settings(values: dict[str, int]) -> Parameters:
    return Parameters(tuple(sorted(values.items())))


@pytest.mark.parametrize(("order", "accepted"), [
    ({"min_time": 900, "max_time": 1800, "battery_change": 1}, "8159000000000000000000"),
    ({"detect_threshold": 20}, "8359000000000000000000"),
    ({"read_report": 1}, "8259038407080100000000"), ({"read_threshold": 1}, "8459001400000000000000")])
def test_an_r719a_confirms_the_order_that_its_answer_names(order, accepted):
    codec = netvox_r719a.CODEC
    sent = codec.encode_downlink(settings(order))
    said = reads_of(codec.decode_uplink(Frame(7, bytes.fromhex(accepted))))
    assert said["device.echo"] == codec.echo(sent)
    others = [codec.echo(codec.encode_downlink(settings({name: 1}))) for name in ("detect_threshold", "read_report",
              "read_threshold") if name not in order]
    assert said["device.echo"] not in others


@pytest.mark.parametrize(("model", "port", "said"), [
    ("nwave/nps405", 1, [BAY_OCCUPIED(True)]), ("nwave/nps405", 2, [BAY_OCCUPIED(True)]), ("nwave/nps405", 4, []),
    ("nwave/nps405", 1, [BAY_OCCUPIED(True), BAY_PREVIOUS_MINUTES(float("nan"))]),
    ("nwave/nps405", 3, [BAY_OCCUPIED(True), DEVICE_FIRMWARE("2.4"), DEVICE_BOOT("power-on")]),
    ("nwave/nps405", 3, [BAY_OCCUPIED(True), DEVICE_FIRMWARE("2.4.9"), DEVICE_BOOT("boredom")]),
    ("nwave/nps405", 3, [BAY_OCCUPIED(True), DEVICE_FIRMWARE("2.4.9"), DEVICE_BOOT("code-256")]),
    ("nwave/nps310", 1, []), ("nwave/nps310", 6, [DEVICE_DEBUG("x")]), ("nwave/nps310", 10, []),
    ("libelium/smartparking", 1, [BAY_OCCUPIED(True)]), ("libelium/smartparking", 0, [BAY_OCCUPIED(True)]),
    ("libelium/smartparking", 1, [BAY_OCCUPIED(True), DEVICE_COUNTER(256)]),
    ("libelium/smartparking", 1, [BAY_OCCUPIED(True), DEVICE_COUNTER(1), DEVICE_EVENT("party")]),
    ("libelium/smartparking", 1, [BAY_OCCUPIED(True), DEVICE_COUNTER(1), DEVICE_DEBUG("00")]),
    ("tekzitel/tekzipark", 1, [BAY_OCCUPIED(True)]), ("tekzitel/tekzipark", 3, [BAY_OCCUPIED(True)]),
    ("tekzitel/tekzipark", 2, [BAY_OCCUPIED(True), DEVICE_TEMPERATURE(20), BAY_NUMBER(7)]),
    ("netvox/r719a", 6, [BAY_OCCUPIED(True)]), ("netvox/r719a", 6, [BAY_OCCUPIED(True), DEVICE_BATTERY_VOLTAGE(12.8)]),
    ("netvox/r719a", 6, [DEVICE_FIRMWARE("10.0"), DEVICE_HARDWARE("11"), DEVICE_DEBUG("00" * 7)]),
    ("netvox/r719a", 7, []), ("netvox/r719a", 7, [DEVICE_ECHO("7:05")]), ("netvox/r719a", 7, [DEVICE_ECHO("7:x")]),
    ("netvox/r719a", 7, [DEVICE_ECHO("7:02"), DEVICE_SETTING(60, "min_time")]), ("netvox/r719a", 7, [DEVICE_REJECTED("7")]),
    ("netvox/r719a", 8, [BAY_OCCUPIED(True)]),
    ("moko/lw009", 1, []), ("moko/lw009", 2, []), ("moko/lw009", 1, [DEVICE_COUNTER(1), DEVICE_DEBUG("aa")]),
    ("moko/lw009", 1, [DEVICE_COUNTER(1), DEVICE_HEARTBEAT(True), DEVICE_EVENT("party")]),
])
def test_the_device_side_refuses_what_no_frame_says(model, port, said):
    with pytest.raises((Unsupported, Invalid)):
        catalog()[model].encode_uplink(port, said)


@pytest.mark.parametrize(("model", "said", "data"), [
    ("nwave/nps405", [BAY_OCCUPIED(True), BAY_PREVIOUS_MINUTES(74.0)], "95"),
    ("libelium/smartparking", [BAY_OCCUPIED(True), DEVICE_COUNTER(9), DEVICE_TEMPERATURE(-3)], "800900fd00000000000000"),
    ("tekzitel/tekzipark", [BAY_OCCUPIED(True), DEVICE_TEMPERATURE(20), BAY_NUMBER(7)], "a01407"),
    ("moko/lw009", [BAY_OCCUPIED(True), DEVICE_COUNTER(9), DEVICE_HEARTBEAT(False)], "00000000000000090006000002010c320101")])
def test_a_simulated_sensor_says_what_it_knows(model, said, data):
    assert catalog()[model].encode_uplink(1, said).data.hex() == data


def test_settings_by_other_names_are_refused_with_the_names_there_are():
    for model in ("netvox/r719a", "tekzitel/tekzipark"):
        with pytest.raises(Refused, match="has these parameters"):
            catalog()[model].encode_downlink(Parameters((("colour", 1),)))
