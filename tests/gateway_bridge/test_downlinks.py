"""A command as ChirpStack takes it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from city.commands import Event, Priority, advance, command
from city.errors import Unsupported
from city.ids import AssetId, DevEui, TenantId
from city.orders import SetLevel
from decoders.codec import Frame
from gateway_bridge.downlinks import downlink

NOW = datetime(2026, 11, 22, 22, tzinfo=UTC)
COMMAND = advance(command(tenant=TenantId("t"), device=DevEui("70b3d57ed0000042"), asset=AssetId("L1"), order=SetLevel(50),
                          origin="program", priority=Priority.PROGRAM, now=NOW, expires_at=NOW + timedelta(minutes=5)),
                  Event.SEND, NOW)
FRAME = Frame(8, b"\x84\x01\x32")


def test_it_names_the_device_the_end_of_its_use_and_our_own_key():
    topic, payload = downlink(COMMAND, FRAME, "app")
    assert topic == "application/app/device/70b3d57ed0000042/command/down"
    assert json.loads(payload) == {"id": COMMAND.queue_id, "devEui": "70b3d57ed0000042", "confirmed": False, "fPort": 8,
                                   "data": "hAEy", "expiresAt": "2026-11-22T22:05:00.000Z"}


def test_an_acknowledgement_is_asked_for_only_where_nothing_else_tells():
    assert json.loads(downlink(COMMAND, FRAME, "app", confirmed=True)[1])["confirmed"] is True


def test_a_device_that_was_never_heard_cannot_be_told():
    with pytest.raises(Unsupported):
        downlink(COMMAND, FRAME, "")
