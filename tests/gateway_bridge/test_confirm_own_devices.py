"""Our own devices answer in the way that moves a command on: by a hash, by a refusal, by deed."""

from datetime import UTC, datetime, timedelta

import pytest

from city.commands import Event, Priority, State, advance, command
from city.ids import AssetId, DevEui, TenantId
from city.orders import FallbackLevel, MulticastGroup, Reboot, Resume, SetLevel, StatusInterval
from city.quantities import DEVICE_BOOT, DEVICE_ECHO, DEVICE_FIRMWARE, DEVICE_REJECTED, LAMP_LEVEL, LAMP_REASON
from city.readings import to_ns
from decoders.devices import stadtfunk_bay, stadtfunk_lamp
from gateway_bridge.confirm import after_uplink

NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)
LAMP, BAY = stadtfunk_lamp.CODEC, stadtfunk_bay.CODEC
KEY = "82840c7056429b143d21974557f93a53"


def after(codec, order, port, *said):
    """The state of the command after the device's frame, as it goes over the air."""
    made = command(tenant=TenantId("t"), device=DevEui("70b3d57ed0000042"), asset=AssetId("L1"), order=order,
                   origin="override:1", priority=Priority.OVERRIDE, now=NOW, expires_at=NOW + timedelta(minutes=5))
    at = NOW + timedelta(seconds=40)
    heard = codec.decode_uplink(codec.encode_uplink(port, said))
    changed = after_uplink([advance(made, Event.SEND, NOW)], codec, to_ns(at), heard, at)
    return changed[0].state if changed else State.SENT


def answer(codec, order):
    return DEVICE_ECHO(codec.echo(codec.encode_downlink(order)))


def test_an_answer_is_receipt_and_the_status_in_the_same_frame_is_obedience():
    order = SetLevel(40, 60)
    assert after(LAMP, order, 4, answer(LAMP, order)) is State.ACKED
    assert after(LAMP, order, 1, LAMP_LEVEL(40), LAMP_REASON("manual"), answer(LAMP, order)) is State.APPLIED


@pytest.mark.parametrize(("codec", "order"), [
    (LAMP, FallbackLevel(60)), (LAMP, MulticastGroup(0, "01020304", KEY, KEY)), (BAY, StatusInterval(86_400))])
def test_a_setting_is_in_force_when_it_is_answered(codec, order):
    assert after(codec, order, 4, answer(codec, order)) is State.APPLIED


def test_the_answer_to_another_setting_proves_nothing():
    assert after(LAMP, FallbackLevel(60), 4, answer(LAMP, FallbackLevel(61))) is State.SENT


def test_a_refusal_concerns_the_orders_of_its_port_alone():
    assert after(LAMP, FallbackLevel(60), 4, DEVICE_REJECTED("11:02")) is State.FAILED
    assert after(LAMP, SetLevel(40), 4, DEVICE_REJECTED("11:02")) is State.SENT


def test_a_start_shows_that_a_restart_took_place():
    assert after(BAY, Reboot(), 3, DEVICE_BOOT("ordered"), DEVICE_FIRMWARE("1.0.0")) is State.APPLIED


def test_a_lamp_is_released_when_another_reason_holds():
    assert after(LAMP, Resume(), 1, LAMP_LEVEL(100), LAMP_REASON("profile-3")) is State.APPLIED
