"""A frame that cannot be read is kept as a dead letter; what is about persons in it is not."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from chirpstack_api import integration

from city.ids import AssetId, DevEui, TenantId, ZoneId
from city.places import Device, ParkingBay, Site, Tenant
from city.readings import DeviceState
from city.store.ports import DeadLetter, Known, Registered
from decoders.catalog import catalog
from decoders.codec import Frame
from gateway_bridge.link import Message
from gateway_bridge.listen import parse_all
from gateway_bridge.pipeline import handle_all
from tests.gateway_bridge.samples import APPLICATION, TENANT, TIME, encode, topic, up

NOW = datetime(2026, 7, 18, 9, 35, tzinfo=UTC)
TOWN = TenantId("musterstadt")
UNREADABLE = [("nwave/nps405", 10, "d1201f34567800"), ("nwave/nps405", 10, "d11f3456"),
              ("tekzitel/tekzipark", 1, "a41407c4123456")]


def letter_of(model: str, payload: bytes) -> DeadLetter:
    device = DevEui("70b3d57ed0000042")
    bay = ParkingBay(TOWN, AssetId("P-1"), "Platz 1", Site(48.7, 13.8), ZoneId("markt"))
    known = Known(Registered.of(Tenant(TOWN, "Musterstadt", Site(48.7, 13.8)), Device(device, TOWN, bay.id, model), bay),
                  DeviceState(device))
    batch = handle_all(parse_all([Message(topic("up"), payload)]), {device: known}, NOW)
    assert batch.facts.entries == ()
    [letter] = batch.facts.letters
    return letter


def as_json(port: int, data: str, **more: Any) -> bytes:
    return encode(up(bytes.fromhex(data), f_port=port, **{"object": {}, **more}))


def as_protobuf(port: int, data: str) -> bytes:
    message = integration.UplinkEvent(deduplication_id="3ac7e3c4-4401-4b8d-9386-a5c902f9202d", dev_addr="00189440",
                                      f_cnt=1, f_port=port, data=bytes.fromhex(data))
    message.time.FromJsonString(TIME)
    message.device_info.dev_eui, message.device_info.tenant_id = "70b3d57ed0000042", TENANT
    message.device_info.application_id = APPLICATION
    return message.SerializeToString()


@pytest.mark.parametrize("write", [as_json, as_protobuf])
@pytest.mark.parametrize(("model", "port", "data"), UNREADABLE)
def test_a_letter_holds_nobodys_tag_and_can_still_be_replayed(model, port, data, write) -> None:
    letter, kept = letter_of(model, write(port, data)), catalog()[model].keepable(Frame(port, bytes.fromhex(data)))
    assert kept != bytes.fromhex(data)
    assert bytes.fromhex(data)[2:] not in letter.payload
    [again] = parse_all([Message(letter.topic, letter.payload)])
    assert not isinstance(again.event, Exception)
    assert again.event.data == kept  # type: ignore[union-attr]


def test_a_letter_whose_tag_the_network_server_has_read_too_is_kept_without_its_payload() -> None:
    sent = as_json(10, "d1201f34567800", object={"tag_id": "1F345678"})
    assert letter_of("nwave/nps405", sent).payload == b""


def test_a_letter_in_which_the_bytes_are_not_found_is_kept_without_its_payload() -> None:
    escaped = as_json(10, "d1ffffffffff00").replace(b"/", b"\\/")
    assert letter_of("nwave/nps405", escaped).payload == b""


def test_letters_about_nobody_are_kept_whole_and_two_letters_about_somebody_stay_two() -> None:
    plain = as_json(1, "9500")
    assert letter_of("nwave/nps405", plain).payload == plain
    one, other = (letter_of("nwave/nps405", as_json(10, "d1201f34567800", object={"n": n})) for n in (1, 2))
    assert one.id != other.id
    assert replace(one, id="", detail="") == replace(other, id="", detail="")
