"""Line protocol: read back by a parser of its own, an entry says what its readings said, and nothing else."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.quantities import (
    DEVICE_DEBUG,
    DEVICE_UPLINKS,
    LAMP_DALI_STATUS,
    LAMP_FAILURE,
    LAMP_LEVEL,
    LAMP_POWER,
    LAMP_REASON,
    LAMP_RELAY_CLOSED,
    RADIO_FCNT,
    RADIO_RSSI,
    Kind,
    quantities,
    quantity,
    raw,
)
from city.readings import Entry, Place, Quality, Reading
from city.store.lines import FRAME, FRAME_FIELDS, Writer, column, lines, tag
from decoders.catalog import catalog, vectors_path
from decoders.vectors import load

PLACE = Place(TenantId("ahausen"), AssetId("L-0001"), "lamp", ZoneId("Altstadt"), CircuitId("K1"),
              DevEui("70b3d5e75e000001"))
AT = 1_769_000_000_123_456_789


def entry(*readings, place=PLACE):
    return Entry.of(place, AT, "up:1", tuple(
        Reading(place, quantity, value, AT, channel, quality) for quantity, value, channel, quality in readings))


def good(quantity, value, channel=""):
    return quantity, value, channel, Quality.GOOD


def test_one_line_for_a_measurement_with_every_type():
    said = lines(entry(good(LAMP_LEVEL, 40.0), good(LAMP_DALI_STATUS, 4), good(LAMP_FAILURE, False),
                       good(LAMP_REASON, "manual"), good(RADIO_RSSI, -101.5)))
    tags = b"asset=L-0001,circuit=K1,device=70b3d5e75e000001,tenant=ahausen,zone=Altstadt"
    assert said == [
        b"lamp," + tags + b' level=40.0,dali_status=4i,failure=false,reason="manual" 1769000000123456789',
        b"radio," + tags + b" rssi=-101.5 1769000000123456789"]


def test_a_part_of_the_asset_is_a_tag_and_a_facet_of_the_device_a_field():
    said = lines(entry(good(LAMP_LEVEL, 25.0, "dali-9"), good(LAMP_LEVEL, 50.0), good(DEVICE_UPLINKS, 7, "dr5"),
                       good(DEVICE_UPLINKS, 9, "dr0")))
    assert len(said) == 3
    assert b",channel=dali-9 level=25.0 " in said[0]
    assert b",channel=" not in said[1]
    assert b" uplinks_dr5=7i,uplinks_dr0=9i " in said[2]
    assert column(DEVICE_UPLINKS, "dr5") == ("device", "uplinks_dr5")
    assert column(LAMP_LEVEL, "dali-9") == ("lamp", "level")


def test_implausible_readings_are_not_sent_and_late_ones_are():
    assert lines(entry((LAMP_LEVEL, 140.0, "", Quality.IMPLAUSIBLE))) == []
    assert len(lines(entry((LAMP_LEVEL, 40.0, "", Quality.LATE)))) == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_influxdb_cannot_say_are_left_out(value):
    assert lines(entry(good(LAMP_POWER, value))) == []
    assert lines(entry(good(RADIO_FCNT, 2**63))) == []


def test_a_float_quantity_stays_a_float_even_where_the_log_gives_an_int():
    assert b" level=40.0 " in lines(entry(good(LAMP_LEVEL, 40)))[0]


def test_a_reading_that_the_frame_dates_has_its_own_line():
    two = entry(good(LAMP_LEVEL, 40.0), good(LAMP_POWER, 31.5))
    dated = Entry.of(two.place, two.at_ns, two.key, (two.readings[0], msgspec.structs.replace(two.readings[1], at_ns=AT - 1)))
    assert [line.rsplit(b" ", 1)[1] for line in lines(dated)] == [b"%d" % AT, b"%d" % (AT - 1)]


def test_a_lamp_without_a_circuit_has_no_such_tag():
    assert b"circuit" not in lines(entry(good(LAMP_LEVEL, 1.0), place=replace(PLACE, circuit=None)))[0]


def test_every_quantity_has_a_plain_name_and_one_type():
    """What InfluxDB would have to escape is not in the table, and no field has two types."""
    kinds: dict[tuple[str, str], Kind] = {}
    for row in quantities():
        measurement, field = column(row)
        assert (measurement + field).replace("_", "").isalnum()
        assert kinds.setdefault((measurement, field), row.kind) is row.kind


texts = st.text(st.characters(codec="utf-8"), max_size=40)
values = st.sampled_from(list(quantities())).flatmap(lambda row: st.tuples(st.just(row), {
    Kind.FLOAT: st.floats(allow_nan=False, allow_infinity=False), Kind.INT: st.integers(-2**63, 2**63 - 1),
    Kind.BOOL: st.booleans(), Kind.TEXT: texts}[row.kind], st.one_of(st.just(""), texts)))


@given(values, texts.filter(bool))
def test_what_is_written_is_what_was_said(value, zone):
    row, said, channel = value
    place = replace(PLACE, zone=ZoneId(zone))
    [line] = lines(entry(good(row, said, channel), place=place))
    measurement, tags, fields, at = parse(line.decode())
    assert (measurement, at) == (row.measurement, AT)
    assert tags.get("zone", "") == unescaped(tag(zone))
    [(field, read)] = fields.items()
    assert read == said
    assert type(read) is type(said)
    assert field.startswith(row.field)


@given(texts)
def test_a_tag_never_ends_in_a_backslash_nor_breaks_the_line(text):
    written = tag(text)
    assert not written.endswith("\\")
    assert all(char.isprintable() for char in written)


@given(texts)
def test_debug_bytes_come_through_quotes_and_backslashes(text):
    [line] = lines(entry(good(DEVICE_DEBUG, text)))
    assert parse(line.decode())[2] == {"debug": text}


def test_raw_readings_are_fields_of_their_models_own_measurement():
    said = lines(entry(*(good(m.quantity, m.value) for m in (
        raw("acme/x1", "temp", 21.5), raw("acme/x1", "temp", "warm"), raw("acme/x1", "temp", True),
        raw("acme/x1", "sensor.t 1", 4)))))
    tags = b"asset=L-0001,circuit=K1,device=70b3d5e75e000001,tenant=ahausen,zone=Altstadt"
    assert said == [b"raw/acme/x1," + tags + b' temp=21.5,temp:text="warm",temp:flag=true,sensor.t\\ 1=4.0 1769000000123456789']
    assert column(quantity("raw/acme/x1.temp:text")) == ("raw/acme/x1", "temp:text")
    assert column(quantity("raw/acme/x1.sensor.t 1")) == ("raw/acme/x1", "sensor.t 1")


@pytest.mark.parametrize("name", ["time", "zone", "device", "_time", "zone_"])
def test_a_raw_name_that_is_taken_in_influxdb_gets_another_one_of_its_own(name):
    names = {column(raw("acme/x1", leaf, 1.0).quantity)[1] for leaf in (name, f"{name}_")}
    assert names == {f"{name}_", f"{name}__"}


awkward = st.text('a,= "\'\t;#\u2028{}[]:.é', min_size=1, max_size=20)
leaves = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60) | awkward


@given(leaves, st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.booleans(), texts), leaves)
def test_no_raw_name_breaks_a_line(leaf, value, other):
    try:
        said = [raw("acme/x1", name, given) for name, given in ((leaf, value), (other, 1.5))]
    except KeyError:  # no name at all
        return
    [line] = lines(entry(*(good(item.quantity, item.value) for item in said)))
    measurement, tags, fields, at = parse(line.decode())
    assert (measurement, tags["zone"], at) == ("raw/acme/x1", "Altstadt", AT)
    expected = {column(item.quantity)[1]: item.value for item in said}
    assert fields == expected
    assert all(char.isprintable() for name in fields for char in name)


def unescaped(text):
    return text.replace(r"\,", ",").replace(r"\=", "=").replace(r"\ ", " ")


def parse(line):
    """A reader of line protocol that shares nothing with the writer."""
    head, rest = split(line, " ")
    measurement, *pairs = all_of(head, ",")
    fields, at = {}, ""
    while rest:
        name, rest = split(rest, "=")
        if rest.startswith('"'):
            value, rest = quoted(rest[1:])
        else:
            end = min(i for i in (rest.find(","), rest.find(" ")) if i >= 0)
            value, rest = typed(rest[:end]), rest[end:]
        fields[unescaped(name)] = value
        if rest.startswith(" "):
            at, rest = rest[1:], ""
        rest = rest[1:]
    tags = dict(split(pair, "=") for pair in pairs)
    return measurement, {key: unescaped(value) for key, value in tags.items()}, fields, int(at)


def split(text, mark):
    for i, char in enumerate(text):
        if char == mark and (i == 0 or text[i - 1] != "\\"):
            return text[:i], text[i + 1:]
    return text, ""


def all_of(text, mark):
    parts = []
    while text:
        part, text = split(text, mark)
        parts.append(part)
    return parts


def quoted(text):
    out, i = "", 0
    while text[i] != '"':
        i += text[i] == "\\"
        out += text[i]
        i += 1
    return out, text[i + 1:]


def typed(text):
    if text in ("true", "false"):
        return text == "true"
    return int(text[:-1]) if text.endswith("i") else float(text)


@pytest.mark.parametrize("model", sorted(catalog()))
def test_a_device_is_few_series_whatever_it_says(model):
    """Everything its maker's documents have it say makes at most ten series, parts of the asset and its frames included."""
    each = [framed(entry(*[good(quantity(name), quantity(name).typed(value), channel) for key, value in vector.reads.items()
                           for name, _, channel in [key.partition("@")]]), number % 220 + 1, bytes([number % 256]))
            for number, vector in enumerate(load(vectors_path(model)).uplinks) if vector.reads]
    each.append(framed(entry(good(RADIO_FCNT, 1), good(RADIO_RSSI, -100.0)), 1, b""))  # what the network says of each frame
    series = [{line.partition(b" ")[0] for line in lines(one, frames=True)} for one in each]
    whole = {one for its in series for one in its if b",channel=" not in one}
    parts = [{one for one in its if b",channel=" in one} for its in series]
    assert 3 <= len(whole) <= 5
    assert len(whole) + max(map(len, parts)) <= 10  # the parts that a device speaks of in one frame are all that it has
    assert len(set.union(*parts)) <= 7  # the examples are of several devices


