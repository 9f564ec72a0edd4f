"""A town behind its network server, from the first join to a lamp that obeys."""

import json
from base64 import b64decode
from collections.abc import Callable
from datetime import datetime, timedelta

from chirpstack_api import integration

from decoders.catalog import decode
from decoders.codec import Frame
from simulator.chirpstack import ChirpStack
from simulator.scenario import BAY_MODEL, LAMP_MODEL, Scenario
from tests.simulator.conftest import NIGHT, Town, readable

MakeTown = Callable[..., Town]


def reading(event: dict[str, object]) -> dict[str, object]:
    """An uplink's meaning, by the same codec that the bridge uses."""
    model = LAMP_MODEL if event["deviceInfo"]["deviceClassEnabled"] == "CLASS_C" else BAY_MODEL
    return readable(decode(model, Frame(event["fPort"], b64decode(event["data"]))))


def test_a_dim_goes_down_is_repeated_by_the_lamp_and_shows_in_its_status(town: Town) -> None:
    town.run(30)
    start, heard = town.now, len(town.of("up", town.lamp))
    town.down(town.lamp, data="09fe2805", id="7f6a0a2e-5f0b-4d6c-9a54-6e5d3f0c1c55")
    town.run(30)
    sent = town.of("txack", town.lamp)[0]
    after = town.of("up", town.lamp)[heard:]
    echo = next(event for event in after if event["fPort"] == 60)
    status = next(event for event in after if event["fPort"] == 23)
    assert reading(echo) == {"device.echo": "60:09fe2805"}
    assert (reading(status)["lamp.level"], reading(status)["lamp.reason"]) == (40, "manual")
    times = [datetime.fromisoformat(event["time"]) for event in (sent, echo, status)]
    assert start <= times[0] < min(times[1:])
    assert max(times) < start + timedelta(seconds=25)


def test_every_device_joins_and_then_speaks_in_its_session(town: Town) -> None:
    devices = {eui for _, eui, _ in town.events}
    assert len(devices) == 6
    for eui in devices:
        [join] = town.of("join", eui)
        ups = town.of("up", eui)
        assert {up["devAddr"] for up in ups} == {join["devAddr"]}
        assert sorted(up["fCnt"] for up in ups) == list(range(len(ups)))
        assert min(up["time"] for up in ups) > join["time"]
        assert set(join) == {"deduplicationId", "time", "deviceInfo", "devAddr", "regionConfigId"}


def test_the_same_seed_gives_the_same_messages_and_another_seed_others() -> None:
    def messages(seed: int, step: int) -> list[tuple[str, bytes]]:
        town = ChirpStack(Scenario.load().sized(lamps=20, bays=20), seed=seed, start=NIGHT)
        return [message for minute in range(0, 120, step)
                for message in town.advance(NIGHT + timedelta(minutes=minute + step))]

    once = messages(7, 1)
    assert once == messages(7, 40), "how often we look must not matter"
    assert once != messages(8, 40)


def test_topics_carry_application_and_device(town: Town) -> None:
    fresh = ChirpStack(town.chirpstack.scenario, seed=1, start=NIGHT)
    for topic, payload in fresh.advance(NIGHT + timedelta(minutes=5)):
        info = json.loads(payload)["deviceInfo"]
        _, application, _, eui, _, kind = topic.split("/")
        assert (application, eui) == (info["applicationId"], info["devEui"])
        assert kind in ("up", "join", "ack", "txack", "log", "status")
        assert info["tenantId"] == town.chirpstack.scenario.tenant.chirpstack_tenant


def test_bays_speak_confirmed_and_lamps_do_not(town: Town) -> None:
    assert {up["confirmed"] for up in town.of("up", town.bay)} == {True}
    assert {up["confirmed"] for up in town.of("up", town.lamp)} == {False}


def test_frames_get_lost_as_often_as_configured_and_confirmed_ones_are_repeated(make_town: MakeTown) -> None:
    town = make_town(lamps=30, bays=30, uplink_loss=0.2)
    town.run(6 * 3600)
    lamps = {site.device.dev_eui for site in town.chirpstack.scenario.lamps}
    for group, most in ((lamps, None), (set(town.chirpstack._stations) - lamps, 0.01)):
        heard = sum(len(town.of("up", eui)) for eui in group)
        sent = sum(town.chirpstack._stations[eui].f_cnt_up for eui in group)
        lost = 1 - heard / sent
        assert lost < most if most is not None else 0.15 < lost < 0.25


