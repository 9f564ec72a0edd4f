"""From a wish to a confirmed lamp, on a real store with a virtual clock and a broker in memory."""

import base64
import json
from typing import Any

import pytest

from city.alarms import AlarmKind
from city.commands import Command, State
from city.errors import NetworkServerDown
from city.groups import Target
from city.ids import DevEui
from city.orders import FallbackLevel, Reboot, Resume, SetLevel, StatusInterval
from city.store.ports import ConfigWish
from decoders.catalog import codec_of
from decoders.codec import Frame
from gateway_bridge.confirm import is_attempt
from tests.gateway_bridge.samples import APPLICATION, EUI, other, up
from tests.gateway_bridge.town import BAY, BAY_EUI, LAMP, Town, small_town

OFF = "01F37F205E800032091600" "00"  # status of a lamp without troubles, without its channel block
PROFILE, MANUAL = "00", "FD"


def status(level: int, reason: str = MANUAL) -> bytes:
    return bytes.fromhex(f"{OFF}FE{reason}{level:02x}00")


class Lamp:
    """The device's side: hears what was published, answers as ChirpStack passes it on."""

    def __init__(self, town: Town) -> None:
        self.town, self.f_cnt = town, 100

    async def report(self, level: int, reason: str = MANUAL) -> None:
        await self._send(23, status(level, reason))

    async def echo(self) -> None:
        down = self.downs()[-1]
        await self._send(down["fPort"], base64.b64decode(down["data"]))

    async def refuse(self) -> None:
        down = self.downs()[-1]
        await self._send(99, bytes([0x13, down["fPort"], base64.b64decode(down["data"])[0]]))

    async def txack(self) -> None:
        await self.town.hear("txack", other(time=self.town.stamp(), queueItemId=self.downs()[-1]["id"]))

    def downs(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for _, payload in self.town.link.published]

    async def _send(self, port: int, data: bytes) -> None:
        self.f_cnt += 1
        await self.town.hear("up", up(data, f_port=port, f_cnt=self.f_cnt, time=self.town.stamp(), rxInfo=[]))


@pytest.fixture
async def lamp(town: Town) -> Lamp:
    made = Lamp(town)
    await made.report(0, PROFILE)
    town.clock.advance(10)
    return made


async def tick(town: Town, seconds: float = 1.0) -> None:
    town.clock.advance(seconds)
    await town.steerer.tick()


def only(town: Town) -> Command:
    (command,) = town.commands()
    return command


async def test_a_dim_goes_out_once_and_is_confirmed_by_the_lamps_own_word(town: Town, lamp: Lamp) -> None:
    town.wish(40)
    await tick(town)
    (topic, payload), = town.link.published
    down = json.loads(payload)
    assert topic == f"application/{APPLICATION}/device/{EUI}/command/down"
    assert {key: down[key] for key in ("devEui", "confirmed", "fPort")} == {"devEui": EUI, "confirmed": False, "fPort": 60}
    assert base64.b64decode(down["data"]) == bytes.fromhex("09FE283C")
    assert down["expiresAt"] == "2026-07-18T09:50:11.000Z"
    assert down["id"] == only(town).id
    assert only(town).state is State.SENT
    await tick(town)
    assert len(town.link.published) == 1
    await lamp.txack()
    assert only(town).state is State.SCHEDULED
    await lamp.echo()
    assert only(town).state is State.ACKED
    town.clock.advance(2)
    await lamp.report(40)
    assert only(town).state is State.APPLIED
    await tick(town)
    assert len(town.commands()) == 1
    assert town.known().live == ()


async def test_a_report_from_before_the_sending_confirms_nothing(town: Town, lamp: Lamp) -> None:
    old = town.stamp(-5)
    town.wish(40)
    await tick(town)
    await town.hear("up", up(status(40), f_cnt=200, time=old, rxInfo=[]))
    assert only(town).state is State.SENT
    town.clock.advance(1)
    await lamp.report(40)
    assert only(town).state is State.APPLIED


async def test_a_lamp_that_was_told_and_reports_another_level_is_told_again(town: Town, lamp: Lamp) -> None:
    town.wish(40)
    await tick(town)
    await lamp.echo()
    town.clock.advance(5)
    await lamp.report(0, PROFILE)
    assert only(town).state is State.ACKED  # it may still have been on its way
    town.clock.advance(20)
    await lamp.report(0, PROFILE)
    assert only(town).state is State.PLANNED
    await tick(town)
    first, second = lamp.downs()
    assert second["id"] != first["id"]
    assert only(town).attempts == 2
    await town.hear("txack", other(time=town.stamp(), queueItemId=first["id"]))
    assert only(town).state is State.SCHEDULED