def test_relays_that_say_nothing_else_are_fields():
    [line] = lines(entry(*(good(LAMP_RELAY_CLOSED, number == 3, f"relay-{number}") for number in (1, 3)), good(LAMP_LEVEL, 40.0)))
    assert b" relay_closed_relay-1=false,relay_closed_relay-3=true,level=40.0 " in line
    assert column(LAMP_RELAY_CLOSED, "relay-3") == ("lamp", "relay_closed_relay-3")
    assert column(LAMP_LEVEL, "relay-3") == ("lamp", "level")


TAGS = b"asset=L-0001,circuit=K1,device=70b3d5e75e000001,tenant=ahausen,zone=Altstadt"


def test_a_frame_is_a_point_beside_its_readings():
    whole = framed(entry(good(RADIO_FCNT, 4711), good(LAMP_LEVEL, 40.0)), 10, b"\x28\x01\xff")
    assert lines(whole) == lines(entry(good(RADIO_FCNT, 4711), good(LAMP_LEVEL, 40.0)))
    assert lines(whole, frames=True) == [*lines(whole), b'frame,' + TAGS + b' port=10i,hex="2801ff",fcnt=4711i %d' % AT]


@pytest.mark.parametrize(("port", "data", "said"), [
    (10, b"", b'port=10i,hex=""'), (0, b"\x02", b'port=0i,hex="02"'), (255, b"\x00" * 242, b'port=255i,hex="%s"' % (b"0" * 484))])