def test_a_lost_acknowledgement_makes_the_server_hear_the_frame_again(make_town: MakeTown) -> None:
    town = make_town(lamps=1, bays=20, downlink_loss=0.3)
    town.run(4 * 3600)
    again = [event for event in town.of("log") if event["code"] == "UPLINK_F_CNT_RETRANSMISSION"]
    ups = [(eui, event["fCnt"]) for kind, eui, event in town.events if kind == "up"]
    assert again
    assert len(ups) == len(set(ups)), "a repeated frame must not become a second uplink"


def test_radio_facts_are_plausible(make_town: MakeTown) -> None:
    town = make_town(lamps=120, bays=72)
    town.run(1800)
    ups = town.of("up")
    assert {len(up["rxInfo"]) for up in ups} == {1, 2, 3}
    for up in ups:
        snrs = [info.get("snr", 0.0) for info in up["rxInfo"]]
        assert snrs == sorted(snrs, reverse=True)
        assert all(-20 <= snr <= 14 for snr in snrs)
        assert all(-140 <= info["rssi"] <= -30 for info in up["rxInfo"])
        assert up["txInfo"]["modulation"]["lora"]["spreadingFactor"] == 12 - up["dr"]
    assert len({up["dr"] for up in ups}) > 1, "some places are worse than others"


def test_bays_report_their_battery_once_a_day(make_town: MakeTown) -> None:
    town = make_town(status_interval_s=86_400, usage_interval_s=86_400)
    town.run(5 * 86_400)
    reports = town.of("status", town.bay)
    assert len(reports) == 5
    assert reports[0]["batteryLevel"] >= reports[-1]["batteryLevel"] > 80
    assert not town.of("status", town.lamp)


def test_a_rebooted_lamp_begins_a_new_session(town: Town) -> None:
    town.down(town.lamp, data="fe", port=51)
    town.run(120)
    joins = town.of("join", town.lamp)
    assert len(joins) == 2
    assert joins[0]["devAddr"] != joins[1]["devAddr"]
    last = [up for up in town.of("up", town.lamp) if up["devAddr"] == joins[1]["devAddr"]]
    assert last[0]["fCnt"] == 0


def test_what_bays_say_is_what_is_true_where_nothing_is_missed(make_town: MakeTown) -> None:
    town = make_town(lamps=1, bays=72)
    town.run(6 * 3600)
    latest: dict[str, bool] = {}
    for kind, _, event in town.events:
        if kind == "up" and event["deviceInfo"]["deviceClassEnabled"] == "CLASS_A":
            latest[event["deviceInfo"]["tags"]["asset"]] = bool(reading(event)["bay.occupied"])
    differ = [asset for asset, bay in town.chirpstack.bays.items() if latest[asset] != bay.occupied]
    assert len(differ) <= 2, "only edges of the last half minute may be unheard"


def test_protobuf_both_ways() -> None:
    scenario = Scenario.load().sized(lamps=1, bays=1).tuned(uplink_loss=0.0, downlink_loss=0.0, join_within_s=1.0)
    town = ChirpStack(scenario, seed=1, start=NIGHT, protobuf=True)
    now = NIGHT + timedelta(minutes=3)
    ups = [integration.UplinkEvent.FromString(data) for topic, data in town.advance(now) if topic.endswith("/up")]
    assert {up.device_info.tenant_name for up in ups} == {"Hilchenbach"}
    eui = scenario.lamps[0].device.dev_eui
    command = integration.DownlinkCommand(dev_eui=eui, f_port=60, data=bytes.fromhex("09fe2805"))
    town.command(f"application/{scenario.application('lamp')}/device/{eui}/command/down",
                 command.SerializeToString(), now)
    town.command(f"application/{scenario.application('lamp')}/device/{eui}/command/down", b"\x0a\xff", now)
    town.advance(now + timedelta(seconds=30))
    assert town.lamps[scenario.lamps[0].lamp.id].level == 40
    assert town.stats["commands refused"] == 1


def test_airtime_of_the_last_hour_is_known(town: Town) -> None:
    assert sum(town.chirpstack.on_air_s(gateway.id) for gateway in town.chirpstack.scenario.gateways) == 0
    town.down(town.lamp)
    town.run(10)
    used = sum(town.chirpstack.on_air_s(gateway.id) for gateway in town.chirpstack.scenario.gateways)
    assert 0.16 < used < 0.17
