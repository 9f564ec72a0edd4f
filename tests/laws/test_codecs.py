"""What every codec keeps, over all that are found: vectors, cut and random frames, orders there and back, ranges."""

from datetime import UTC, datetime
from functools import cache
from math import isfinite
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city import orders
from city.errors import CityError, DecodeError, Invalid, Refused, Unsupported
from city.quantities import DEVICE_ECHO
from city.readings import NO_LASTS, Quality
from decoders import laws, vectors
from decoders.catalog import catalog, vectors_path
from decoders.codec import ANY_PORT, Codec, Frame, TracedFrame
from tests.examples import examples

MODELS = sorted(catalog())
ANY_FRAME = st.builds(Frame, st.integers(0, 255), st.binary(max_size=60))
LEVEL = st.integers(0, 100)
CHANNEL = st.sampled_from(["", "dali-0", "dali-63", "group-0", "group-15"])
OFF_OR = lambda values: st.none() | values  # noqa: E731
HEX = lambda count: st.binary(min_size=count, max_size=count).map(bytes.hex)  # noqa: E731
SUN_STEPS = st.lists(st.builds(orders.SunStep, st.integers(-128, 127).map(lambda raw: round(raw / 6 + 90, 2)), LEVEL),
                     max_size=15).map(tuple)
STEPS = st.lists(st.integers(0, 143), min_size=1, max_size=9, unique=True).flatmap(
    lambda tens: st.tuples(*[st.builds(orders.ProfileStep, st.just(ten * 10), OFF_OR(LEVEL)) for ten in sorted(tens)]))
ORDERS: dict[type, st.SearchStrategy] = {
    orders.SetLevel: st.builds(orders.SetLevel, LEVEL, OFF_OR(st.integers(1, 300)), CHANNEL),
    orders.Resume: st.builds(orders.Resume, CHANNEL),
    orders.ReadStatus: st.builds(orders.ReadStatus, st.booleans(), st.booleans(), st.booleans(), st.booleans()),
    orders.Reboot: st.just(orders.Reboot()),
    orders.StatusInterval: st.builds(orders.StatusInterval, st.integers(0, 90_000)),
    orders.UsageInterval: st.builds(orders.UsageInterval, st.integers(0, 2**32 - 1)),
    orders.Clock: st.builds(orders.Clock, OFF_OR(st.integers(1, 2**32 - 1).map(lambda s: datetime.fromtimestamp(s, UTC)))),
    orders.BootDelay: st.builds(orders.BootDelay, st.integers(0, 65535)),
    orders.FallbackLevel: st.builds(orders.FallbackLevel, LEVEL),
    orders.AlarmLimits: st.builds(orders.AlarmLimits, *[OFF_OR(st.integers(0, 65534))] * 4,
                                  OFF_OR(st.integers(0, 100).map(lambda raw: raw / 100))),
    orders.Position: st.builds(orders.Position, st.integers(-900_000_000, 900_000_000).map(lambda raw: raw / 1e7),
                               st.integers(-1_800_000_000, 1_800_000_000).map(lambda raw: raw / 1e7),
                               st.text(max_size=30)),
    orders.SunCalendar: st.builds(orders.SunCalendar, st.integers(-9000, 9000).map(lambda raw: raw / 100),
                                  st.integers(-18000, 18000).map(lambda raw: raw / 100), SUN_STEPS, SUN_STEPS,
                                  *[st.booleans()] * 4),
    orders.Profile: st.builds(orders.Profile, st.integers(0, 7), st.sets(st.integers(0, 7), min_size=1).map(
        lambda days: tuple(sorted(days))), STEPS, CHANNEL),
    orders.Holidays: st.builds(orders.Holidays, st.lists(st.tuples(st.integers(1, 12), st.integers(1, 31)),
                                                         max_size=9).map(tuple)),
    orders.LevelNotice: st.builds(orders.LevelNotice, st.integers(0, 254).map(lambda raw: raw * 5),
                                  st.integers(0, 255).map(lambda raw: raw * 60)),
    orders.MulticastGroup: st.builds(orders.MulticastGroup, st.integers(0, 3), HEX(4), HEX(16), HEX(16)),
    orders.UplinkConfirmation: st.builds(orders.UplinkConfirmation, st.booleans(), st.integers(0, 1)),
    orders.DataRate: st.builds(orders.DataRate, st.integers(0, 5)),
}