def test_a_frame_that_nothing_could_be_read_from_is_one_too(port, data, said):
    whole = framed(entry(), port, data)
    assert lines(whole, frames=True) == [b"frame," + TAGS + b" " + said + b" %d" % AT]


def test_what_was_no_frame_makes_none():
    whole = entry(good(LAMP_LEVEL, 40.0))
    assert lines(whole, frames=True) == lines(whole)
    assert Writer(frames=True).block(whole) == Writer().block(whole)


def test_a_counter_that_is_not_to_be_believed_is_not_the_frames():
    whole = framed(entry((RADIO_FCNT, 7, "", Quality.IMPLAUSIBLE)), 1, b"\x01")
    assert lines(whole, frames=True) == [b"frame," + TAGS + b' port=1i,hex="01" %d' % AT]


def test_every_field_of_a_frame_has_the_type_that_is_said_of_it():
    [line] = lines(framed(entry(), 1, b"\x01"), frames=True)
    [*_, counted] = lines(framed(entry(good(RADIO_FCNT, 7)), 1, b"\x01"), frames=True)
    for one in (line, counted):
        measurement, _, fields, _ = parse(one.decode())
        assert measurement == FRAME
        assert all(type(value) is {Kind.INT: int, Kind.TEXT: str}[FRAME_FIELDS[name]] for name, value in fields.items())
    assert set(fields) == set(FRAME_FIELDS)


