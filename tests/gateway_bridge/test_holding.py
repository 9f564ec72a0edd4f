"""Lamps' own programs in the steering loop: told bit by bit, repaired where a device says that it holds something else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import structs

from city.commands import Priority, command
from city.groups import TOWN
from city.ids import AssetId, CalendarId, CircuitId, DevEui, TenantId, ZoneId
from city.lighting import Setpoint
from city.orders import DimTask, FallbackLevel, Profile, ReadTask, SunCalendar, from_json, to_json
from city.places import Device, Luminaire, Site, Tenant
from city.programs import Assignment, Programming
from city.quantities import LAMP_TASK
from city.readings import DeviceState, to_ns
from city.store.ports import Facts, Known, Registered
from decoders.catalog import codec_of
from firmware_config.compile import compiled, confirmed_by
from firmware_config.delta import delta
from firmware_config.profile import DeviceConfig
from gateway_bridge.configuring import TABLES, one_of_the_program
from gateway_bridge.towns import Town as Steered
from gateway_bridge.towns import essence
from gateway_bridge.wishes import decide_in_full, served
from tests.gateway_bridge.samples import EUI, up
from tests.gateway_bridge.test_forgetting import OLD, configured
from tests.gateway_bridge.town import NOW, small_town

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LAMP = Luminaire(TenantId("t"), AssetId("L"), "L", Site(51, 8), ZoneId("z"))
TOLD = Programming(Site(51, 8), "NW", assignments=(Assignment(TOWN, CalendarId("standard"), NOON, "ada"),))


def town(programming: Programming = TOLD, **configs: DeviceConfig) -> Steered:
    return Steered(Tenant(TenantId("t"), "T", Site(51, 8)), programming, configs={DevEui(EUI): one for one in configs.values()})


def told(order: object):  # type: ignore[no-untyped-def]
    origin = "config" if isinstance(order, FallbackLevel) else TABLES
    return command(tenant=TenantId("t"), device=DevEui(EUI), asset=LAMP.id, order=order, origin=origin,  # type: ignore[arg-type]
                   priority=Priority.CONFIG, now=NOON, expires_at=NOON + timedelta(hours=1))


def test_what_people_have_set_and_the_program_are_one_wish() -> None:
    wish = town(own=DeviceConfig(fallback_level=60)).wish(DevEui(EUI), LAMP, "nas/ul20xx", NOON)
    assert wish is not None
    assert [type(one) for one in wish.missing({})] == [FallbackLevel, SunCalendar, Profile]
    assert wish.missing(confirmed_by(wish.config)) == []
    assert [type(one) for one in wish.missing({**confirmed_by(wish.config), "FallbackLevel": "{}"})] == [FallbackLevel]


def test_nobody_is_told_a_program_where_none_is_assigned_or_people_have_set_one_by_hand() -> None:
    assert town(Programming(Site(51, 8))).wish(DevEui(EUI), LAMP, "nas/ul20xx", NOON) is None
    own = DeviceConfig(profiles=())
    wish = town(own=own).wish(DevEui(EUI), LAMP, "nas/ul20xx", NOON)
    assert wish is not None
    assert wish.config == own


def test_a_wish_follows_the_lamp_its_town_and_the_night() -> None:
    one = town()
    first = one.wish(DevEui(EUI), LAMP, "nas/ul20xx", NOON)
    assert one.wish(DevEui(EUI), LAMP, "nas/ul20xx", NOON + timedelta(hours=3)) is first
    brighter = one.wish(DevEui(EUI), replace(LAMP, min_level=80), "nas/ul20xx", NOON)
    assert brighter is not None
    assert brighter != first
    one.programming = Programming(Site(51, 8))
    one.changed()
    assert one.wish(DevEui(EUI), LAMP, "nas/ul20xx", NOON) is None


def test_of_a_program_one_setting_is_told_at_a_time_and_what_was_refused_waits() -> None:
    orders = [told(one) for one in compiled(TOLD, LAMP, "nas/ul20xx", NOON).config.settings()]
    fallback = told(FallbackLevel(60))
    assert one_of_the_program([fallback, *orders], [], {}) == [fallback, orders[0]]
    assert one_of_the_program([fallback, *orders[1:]], [orders[0]], {}) == [fallback]
    assert one_of_the_program(orders, [], {essence(orders[0]): NOON}) == [orders[1]]


def test_a_task_that_is_refused_as_new_is_told_as_one_that_takes_a_place() -> None:
    first, *_ = (told(one) for one in compiled(TOLD, LAMP, "zenosmart/lcc", NOON).config.settings())
    [other] = one_of_the_program([first], [], {essence(first): NOON})
    assert isinstance(other.order, DimTask)
    assert other.order.replaces
    [again] = one_of_the_program([first], [], {essence(first): NOON, essence(other): NOON})
    assert again.order == first.order


def test_a_lamp_s_own_level_is_what_it_has_confirmed_and_only_where_one_would_see_it() -> None:
    one, evening = town(), datetime(2026, 11, 22, 22, tzinfo=UTC)
    want = Setpoint(50, "program", "program", evening - timedelta(hours=1), evening + timedelta(hours=5))
    half = confirmed_by(compiled(TOLD, LAMP, "nas/ul20xx", NOON).config)
    assert one.own_level(half, "nas/ul20xx", want, evening) == 50
    assert one.own_level({"SunCalendar": half["SunCalendar"]}, "nas/ul20xx", want, evening) == 100
    assert one.own_level({}, "nas/ul20xx", want, evening) is None
    tasks = confirmed_by(compiled(TOLD, LAMP, "zenosmart/lcc", NOON).config)
    assert one.own_level(tasks, "zenosmart/lcc", want, evening) is None


async def test_a_task_that_a_device_tells_otherwise_is_told_anew(tmp_path: Path) -> None:
    config = compiled(TOLD, LAMP, "zenosmart/lcc", NOON).config
    assert config.tasks is not None
    other = structs.replace(config.tasks[1], windows=config.tasks[1].windows[:0] + config.tasks[0].windows)
    codec = codec_of("zenosmart/lcc")
    with small_town(tmp_path) as place:
        configured(place, "zenosmart/lcc")
        state = place.known().state
        place.store.commit(Facts(states=(structs.replace(state, config=confirmed_by(config), heard_ns=to_ns(NOW) - 10**9 * 60),)))
        frame = codec.encode_uplink(6, [LAMP_TASK(to_json(other).decode(), "slot-1")])
        await place.hear("up", up(frame.data, f_port=6, eui=EUI, f_cnt=1, time=place.stamp(-20), devAddr=OLD))
        said = place.known().state.config
    assert from_json(said[f"DimTask:{other.task}"]) == other
    assert delta(said, config) == [structs.replace(config.tasks[1], replaces=True)]
    assert codec.encode_downlink(ReadTask(1)).port == 8


def steered(place: Steered, state: DeviceState, now: datetime, *, lamp: Luminaire = LAMP) -> list[object]:
    """The orders of a lamp that is configured now."""
    known = Known(Registered.of(place.tenant, Device(DevEui(EUI), lamp.tenant, lamp.id, "nas/ul20xx"), lamp), state)
    item = served(known, {})
    assert item is not None
    return [one.order for one in decide_in_full(place, item, known, now).new if one.origin == TABLES]


def heard(now: datetime) -> DeviceState:
    return DeviceState(DevEui(EUI), application_id="a", heard_ns=to_ns(now - timedelta(minutes=1)))


def test_a_program_is_told_to_nobody_who_is_silent_or_has_no_power() -> None:
    night = NOON + timedelta(hours=8)
    behind = replace(LAMP, circuit=CircuitId("K1"))
    assert [type(one) for one in steered(town(), heard(NOON), NOON)] == [SunCalendar]
    assert steered(town(), heard(NOON - timedelta(hours=4)), NOON) == []
    switched = town()
    switched.night_feeders = {CircuitId("K1")}
    assert steered(switched, heard(NOON), NOON, lamp=behind) == []
    assert [type(one) for one in steered(switched, heard(night), night, lamp=behind)] == [SunCalendar]


def test_a_controller_that_refuses_its_program_is_not_asked_every_ten_minutes() -> None:
    place, [first, second] = town(), [told(one) for one in compiled(TOLD, LAMP, "nas/ul20xx", NOON).config.settings()]
    place.failed = {essence(first): NOON, essence(second): NOON}
    assert steered(place, heard(NOON + timedelta(hours=5)), NOON + timedelta(hours=5)) == []
    assert steered(place, heard(NOON + timedelta(hours=6)), NOON + timedelta(hours=6)) == [first.order]