@cache
def known(model: str) -> vectors.Vectors:
    return vectors.load(vectors_path(model))


def mutants(model: str) -> st.SearchStrategy[Frame]:
    """Frames of the vectors with some bytes changed, cut or added: they get further than random bytes."""
    frames = [v.frame for v in (*known(model).uplinks, *known(model).downlinks) if v.frame is not None]
    return st.builds(_mutant, st.sampled_from(frames), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)),
                     max_size=4), st.integers(0, 60), st.binary(max_size=4))


def _mutant(frame: Frame, changes: list[tuple[int, int]], length: int, more: bytes) -> Frame:
    data = bytearray(frame.data)
    for at, value in changes:
        if at < len(data):
            data[at] = value
    return Frame(frame.port, bytes(data[:length]) + more)


def told(model: str, kind: type) -> list[orders.Order]:
    return [v.order for v in known(model).downlinks if type(v.order) is kind and v.frame is not None]


def strategy(model: str, kind: type) -> st.SearchStrategy:
    """Orders of a kind: those of the model's vectors, and any others that there can be; of settings that only one model
    has, its vectors' with other numbers."""
    vectors_of = st.sampled_from(told(model, kind))
    if kind is orders.Parameters:
        return vectors_of | vectors_of.flatmap(_renumbered)
    return vectors_of | ORDERS[kind] if kind in ORDERS else vectors_of


def _renumbered(order: orders.Parameters) -> st.SearchStrategy:
    """At most three other numbers: a frame may need dozens of settings, each within a few bits."""
    changes = st.dictionaries(st.sampled_from([name for name, _ in order.values]),
                              st.integers(0, 8) | st.integers(0, 70_000), max_size=3)
    return changes.map(lambda new: orders.Parameters(tuple((name, new.get(name, value)) for name, value in order.values)))


KINDS = get_args(orders.Order)
SUPPORTED = [(model, kind) for model in MODELS for kind in KINDS if told(model, kind)]


@pytest.mark.parametrize("model", MODELS)
def test_vectors_hold(model):
    assert vectors.run(catalog()[model], known(model)) == []


@pytest.mark.parametrize("model", MODELS)
def test_vectors_name_their_document_and_reach_every_port(model):
    codec, vectors_of = catalog()[model], known(model)
    assert vectors_of.source
    up = {v.frame.port for v in vectors_of.uplinks if v.reads is not None}
    down = {v.frame.port for v in vectors_of.downlinks if v.frame and v.order}
    assert up == set(codec.uplink_ports) or (up and codec.uplink_ports == ANY_PORT)
    assert down == set(codec.downlink_ports) or (down and codec.downlink_ports == ANY_PORT)
    assert codec.leaves_open


@pytest.mark.parametrize("model", MODELS)
def test_each_beginning_of_a_frame_is_read_or_raises_only_decode_errors(model):
    assert laws.beginnings(catalog()[model], known(model)) == []


@pytest.mark.parametrize("model", MODELS)
def test_the_device_side_says_canonical_uplinks_again(model):
    assert laws.round_trips(catalog()[model], known(model)) == []


@pytest.mark.parametrize("model", MODELS)
def test_ports_that_are_not_announced_are_unknown_ports(model):
    assert [port for port in range(256) if laws.unknown_port(catalog()[model], port)] == []


