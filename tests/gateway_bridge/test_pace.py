"""How fast orders may go out: never above the budget, few under way, neighbours in turns."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from city.budget import LATEST, lawful_s
from city.budget import down_band as band
from city.commands import Command, Event, Priority, advance, command
from city.ids import AssetId, DevEui, GatewayId, TenantId
from city.orders import SetLevel
from city.places import Device, Luminaire, Site, Tenant
from city.reach import Ear
from city.readings import DeviceState
from city.settings import Bridge, Chirpstack
from city.store.ports import Known, Registered
from gateway_bridge.pace import UNDER_WAY, Pace

NOW = datetime(2026, 11, 22, 18, tzinfo=UTC)
TENANT = TenantId("alt")
ONE, TWO = GatewayId("a" * 16), GatewayId("b" * 16)


def state(number: int, gateway: GatewayId | None = ONE, *also: GatewayId) -> DeviceState:
    ears = tuple(Ear(one, -100.0, 5.0, 0) for one in (gateway, *also) if one is not None)
    return DeviceState(DevEui(f"{number:016x}"), gateway=gateway, reach=ears)


def order(number: int, priority: Priority = Priority.OVERRIDE) -> Command:
    made = command(tenant=TENANT, device=DevEui(f"{number:016x}"), asset=AssetId(f"L{number}"), order=SetLevel(40, 60),
                   origin="x", priority=priority, now=NOW, expires_at=NOW + timedelta(hours=9))
    return advance(made, Event.SEND, NOW)


def known(sent: Command) -> Known:
    town, lamp = Tenant(TENANT, "Alt", Site(51.0, 8.1)), Luminaire(TENANT, sent.asset, "L", Site(51.0, 8.1), "markt", None)
    return Known(Registered.of(town, Device(sent.device, TENANT, sent.asset, "nas/ul20xx"), lamp), state(0), (sent,))


def test_eight_are_under_way_at_a_gateway_until_it_has_sent_them_or_nobody_hears_of_them() -> None:
    pace = Pace(Bridge(), Chirpstack(rx2_dr=5))
    sent = {one.device: one for one in map(order, range(8))}
    for one in sent.values():
        pace.send(one, state(int(one.device, 16)), 4, NOW)
    opens = pace.gate(NOW)
    assert not opens(ONE, Priority.OVERRIDE)
    assert opens(TWO, Priority.OVERRIDE)
    assert opens(None, Priority.OVERRIDE)
    assert opens(ONE, Priority.SAFETY)  # light for safety's sake does not wait
    pace.begin(lambda device: known(sent[device]), NOW + timedelta(seconds=2))
    assert not pace.gate(NOW)(ONE, Priority.OVERRIDE)
    gone = advance(next(iter(sent.values())), Event.TXACK, NOW)
    sent[gone.device] = gone
    pace.begin(lambda device: known(sent[device]), NOW + timedelta(seconds=2))
    assert pace.gate(NOW)(ONE, Priority.OVERRIDE)
    pace.begin(lambda device: known(sent[device]), NOW + UNDER_WAY)
    assert pace.gate(NOW)(ONE, Priority.OVERRIDE)


def test_gateways_that_a_lamp_hears_both_of_do_not_send_at_once_and_a_cast_silences_them() -> None:
    pace = Pace(Bridge(), Chirpstack(rx2_dr=3))
    pace.send(order(1), state(1, ONE, TWO), 4, NOW)
    assert not pace.has_turn(state(2, TWO, ONE), NOW)
    assert pace.has_turn(state(3, ONE), NOW)
    later = NOW + timedelta(seconds=1)
    assert pace.has_turn(state(2, TWO, ONE), later)
    pace.cast([ONE], 0.2, later, later + timedelta(seconds=5))
    assert not pace.has_turn(state(2, TWO, ONE), later + timedelta(seconds=3))
    assert pace.has_turn(state(2, TWO), later + timedelta(seconds=3))
    assert pace.has_turn(state(2, TWO, ONE), later + timedelta(seconds=5))


@given(st.lists(st.tuples(st.floats(0, 60), st.sampled_from(Priority), st.sampled_from([ONE, TWO]), st.booleans()), max_size=400),
       st.sampled_from([0, 3, 5]), st.floats(1, 100))
def test_whatever_is_asked_no_gateway_is_on_the_air_longer_than_the_law_allows(asked, dr, percent) -> None:
    pace = Pace(Bridge(airtime_percent=percent), Chirpstack(rx2_dr=dr))
    now, spent = NOW, []
    for number, (wait, priority, gateway, together) in enumerate(asked):
        now += timedelta(seconds=wait)
        pace.begin({}.get, now)
        if together:
            if pace.fits([ONE, TWO], 1.2, priority, now):
                spent += pace.cast([ONE, TWO], 1.2, now, now)
        elif pace.gate(now)(gateway, priority) and pace.has_turn(state(number, gateway), now):
            spent.append(pace.send(order(number, priority), state(number, gateway), 4, now))
    for one in spent:
        hour = [other.seconds for other in spent if other.gateway == one.gateway
                and one.at - timedelta(hours=1) - LATEST < other.at <= one.at]
        assert sum(hour) <= lawful_s(band())