async def test_silence_is_answered_by_three_attempts_and_then_an_alarm(town: Town, lamp: Lamp) -> None:
    town.wish(40)
    for _ in range(200):
        await tick(town)
    downs = lamp.downs()
    assert len(downs) == 3
    assert len({down["id"] for down in downs}) == 3
    assert only(town).state is State.FAILED
    assert all(is_attempt(only(town), down["id"]) for down in downs)
    assert {alarm.kind for alarm in town.own.alarms()} == {AlarmKind.COMMAND_FAILED}
    await tick(town, 600)
    await tick(town)
    assert len(town.commands()) == 2  # after the hold-off it is tried once more
    await lamp.echo()
    town.clock.advance(2)
    await lamp.report(40)
    assert town.own.alarms() == []


async def test_the_alarm_ends_when_the_lamp_does_as_wanted_by_itself(town: Town, lamp: Lamp) -> None:
    town.wish(40)
    await tick(town)
    await lamp.refuse()
    assert len(town.own.alarms()) == 1
    town.own.end_overrides([Target("lamp", LAMP)], town.clock.now())
    await tick(town, 61)
    assert len(town.own.alarms()) == 1  # nothing heard since
    await lamp.report(0, PROFILE)
    await tick(town, 61)
    assert town.own.alarms() == []


async def test_a_refused_order_fails_and_is_not_repeated_at_once(town: Town, lamp: Lamp) -> None:
    town.wish(40)
    await tick(town)
    await lamp.refuse()
    assert only(town).state is State.FAILED
    assert {alarm.kind for alarm in town.own.alarms()} == {AlarmKind.COMMAND_FAILED}
    for _ in range(20):
        await tick(town)
    assert len(town.commands()) == 1


async def test_a_newer_wish_takes_the_place_of_an_older_one(town: Town, lamp: Lamp) -> None:
    town.wish(40, id="old")
    await tick(town)
    town.clock.advance(6)
    town.wish(80, id="new")
    await tick(town)
    newer, older = town.commands()
    assert (older.state, newer.state) == (State.SUPERSEDED, State.SENT)
    await lamp.report(40)
    assert town.own.command(older.id).state is State.SUPERSEDED
    assert len(lamp.downs()) == 2


async def test_two_downlinks_to_one_device_keep_chirpstacks_lock(town: Town, lamp: Lamp) -> None:
    town.wish(40, id="old")
    await tick(town)
    town.wish(80, id="new")
    await tick(town)
    assert len(lamp.downs()) == 1
    await tick(town, 5)
    assert len(lamp.downs()) == 2


async def test_nothing_is_planned_for_a_lamp_that_was_never_heard(town: Town) -> None:
    town.wish(40)
    await tick(town)
    assert town.commands() == []


async def test_with_the_broker_away_nothing_is_claimed_and_no_attempt_is_spent(town: Town, lamp: Lamp) -> None:
    town.wish(40)
    town.link.disconnect()
    for _ in range(3):
        await tick(town)
    assert (only(town).state, only(town).attempts) == (State.PLANNED, 0)
    town.link.reconnect()
    await tick(town)
    assert (only(town).state, only(town).attempts) == (State.SENT, 1)
    assert len(lamp.downs()) == 1


async def test_an_order_that_waited_for_the_broker_until_it_expired_is_no_alarm_and_goes_when_it_is_back(
        town: Town, lamp: Lamp) -> None:
    await lamp.report(0, PROFILE)
    town.wish(40)
    town.link.connected = False
    for _ in range(18):
        await tick(town, 60)
    assert State.EXPIRED in {command.state for command in town.commands()}
    assert list(town.own.alarms()) == []
    town.link.connected = True
    await tick(town)
    assert len(town.link.published) == 1


async def test_a_broker_that_goes_while_publishing_costs_no_attempt(town: Town, lamp: Lamp) -> None:
    class Breaking:
        connected = True

        async def publish(self, topic: str, payload: bytes) -> None:
            assert only(town).state is State.SENT  # stored before it goes out
            town.link.disconnect()
            await town.link.publish(topic, payload)

    town.wish(40)
    town.steerer._link = Breaking()  # type: ignore[assignment]
    await tick(town)
    assert (only(town).state, only(town).attempts) == (State.PLANNED, 0)
    town.link.reconnect()
    town.steerer._link = town.link
    await tick(town)
    assert lamp.downs()[0]["id"] == only(town).id