@pytest.mark.parametrize("model", MODELS)
@given(frame=ANY_FRAME)
@settings(deadline=None)
def test_any_bytes_on_any_port_raise_only_decode_errors(model, frame):
    assert laws.only_decode_errors(catalog()[model], frame) is None


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
@settings(deadline=None, max_examples=examples(120))
def test_damaged_frames_raise_only_decode_errors_and_are_never_silently_good(model, data):
    codec, frame = catalog()[model], data.draw(mutants(model))
    assert laws.only_decode_errors(codec, frame) is None
    try:
        said = codec.decode_uplink(frame)
    except DecodeError:
        return
    for one in said:
        assert one.quantity.typed(one.value) == one.value
        assert isinstance(one.value, bool | str) or isfinite(one.value)
        assert one.quantity.name != "lamp.level" or 0 <= one.value <= 100
    _, odd = NO_LASTS.after(said, 1)
    implausible = {index for index, quality, _ in odd if quality is Quality.IMPLAUSIBLE}
    assert implausible == {index for index, one in enumerate(said) if not one.quantity.plausible(one.value)}


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
@settings(deadline=None, max_examples=examples(80))
def test_explaining_reads_the_same_and_accounts_for_every_byte(model, data):
    codec, frame = catalog()[model], data.draw(mutants(model))
    for decode in (codec.decode_uplink, codec.decode_downlink):
        traced = TracedFrame(frame.port, frame.data)
        plain = outcome(decode, frame)
        assert outcome(decode, traced) == plain
        if not isinstance(plain, str):
            assert b"".join(field.data for field in traced.trace) == frame.data
            assert [field.offset for field in traced.trace] == sorted(field.offset for field in traced.trace)


@pytest.mark.parametrize(("model", "kind"), SUPPORTED, ids=[f"{model} {kind.__name__}" for model, kind in SUPPORTED])
@given(data=st.data())
@settings(deadline=None, max_examples=examples(25))
def test_an_order_survives_its_frame(model, kind, data):
    codec, order = catalog()[model], data.draw(strategy(model, kind))
    try:
        frame = codec.encode_downlink(order)
    except Invalid:
        return  # the model has no words for this one; that it has some is what its vectors show
    assert codec.decode_downlink(frame) == order
    assert frame.port in codec.downlink_ports
    assert len(frame.data) <= 222


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
@settings(deadline=None, max_examples=examples(25))
def test_orders_without_a_vector_are_unsupported(model, data):
    missing = [kind for kind in ORDERS if (model, kind) not in SUPPORTED]
    if not missing:
        return
    kind = data.draw(st.sampled_from(missing))
    with pytest.raises(Unsupported):
        catalog()[model].encode_downlink(data.draw(ORDERS[kind]))


@pytest.mark.parametrize("model", MODELS)
def test_parameters_that_no_document_names_are_refused(model):
    with pytest.raises(Refused):
        catalog()[model].encode_downlink(orders.Parameters((("no_such_parameter", 1),)))


@pytest.mark.parametrize("model", MODELS)
def test_a_repeated_downlink_reads_as_the_codec_foretells(model):
    """DEVICE_ECHO equals `codec.echo(frame)`, by which the bridge knows its own downlink."""
    codec = catalog()[model]
    if not any("device.echo" in (v.reads or ()) for v in known(model).uplinks):
        return  # the model repeats nothing
    frames = [v.frame for v in known(model).downlinks if v.order and v.frame and v.frame.port in codec.uplink_ports]
    for frame in frames:
        said = codec.decode_uplink(frame)
        assert [(m.quantity, m.value) for m in said] == [(DEVICE_ECHO, codec.echo(frame))]


def outcome(decode, frame: Frame):
    try:
        return decode(frame)
    except CityError as error:
        return f"{error.reason}: {error}"


def test_every_codec_is_found_under_the_name_of_its_file():
    assert {"nas/ul20xx", "bosch/tps110"} <= set(MODELS)
    assert all(isinstance(codec, Codec) and codec.model == model for model, codec in catalog().items())
