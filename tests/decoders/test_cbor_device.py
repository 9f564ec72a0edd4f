"""docs/reference/cbor-device.md and the codecs of our own devices agree, and the encoding is as strict as it says."""

import json
import re
from itertools import pairwise
from pathlib import Path

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.errors import DecodeError, Invalid, OutOfRange, Trailing, Truncated
from city.orders import MulticastGroup, from_json
from city.quantities import DEVICE_ECHO, DEVICE_REJECTED
from decoders import vectors
from decoders.catalog import vectors_path
from decoders.codec import Frame, TracedFrame
from decoders.devices import _cbor, stadtfunk_bay, stadtfunk_lamp
from decoders.devices._cbor_fields import Chosen, Number
from decoders.devices._cbor_orders import COMMANDS
from decoders.vectors import reads_of

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "cbor-device.md").read_text(encoding="utf-8")
CODECS = {module.CODEC.model: module.CODEC for module in (stadtfunk_lamp, stadtfunk_bay)}
SPEECHES = {"lamp-keys": stadtfunk_lamp.SPEECH, "bay-keys": stadtfunk_bay.SPEECH}
EXAMPLES = re.findall(r"^### ([^\n]+)\n\n```cbor\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
(CDDL,) = re.findall(r"^```cddl\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
KEY = "82840c7056429b143d21974557f93a53"
LEAF = st.integers(-2**64, 2**64 - 1) | st.binary(max_size=9) | st.text(max_size=9) | st.booleans() | st.none()
VALUE = LEAF | st.lists(LEAF, max_size=5) | st.dictionaries(st.integers(0, 2**64 - 1), LEAF, max_size=5)
MESSAGE = st.dictionaries(st.integers(0, 2**64 - 1), VALUE, max_size=30)


def read(data: bytes) -> dict:
    return _cbor.read_map(Frame(1, data), str)


def group(name: str) -> dict[int, tuple[str, str]]:
    """The keys of a group of the CDDL: what each may be, and its name."""
    (body,) = re.findall(rf"^{name} = \(\n(.*?)^\)", CDDL, re.MULTILINE | re.DOTALL)
    return {int(key): (kind.strip().rstrip(","), word)
            for key, kind, word in re.findall(r"^  \? (\d+) => (.+?) *; ([\w-]+)", body, re.MULTILINE)}


@pytest.mark.parametrize(("title", "text"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_each_example_of_the_page_is_what_the_codec_reads_and_writes(title, text):
    assert title
    head, notation, *lines = text.splitlines()
    model, way, port, length = re.fullmatch(r"(\S+), (\w+), FPort (\d+), (\d+) bytes", head).groups()
    data = bytes.fromhex("".join(line.partition("#")[0] for line in lines[:-1]))
    frame, codec, means = Frame(int(port), data), CODECS[model], lines[-1].removeprefix("= ")
    assert len(data) == int(length)
    assert _cbor.shown(cbor2.loads(data)) == notation
    assert cbor2.dumps(cbor2.loads(data), canonical=True) == data
    if way == "downlink":
        assert codec.decode_downlink(frame) == from_json(means)
        assert codec.encode_downlink(from_json(means)) == frame
    else:
        said = codec.decode_uplink(frame)
        assert reads_of(said) == json.loads(means)
        assert codec.encode_uplink(frame.port, said) == frame


def test_there_are_examples_of_both_models_and_both_ways():
    assert len(EXAMPLES) >= 8
    heads = {tuple(text.partition(", FPort")[0].split(", ")) for _, text in EXAMPLES}
    assert heads == {(model, way) for model in CODECS for way in ("uplink", "downlink")}


@pytest.mark.parametrize("name", SPEECHES)
def test_the_keys_names_and_bounds_of_the_cddl_are_the_codecs(name):
    told = group(name)
    assert list(told) == sorted(told)
    fields = SPEECHES[name].fields
    assert {key: word for key, (_, word) in told.items()} == {key: field.name for key, field in fields.items()}
    for key, field in fields.items():
        if type(field) is Number:
            assert told[key][0] == f"{field.low}..{field.high}", field.name
        if type(field) is Chosen:
            kinds = told[key][0].replace("bool", "0..1").split(" / ")
            spans = [range(int(low), int(high) + 1) for low, _, high in (kind.partition("..") for kind in kinds)]
            assert sorted(map(int, field.choices)) == [number for span in spans for number in span], field.name


@pytest.mark.parametrize(("model", "name"), [("lamp", "lamp-keys"), ("bay", "bay-keys")])
def test_what_an_fport_must_hold_by_the_cddl_is_what_the_codec_needs(model, name):
    told = {int(port): set(map(int, re.findall(r"\d+", keys)))
            for port, keys in re.findall(rf"^{model}-\w+ *= {model} +; FPort (\d) up, with (.+)$", CDDL, re.MULTILINE)}
    assert told == {port: set(one.needs) for port, one in SPEECHES[name].ports.items()}


def test_the_parts_of_a_lamp_in_the_cddl_are_the_codecs():
    (body,) = re.findall(r"^part = \{\n(.*?)^\}", CDDL, re.MULTILINE | re.DOTALL)
    told = {int(key): word for key, word in re.findall(r"^  \? (\d+) => .+?; ([\w-]+)", body, re.MULTILINE)}
    assert told == {key: field.name for key, field in stadtfunk_lamp.SPEECH.fields[24].fields.items()}
    assert stadtfunk_lamp.orders.PARTS.keys() == set(range(80))


@pytest.mark.parametrize(("model", "tongue"), [("lamp", stadtfunk_lamp.TONGUE), ("bay", stadtfunk_bay.TONGUE)])
def test_the_orders_of_the_cddl_are_the_codecs(model, tongue):
    numbers = {name: int(number) for name, number in re.findall(r"^([\w-]+) *= \( (\d+) =>", CDDL, re.MULTILINE)}
    for port, rule in ((10, "command"), (11, "setting")):
        (body,) = re.findall(rf"^{model}-{rule} = \{{(.*?)\}}", CDDL, re.MULTILINE | re.DOTALL)
        told = {numbers[name]: name for name in re.findall(r"[\w-]+", body)}
        assert told == {key: word.name for (at, key), word in tongue.words.items() if at == port}


@pytest.mark.parametrize(("model", "heading"), [("stadtfunk/lamp", "lamp"), ("stadtfunk/bay", "bay")])
def test_the_table_of_keys_is_complete(model, heading):
    (body,) = re.findall(rf"^## Keys of a {heading}'s uplinks\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    told = {int(key): name for key, name in re.findall(r"^\| (\d+) \| ([\w-]+) \|", body, re.MULTILINE)}
    assert told == {key: field.name for key, field in SPEECHES[f"{heading}-keys"].fields.items()}
    assert model in PAGE


@given(MESSAGE)
def test_we_write_what_another_encoder_calls_canonical_and_read_it_again(message):
    ordered = dict(sorted(message.items()))
    nested = {key: dict(sorted(value.items())) if isinstance(value, dict) else value for key, value in ordered.items()}
    data = _cbor.encoded(nested)
    assert data == cbor2.dumps(nested, canonical=True)
    if len(data) <= _cbor.LONGEST:
        assert read(data) == nested


@given(st.binary(max_size=40) | MESSAGE.map(cbor2.dumps).map(lambda data: data[:242]))
def test_what_is_read_has_no_other_encoding(data):
    try:
        message = read(data)
    except DecodeError:
        return
    assert _cbor.encoded(message) == data
    assert all(one < other for one, other in pairwise(message))


PLAIN = st.integers(-24, 2**32 - 1) | st.booleans() | st.binary(max_size=23) | st.text(max_size=5)
FLAT = st.dictionaries(st.integers(0, 255), PLAIN | st.lists(PLAIN, max_size=4) | st.dictionaries(
    st.integers(0, 255), PLAIN, max_size=4).map(lambda part: dict(sorted(part.items()))), max_size=12)
HEADS = st.sampled_from([0x00, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x20, 0x37, 0x38, 0xA0, 0xA1, 0xA2, 0xB7, 0xB8, 0xF4, 0xF5, 0xF6])


@given(FLAT)
def test_the_short_way_reads_the_plain_map_of_nearly_all_frames(message):
    flat = dict(sorted(message.items()))
    assert repr(_cbor.plain_map(_cbor.encoded(flat))) == repr(flat)


@pytest.mark.parametrize("data", [
    "", "a1", "a100", "a20001", "a10018", "a1001817", "a1001900ff", "a100190001", "a1001a0000ffff", "a1001a000100",
    "a1180000", "a10001 00", "a2010100 01", "a2000100 01", "00", "a100f6", "b800", "a100424f", "a1008201",
    "a10061ff", "a1006261", "a1008181818100", "a100a2010101 02", "a1001a00010000 00"])
def test_the_short_way_leaves_what_is_wrong_or_seldom_to_the_long_way(data):
    assert _cbor.plain_map(bytes.fromhex(data)) is None


@given(FLAT.map(lambda message: _cbor.encoded(dict(sorted(message.items())))), st.data())
def test_the_short_way_reads_nothing_that_the_long_way_refuses_or_reads_otherwise(data, draw):
    at, gone = draw.draw(st.integers(0, len(data))), draw.draw(st.integers(0, 3))
    changed = data[:at] + bytes(draw.draw(st.lists(HEADS | st.integers(0, 255), max_size=4))) + data[at + gone:]
    flat = _cbor.plain_map(changed)
    if flat is not None:
        assert repr(_cbor.read_map(TracedFrame(1, changed), str)) == repr(flat)


@pytest.mark.parametrize(("data", "error", "rule"), [
    ("bf0018280101ff", OutOfRange, "indefinite"), ("a1 00 9f01ff", OutOfRange, "indefinite"),
    ("a1 00 5f4101ff", OutOfRange, "indefinite"), ("a2 0001 0002", OutOfRange, "twice"),
    ("a2 0101 0002", OutOfRange, "ascend"), ("a1 00 1817", OutOfRange, "longer than"),
    ("a1 1800 01", OutOfRange, "longer than"), ("b801 0001", OutOfRange, "longer than"),
    ("a1 00 5801ff", OutOfRange, "longer than"), ("a1 00 f94200", OutOfRange, "float"),
    ("a1 00 fb3ff199999999999a", OutOfRange, "float"), ("a1 00 f97e00", OutOfRange, "float"),
    ("a1 00 c101", OutOfRange, "tag"), ("a1 00 c24101", OutOfRange, "tag"), ("d9d9f7 a10001", OutOfRange, "tag"),
    ("a1 00 f7", OutOfRange, "simple"), ("a1 00 f820", OutOfRange, "simple"), ("a1 20 01", OutOfRange, "keys"),
    ("a1 6100 01", OutOfRange, "keys"), ("a1 f4 01", OutOfRange, "keys"), ("a1 00 62c328", OutOfRange, "no CBOR"),
    ("a1 00 81818181 00", OutOfRange, "deep"), ("81" * 240 + "00", OutOfRange, "deep"), ("01", OutOfRange, "no map"),
    ("a10001 00", Trailing, "behind"), ("a20001", Truncated, "inside"), ("", Truncated, "inside"),
    ("a1 00 5b7fffffffffffffff", Truncated, "in"), ("ff", OutOfRange, "no CBOR"), ("a1001c", OutOfRange, "no CBOR"),
])
def test_what_is_not_deterministic_is_refused_by_the_rule_it_breaks(data, error, rule):
    with pytest.raises(error, match=rule):
        read(bytes.fromhex(data))


@pytest.mark.parametrize("tag", [
    "d823 64285b612d", "c4 82 1b7fffffffffffffff 01", "c5 82 1a7fffffff 01", "d81c 81 d81d 00", "d81e 82 01 00", "d824 6100",
    "c2 5820" + "ff" * 32, "d90102 80", "d825 50" + "00" * 16])
def test_tags_are_refused_before_anything_is_made_of_them(tag):
    with pytest.raises(OutOfRange):
        read(bytes.fromhex("a100" + tag.replace(" ", "")))


def test_a_frame_longer_than_lorawan_carries_is_refused():
    with pytest.raises(OutOfRange, match="longer than 242"):
        read(b"\xa1\x00\x59\x01\x00" + bytes(256))


@pytest.mark.parametrize("model", CODECS)
def test_a_device_confirms_each_downlink_by_a_hash_that_the_codec_foretells(model):
    codec = CODECS[model]
    for vector in vectors.load(vectors_path(model)).downlinks:
        if vector.order is None or vector.frame is None:
            continue
        answer = codec.encode_uplink(4, [DEVICE_ECHO(codec.echo(vector.frame))])
        (said,) = (one for one in codec.decode_uplink(answer) if one.quantity is DEVICE_ECHO)
        assert said.value == codec.echo(vector.frame)
        assert len(answer.data) <= 10
        other = Frame(vector.frame.port, vector.frame.data + b"\x00")
        assert codec.echo(other) != said.value


def test_keys_of_a_multicast_group_are_in_no_trace_echo_or_message():
    codec = CODECS["stadtfunk/lamp"]
    frame = codec.encode_downlink(MulticastGroup(1, "01020304", KEY, KEY))
    traced = TracedFrame(frame.port, frame.data)
    assert codec.decode_downlink(traced) == MulticastGroup(1, "01020304", KEY, KEY)
    assert b"".join(field.data for field in traced.trace) == frame.data
    shown = " ".join(f"{field.hex} {field.value} {field.meaning}" for field in traced.trace)
    assert KEY[:8] not in shown.replace(" ", "")
    assert KEY[:8] not in codec.echo(frame)
    for broken in (KEY[:-2], KEY[:-1], KEY + "00"):
        with pytest.raises(Invalid) as caught:
            codec.encode_downlink(MulticastGroup(1, "01020304", broken, KEY))
        assert KEY[:8] not in str(caught.value)


def test_a_refusal_names_the_port_and_the_code_as_the_bridge_reads_them():
    (said,) = CODECS["stadtfunk/lamp"].decode_uplink(Frame(4, bytes.fromhex("a116820b02")))
    assert said == DEVICE_REJECTED("11:02")
    assert str(said.value).partition(":")[0] != str(COMMANDS)


def test_a_trace_names_keys_and_values_in_diagnostic_notation():
    traced = TracedFrame(1, bytes.fromhex("a3001828010116820a4479b77e1f"))
    CODECS["stadtfunk/lamp"].decode_uplink(traced)
    assert [(field.name, field.meaning) for field in traced.trace] == [
        ("map", "3 entries"), ("key", "0, level"), ("level", "40"), ("key", "1, reason"), ("reason", "1"),
        ("key", "22, answer"), ("answer", "[10, h'79b77e1f']")]


def test_a_status_fits_the_slowest_data_rate_and_most_take_less_than_half():
    for model in CODECS:
        known = vectors.load(vectors_path(model)).uplinks
        sizes = sorted(len(vector.frame.data) for vector in known if vector.reads is not None)
        assert sizes[-2] <= 51
        assert sizes[len(sizes) // 2] < 25