async def test_an_expired_item_and_a_gateways_refusal_move_the_command(town: Town, lamp: Lamp) -> None:
    town.wish(40)
    await tick(town)
    await town.hear("log", other(time=town.stamp(), level="ERROR", code="DOWNLINK_GATEWAY", description="TOO_LATE"))
    assert only(town).state is State.PLANNED
    assert "TOO_LATE" in only(town).note
    await tick(town, 6)
    await town.hear("log", other(time=town.stamp(), level="WARNING", code="EXPIRED",
                                 context={"queue_item_id": lamp.downs()[-1]["id"]}))
    assert only(town).state is State.EXPIRED


async def test_a_negative_ack_plans_it_again_and_a_positive_one_acknowledges(town: Town, lamp: Lamp) -> None:
    town.wish(40)
    await tick(town)
    await town.hear("ack", other(time=town.stamp(), queueItemId=lamp.downs()[-1]["id"], acknowledged=False))
    assert only(town).state is State.PLANNED
    await tick(town, 6)
    await town.hear("ack", other(time=town.stamp(), queueItemId=lamp.downs()[-1]["id"], acknowledged=True))
    assert only(town).state is State.ACKED


async def test_a_lamp_that_restarts_has_forgotten_its_order_and_is_told_again(town: Town, lamp: Lamp) -> None:
    town.wish(40)
    await tick(town)
    await lamp.echo()
    town.clock.advance(2)
    await lamp.report(40)
    assert only(town).state is State.APPLIED
    town.clock.advance(60)
    await town.hear("join", other(time=town.stamp(), devAddr="00189441"))
    await tick(town)
    assert len(lamp.downs()) == 2
    assert town.commands()[0].origin == "override:wish"


async def test_an_order_on_its_way_when_the_lamp_restarts_is_sent_again(town: Town, lamp: Lamp) -> None:
    town.wish(40)
    await tick(town)
    await lamp.echo()
    town.clock.advance(6)
    await town.hear("join", other(time=town.stamp(), devAddr="00189441"))
    assert only(town).state is State.PLANNED


async def test_a_lamp_that_starts_up_is_given_time_before_it_is_corrected(town: Town, lamp: Lamp) -> None:
    await town.hear("join", other(time=town.stamp(), devAddr="00189441"))
    await lamp.report(100, "F8")  # its fallback, by day
    await tick(town, 60)
    assert town.commands() == []
    await tick(town, 600)
    order = only(town).order
    assert isinstance(order, SetLevel)
    assert order.level == 0


async def test_a_lamp_that_restarts_in_the_reduced_hours_is_told_once(town: Town, lamp: Lamp) -> None:
    town.clock.advance(14 * 3600)  # between 22:00 and 05:00
    await lamp.report(50, PROFILE)
    await town.hear("join", other(time=town.stamp(), devAddr="01aabbcc"))
    town.clock.advance(3)
    await lamp.report(100, PROFILE)
    await tick(town)
    await lamp.echo()
    town.clock.advance(1)
    await lamp.report(50)
    for _ in range(20):
        await tick(town, 10)
    assert only(town).state is State.APPLIED
    assert len(town.link.published) == 1


async def test_a_lamp_that_speaks_of_its_two_drivers_only_is_released_without_many_questions(
        town: Town, lamp: Lamp) -> None:
    async def report(level: int, reason: str) -> None:
        await lamp._send(23, bytes.fromhex(f"{OFF}02{reason}{level:02x}0004{reason}{level:02x}00"))

    town.wish(40)
    await tick(town)
    town.clock.advance(2)
    await report(40, MANUAL)
    assert only(town).state is State.APPLIED
    town.own.end_overrides([Target("lamp", LAMP)], town.clock.now())
    await tick(town, 6)
    await lamp.echo()
    town.clock.advance(1)
    await report(0, PROFILE)
    for _ in range(30):
        await tick(town, 10)
    assert {(command.order, command.state) for command in town.commands()} \
        == {(SetLevel(40, 60), State.APPLIED), (Resume(), State.APPLIED)}
    assert len(town.link.published) == 2