def framed(whole, port, data):
    return msgspec.structs.replace(whole, f_port=port, data=data)


shapes = st.lists(st.lists(values, max_size=8), min_size=1, max_size=6)
WRITER, FRAMES = Writer(), Writer(frames=True)


@given(shapes, st.sampled_from([PLACE, replace(PLACE, zone=ZoneId("100 % Süd"), circuit=None)]), st.integers(0, 255),
       st.binary(max_size=242))
def test_the_fast_way_writes_the_same(said, place, port, data):
    for one in said:
        whole = framed(entry(*(good(row, value, channel) for row, value, channel in one), place=place), port, data)
        for writer, frames in ((WRITER, False), (FRAMES, True)):
            found = lines(whole, frames=frames)
            assert writer.block(whole) == (b"\n".join(found), len(found))


@pytest.mark.parametrize("odd", [
    good(LAMP_POWER, float("nan")), good(LAMP_POWER, float("inf")), good(RADIO_FCNT, 2**63), good(RADIO_FCNT, -2**64),
    (LAMP_LEVEL, 140.0, "", Quality.IMPLAUSIBLE), (LAMP_LEVEL, 40.0, "", Quality.LATE)])
def test_the_fast_way_leaves_out_what_influxdb_cannot_say(odd):
    writer = Writer()
    for whole in (entry(good(LAMP_POWER, 1.5), good(RADIO_FCNT, 7)), entry(good(LAMP_POWER, 1.5), odd)):
        assert writer.block(whole) == (b"\n".join(lines(whole)), len(lines(whole)))


def test_the_fast_way_forgets_what_becomes_too_much():
    writer = Writer(places=10, shapes=3)
    for number in range(50):
        whole = entry(*[good(LAMP_LEVEL, 1.0, f"dali-{number}")], place=replace(PLACE, asset=AssetId(f"L-{number}")))
        assert writer.block(whole)[0] == lines(whole)[0]


def test_the_fast_way_knows_a_place_again_that_is_made_anew():
    writer = Writer(places=3)
    for number in range(30):
        again = replace(PLACE, asset=AssetId(f"L-{number % 3}"))
        whole = entry(good(LAMP_LEVEL, 1.0), good(LAMP_POWER, float(number)), place=again)
        assert writer.block(whole)[0] == lines(whole)[0]
