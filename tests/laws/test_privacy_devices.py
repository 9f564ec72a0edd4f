"""No sensor of a bay tells of persons: tags, beacons and their strength are gone before anything is kept. For every model."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.errors import DecodeError
from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.places import Device, ParkingBay, Site, Tenant
from city.quantities import Kind
from city.readings import DeviceState
from city.store.ports import Known, Registered
from decoders import vectors
from decoders.catalog import catalog, vectors_path
from decoders.codec import Codec, Frame
from gateway_bridge.link import Message
from gateway_bridge.listen import parse_all
from gateway_bridge.pipeline import handle_all
from tests.examples import examples
from tests.gateway_bridge.samples import encode, topic, up

NOW = datetime(2026, 7, 18, 9, 35, tzinfo=UTC)
TOWN = TenantId("musterstadt")
BAYS = sorted(model for model, codec in catalog().items() if codec.asset == "bay")
TELL_OF_PERSONS = {"nwave/nps405", "tekzitel/tekzipark"}  # whose frames can hold a tag or a beacon
WORDS = {"device.", "config."}  # texts of bays' sensors are about the device


def frames(model: str) -> Iterator[Frame]:
    for vector in vectors.load(vectors_path(model)).uplinks:
        yield vector.frame


def read(codec: Codec, frame: Frame) -> object:
    """What it says; the name of the error where it says nothing."""
    try:
        return codec.decode_uplink(frame)
    except DecodeError as error:
        return type(error).__name__


def known(model: str) -> Known:
    bay, device = ParkingBay(TOWN, AssetId("P-1"), "Platz 1", Site(48.7, 13.8), ZoneId("markt")), DevEui("70b3d57ed0000042")
    return Known(Registered.of(Tenant(TOWN, "Musterstadt", Site(48.7, 13.8)), Device(device, TOWN, bay.id, model), bay),
                 DeviceState(device))


def test_there_are_models_of_bays_and_some_whose_frames_tell_of_persons():
    assert len(BAYS) >= 5
    assert set(BAYS) >= TELL_OF_PERSONS


@pytest.mark.parametrize("model", BAYS)
def test_texts_of_a_bays_sensor_are_about_the_device_only(model: str):
    codec = catalog()[model]
    for frame in frames(model):
        said = read(codec, frame)
        for one in said if isinstance(said, list) else []:
            assert one.quantity.kind is not Kind.TEXT or one.quantity.name.startswith(tuple(WORDS)), one.quantity.name


@pytest.mark.parametrize("model", BAYS)
@settings(max_examples=examples(100), deadline=None)
@given(data=st.data())
def test_what_is_kept_of_a_frame_reads_as_the_frame_does_and_again_loses_nothing(model: str, data: st.DataObject):
    """So whatever `keepable` takes away has no part in any reading: no tag can come out of a decoder."""
    codec = catalog()[model]
    base = data.draw(st.sampled_from(list(frames(model))))
    tail = data.draw(st.binary(max_size=12))
    changed = bytearray(base.data + tail if data.draw(st.booleans()) else base.data)
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=4)):
        if place < len(changed):
            changed[place] = value
    frame = Frame(base.port, bytes(changed))
    kept = Frame(frame.port, codec.keepable(frame))
    assert codec.keepable(kept) == kept.data
    said = read(codec, frame)
    if not isinstance(said, str):
        assert read(codec, kept) == said


@pytest.mark.parametrize("model", sorted(TELL_OF_PERSONS))
@settings(max_examples=examples(60), deadline=None)
@given(data=st.data())
def test_two_persons_tags_leave_the_same_behind(model: str, data: st.DataObject):
    """A frame with one tag and the same frame with another: the log, the states, the letters are the same."""
    codec = catalog()[model]
    base = data.draw(st.sampled_from([frame for frame in frames(model) if codec.keepable(frame) != frame.data]))
    kept = codec.keepable(base)
    persons = [index for index, (mine, zero) in enumerate(zip(base.data, kept, strict=True)) if mine != zero]
    other = bytearray(base.data)
    for index in persons:
        if kept[index] == 0:  # the whole byte is about persons
            other[index] = data.draw(st.integers(0, 255))
    outcomes = []
    for payload in (base.data, bytes(other)):
        event = encode(up(payload, f_port=base.port, object={}))
        batch = handle_all(parse_all([Message(topic("up"), event)]), {DevEui("70b3d57ed0000042"): known(model)}, NOW)
        outcomes.append((batch.facts.entries, batch.facts.states, batch.facts.alarms, [
            (letter.topic, letter.payload, letter.reason, letter.detail) for letter in batch.facts.letters]))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("model", sorted(TELL_OF_PERSONS))
def test_no_byte_of_a_tag_is_in_anything_that_is_kept(model: str):
    codec, tried = catalog()[model], 0
    for frame in frames(model):
        kept = codec.keepable(frame)
        tags = _stretches(frame.data, kept)
        if not tags:
            continue
        tried += 1
        batch = handle_all(parse_all([Message(topic("up"), encode(up(frame.data, f_port=frame.port, object={})))]),
                           {DevEui("70b3d57ed0000042"): known(model)}, NOW)
        said = repr(batch.facts.entries) + repr([letter.payload for letter in batch.facts.letters])
        for tag in tags:
            assert repr(tag)[2:-1] not in said
            assert tag.hex() not in said
    assert tried


def _stretches(data: bytes, kept: bytes) -> list[bytes]:
    """What was taken away, in stretches long enough not to be found by chance."""
    found, begin = [], None
    for index in range(len(data) + 1):
        gone = index < len(data) and data[index] != kept[index] and kept[index] == 0
        if gone and begin is None:
            begin = index
        if not gone and begin is not None:
            if index - begin >= 3:
                found.append(data[begin:index])
            begin = None
    return found