async def test_release_is_confirmed_by_any_reason_but_manual(town: Town, lamp: Lamp) -> None:
    town.wish(40)
    await tick(town)
    await lamp.echo()
    town.clock.advance(2)
    await lamp.report(40)
    town.own.end_overrides([Target("lamp", LAMP)], town.clock.now())
    await tick(town, 10)
    release = town.commands()[0]
    assert isinstance(release.order, Resume)
    await lamp.echo()
    town.clock.advance(2)
    await lamp.report(40, MANUAL)
    assert town.own.command(release.id).state is State.ACKED
    await lamp.report(0, PROFILE)
    assert town.own.command(release.id).state is State.APPLIED


async def test_a_setting_is_confirmed_by_its_echo_and_remembered(town: Town, lamp: Lamp) -> None:
    town.own.put_config_wish(ConfigWish(DevEui(EUI), b'{"status_interval_s":600,"fallback_level":50}', "ada",
                                        town.clock.now()))
    for _ in range(20):
        await tick(town)
        if lamp.downs() and town.known().live:
            await lamp.echo()
    assert {type(command.order) for command in town.commands()} == {StatusInterval, FallbackLevel}
    assert all(command.state is State.APPLIED and command.origin == "config" for command in town.commands())
    assert set(town.known().state.config) == {"StatusInterval", "FallbackLevel"}
    assert len(lamp.downs()) == 2


@pytest.mark.usefixtures("lamp")
async def test_a_setting_that_nobody_wants_any_more_is_dropped(town: Town) -> None:
    town.own.put_config_wish(ConfigWish(DevEui(EUI), b'{"status_interval_s":600}', "ada", town.clock.now()))
    await tick(town)
    town.own.put_config_wish(ConfigWish(DevEui(EUI), b'{"status_interval_s":900}', "ada", town.clock.now()))
    await tick(town, 10)
    newer, older = town.commands()
    assert (older.state, newer.state) == (State.SUPERSEDED, State.SENT)
    assert newer.order == StatusInterval(900)


@pytest.mark.usefixtures("lamp")
async def test_a_silent_sensor_raises_one_alarm_and_hearing_it_ends_it(town: Town) -> None:
    await town.hear("up", up(b"\x00", f_port=2, eui=BAY_EUI, time=town.stamp(), rxInfo=[]), BAY_EUI)
    await tick(town, 24 * 3600)
    assert town.own.alarms() == []
    await tick(town, 2 * 3600)
    assert [(alarm.asset, alarm.kind) for alarm in town.own.alarms()] == [(BAY, AlarmKind.DEVICE_SILENT)]
    await town.hear("up", up(b"\x00", f_port=2, f_cnt=2, eui=BAY_EUI, time=town.stamp(), rxInfo=[]), BAY_EUI)
    assert town.own.alarms() == []


@pytest.mark.usefixtures("lamp")
async def test_no_more_frames_than_allowed_go_out_in_one_look(town: Town) -> None:
    town.steerer._most = 0
    town.wish(40)
    await tick(town)
    assert (len(town.link.published), only(town).state) == (0, State.PLANNED)


@pytest.mark.parametrize("down", [False, True])
async def test_a_replacing_order_empties_the_queue_first(tmp_path: Any, down: bool) -> None:
    class Network:
        def __init__(self) -> None:
            self.flushed: list[str] = []

        async def flush(self, device: DevEui) -> None:
            self.flushed.append(device)
            if down:
                raise NetworkServerDown("no answer")

        async def close(self) -> None: ...

    network = Network()
    with small_town(tmp_path, network=network) as town:
        lamp = Lamp(town)
        await lamp.report(0, PROFILE)
        town.wish(40, id="old")
        await tick(town)
        assert network.flushed == []
        town.clock.advance(6)
        town.wish(80, id="new")
        await tick(town)
        assert network.flushed == [EUI]
        assert len(lamp.downs()) == 2


@pytest.mark.usefixtures("lamp")
async def test_a_reboot_is_confirmed_by_the_join_that_follows(town: Town) -> None:
    town.put_command(Reboot(), origin="config")
    await tick(town)
    reboot = only(town)
    assert reboot.state is State.SENT  # no setting, so no wish is missed for it
    town.clock.advance(2)
    await town.hear("join", other(time=town.stamp(), devAddr="00189441"))
    assert town.own.command(reboot.id).state is State.APPLIED


def test_the_sample_status_says_what_these_tests_believe() -> None:
    said = {m.quantity.name: m.value for m in codec_of("nas/ul20xx").decode_uplink(Frame(23, status(40)))}
    assert (said["lamp.level"], said["lamp.reason"]) == (40.0, "manual")
    assert codec_of("nas/ul20xx").encode_downlink(SetLevel(40, 60)) == Frame(60, bytes.fromhex("09FE283C"))
