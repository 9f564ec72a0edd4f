"""What the doctor makes of facts: each trouble is found, named and mended; a healthy chain is left in peace."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from city.clock import ManualClock, SystemClock
from city.ids import TenantId
from city.quantities import Kind, quantities
from city.readings import to_ns
from city.settings import Database, Influx, Log, Mqtt, Secret, Settings
from city.store.influx_bays import Kept, Server, duration_s
from city.store.influx_places import of_town
from gateway_bridge.doctor.__main__ import Wanted, examine
from gateway_bridge.doctor.broker import Greeting, Heard, Queue
from gateway_bridge.doctor.files import judge_chirpstack, judge_mosquitto, read_chirpstack, read_mosquitto
from gateway_bridge.doctor.findings import Finding, Level, as_json, broken, exit_code, ok, show, unknown, warning
from gateway_bridge.doctor.host import Disk, Machine, judge_disk, judge_machine, probe_disk
from gateway_bridge.doctor.judge_broker import (
    Traffic,
    judge_greeting,
    judge_queue,
    judge_session,
    judge_skew,
    judge_takeover,
    judge_traffic,
    judge_transport,
)
from gateway_bridge.doctor.judge_services import expected, judge_api, judge_database, judge_influx, judge_towns, judge_types
from gateway_bridge.doctor.services import ApiFacts, DatabaseFacts, InfluxFacts, probe_influx
from tests.city_store.influx2_server import OPERATOR, ORG, influx2
from tests.city_store.influx3_server import influx3
from tests.gateway_bridge.samples import encode, topic, up

ROOT = Path(__file__).parents[2]
TOPIC = "application/+/device/+/event/+"
NOW = datetime(2026, 7, 18, 9, 35, tzinfo=UTC)
WEEK = 7 * 86400


def worst(findings: object) -> list[tuple[str, Level]]:
    """What is not well; each such thing must have a mend."""
    found = [item for item in findings if item.level is not Level.OK]  # type: ignore[attr-defined]
    assert all(item.mend for item in found if item.level is not Level.UNKNOWN)
    return [(item.check, item.level) for item in found]


def heard(seconds: float = -1.0, qos: int = 1, *, retain: bool = False, where: str = "") -> Heard:
    """An uplink dated so many seconds after it came."""
    at = (NOW + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
    return Heard(where or topic("up"), encode(up(time=at)), qos, retain, to_ns(NOW))


@pytest.mark.parametrize(("greeting", "share", "found"), [
    (Greeting(WEEK, None, None, True, "mosquitto version 2.0.11"), "", []),
    (Greeting(WEEK, 3600), "", [("session expiry", Level.BROKEN)]),
    (Greeting(0, 0), "", [("session expiry", Level.BROKEN)]),
    (Greeting(3600), "", [("session expiry", Level.WARNING)]),
    (Greeting(WEEK, maximum_qos=0), "", [("broker QoS", Level.BROKEN)]),
    (Greeting(WEEK, shared=False), "group", [("shared subscription", Level.BROKEN)]),
    (Greeting(WEEK, shared=False), "", []),
    (Greeting(WEEK, version="mosquitto version 1.6.12"), "", [("broker version", Level.WARNING)])])
def test_what_a_broker_grants(greeting: Greeting, share: str, found: list[tuple[str, Level]]) -> None:
    assert worst(judge_greeting(greeting, share)) == found


def test_a_session_that_is_forgotten() -> None:
    assert worst([judge_session(True)]) == []
    assert worst([judge_session(False)]) == [("session kept", Level.BROKEN)]


@pytest.mark.parametrize(("queue", "five", "found"), [
    (Queue(1200, 1200, 1000), False, []),
    (Queue(1200, 1000, 20), False, [("max_queued_messages", Level.BROKEN), ("max_inflight_messages", Level.WARNING)]),
    (Queue(1200, 1000, 20), True, [("max_queued_messages", Level.BROKEN)]),
    (Queue(refused="Not authorized"), False, [("queue", Level.UNKNOWN)]),
    (Queue(1200, 0, 0), False, [("queue", Level.UNKNOWN)])])
def test_what_a_broker_keeps(queue: Queue, five: bool, found: list[tuple[str, Level]]) -> None:
    assert worst(judge_queue(queue, 1000, five=five)) == found


def test_good_traffic() -> None:
    assert worst(judge_traffic(Traffic(TOPIC, 10, [heard(), heard(-0.2)]))) == []


@pytest.mark.parametrize(("ours", "found"), [
    ([heard(qos=0), heard()], [("event QoS", Level.BROKEN)]),
    ([heard(), heard(retain=True)], [("retained", Level.WARNING)]),
    ([heard(120)], [("event clock", Level.WARNING)]),
    ([heard(-7200)], [("event clock", Level.BROKEN)]),
    ([replace(heard(), payload=b"\x00\xff" * 9)], [("event format", Level.WARNING)])])
def test_traffic_that_tells_of_trouble(ours: list[Heard], found: list[tuple[str, Level]]) -> None:
    assert worst(judge_traffic(Traffic(TOPIC, 10, ours))) == found


def test_one_device_that_buffers_does_not_accuse_the_clock() -> None:
    assert worst(judge_traffic(Traffic(TOPIC, 10, [heard(), heard(), heard(-7200)]))) == []


def test_a_wrong_prefix_is_found_and_the_right_one_named() -> None:
    application = f"{'a1' * 4}-0000-0000-0000-{'0' * 12}"
    wide = [Heard(f"town/application/{application}/device/70b3d57ed000004{n}/event/up", b"") for n in range(3)]
    (finding,) = judge_traffic(Traffic(TOPIC, 10, (), [*wide, Heard("heating/room", b"")]))
    assert finding.level is Level.BROKEN
    assert 'mqtt.topic = "town/application/+/device/+/event/+"' in finding.mend


def test_only_the_gateways_are_heard() -> None:
    (finding,) = judge_traffic(Traffic(TOPIC, 10, (), [Heard("eu868/gateway/0016c001f153a14c/event/stats", b"")]))
    assert finding.level is Level.BROKEN
    assert "eu868/gateway/#" in finding.sentence
    assert '[integration] enabled = ["mqtt"]' in finding.mend


def test_silence_is_said_to_be_silence() -> None:
    (finding,) = judge_traffic(Traffic(TOPIC, 10, (), [Heard("heating/room", b"")]))
    assert finding.level is Level.UNKNOWN
    assert "heating" in finding.sentence


def test_the_way_to_the_broker() -> None:
    plain = Mqtt(url="mqtt://broker.example", password=Secret("secret"))
    assert worst([judge_transport(plain, "broker.example", tls=False)]) == [("transport", Level.WARNING)]
    assert worst([judge_transport(plain, "broker.example", tls=True), judge_transport(plain, "127.0.0.1", tls=False)]) == []


@pytest.mark.parametrize(("before", "after", "level"), [(3, 3, Level.OK), (3, 4, Level.OK), (3, 9, Level.BROKEN),
                                                        (None, 9, Level.UNKNOWN), (3, None, Level.UNKNOWN)])
def test_two_bridges_with_one_name(before: float | None, after: float | None, level: Level) -> None:
    assert judge_takeover(before, after, 10).level is level


@pytest.mark.parametrize(("ahead", "level"), [(0.4, Level.OK), (-4, Level.OK), (20, Level.WARNING), (-20, Level.WARNING),
                                              (4000, Level.BROKEN)])
def test_clocks(ahead: float, level: Level) -> None:
    assert judge_skew("x", ahead, "InfluxDB's").level is level


def conf(tmp_path: Path, text: str) -> list[tuple[str, Level]]:
    path = tmp_path / "mosquitto.conf"
    path.write_text(text, encoding="utf-8")
    return worst(judge_mosquitto(read_mosquitto(path)))


def test_the_shipped_configuration_is_well(tmp_path: Path) -> None:
    shipped = (ROOT / "deploy/mosquitto.conf").read_text(encoding="utf-8")
    assert conf(tmp_path, shipped.replace("#persistence", "persistence")) == []


def test_debians_own_configuration_with_ours_included(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/stadtfunk.conf").write_bytes((ROOT / "deploy/mosquitto.conf").read_bytes())
    assert conf(tmp_path, f"persistence true\ninclude_dir {tmp_path}/conf.d\n") == []


@pytest.mark.parametrize(("text", "found"), [
    ("listener 1883", [("broker's disk", Level.BROKEN)]),
    ("persistence true", [("broker's autosave", Level.WARNING), ("dead sessions", Level.WARNING)]),
    ("persistence true\nautosave_interval 0\npersistent_client_expiration 1m", [("broker's autosave", Level.WARNING)]),
    ("persistence true\nautosave_on_changes true\nautosave_interval 1\npersistent_client_expiration 1w",
     [("broker's autosave", Level.WARNING)]),
    ("persistence true\nautosave_interval 30\npersistent_client_expiration 1h", [("dead sessions", Level.BROKEN)]),
    ("persistence true\nautosave_interval 30\npersistent_client_expiration 14d\nallow_anonymous true",
     [("anonymous", Level.WARNING)])])
def test_configurations_that_lose(tmp_path: Path, text: str, found: list[tuple[str, Level]]) -> None:
    assert conf(tmp_path, text) == found


def test_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    assert worst(judge_mosquitto(read_mosquitto(tmp_path / "none"))) == [("broker's disk", Level.UNKNOWN)]
    assert worst(judge_mosquitto(None)) == [("broker's disk", Level.UNKNOWN)]


CHIRPSTACK = """[integration]
enabled = ["mqtt"]
[integration.mqtt]
"""
SESSION = 'client_id = "x"\nsession_expiry_interval = "1h"\n'
BEST = '[[regions]]\nid = "eu868"\n[regions.network]\ngateway_prefer_min_margin = 1000.0\n'


@pytest.mark.parametrize(("text", "found"), [
    (CHIRPSTACK + "qos = 1\n" + SESSION, []),
    (CHIRPSTACK, [("ChirpStack's QoS", Level.BROKEN), ("ChirpStack's session", Level.WARNING)]),
    (CHIRPSTACK + 'qos = 1\nclient_id = "x"\nsession_expiry_interval = "0s"', [("ChirpStack's session", Level.WARNING)]),
    (CHIRPSTACK + 'qos = 1\nclean_session = true\n' + SESSION, [("ChirpStack's session", Level.WARNING)]),
    (CHIRPSTACK + 'qos = 1\nsession_expiry_interval = "1h"', [("ChirpStack's session", Level.WARNING)]),
    (CHIRPSTACK.replace('"mqtt"', "") + "qos = 1\n" + SESSION, [("ChirpStack's integration", Level.BROKEN)]),
    (CHIRPSTACK + 'qos = 1\nevent_topic = "town/{{dev_eui}}/{{event}}"\n' + SESSION, [("ChirpStack's topic", Level.WARNING)]),
    ("[integration", [("chirpstack.toml", Level.UNKNOWN)])])
def test_how_chirpstack_is_told_to_publish(tmp_path: Path, text: str, found: list[tuple[str, Level]]) -> None:
    path = tmp_path / "chirpstack.toml"
    path.write_text(text, encoding="utf-8")
    (tmp_path / "region_eu868.toml").write_text(BEST, encoding="utf-8")
    assert worst(judge_chirpstack(read_chirpstack(path))) == found
    assert worst(judge_chirpstack(read_chirpstack(tmp_path))) == found


@pytest.mark.parametrize(("regions", "level", "says"), [
    (BEST, Level.OK, "hears a lamp best"),
    (BEST + BEST.replace("eu868", "us915_0").replace("1000.0", "10.0"), Level.OK, "hears a lamp best"),  # not enabled
    (BEST.replace("1000.0", "10.0"), Level.WARNING, "eu868 (10 dB)"),
    ('[[regions]]\nname = "eu868"\n', Level.WARNING, "eu868 (10 dB)"),
    ("", Level.UNKNOWN, "were not found")])
def test_which_gateway_chirpstack_lets_send(tmp_path: Path, regions: str, level: Level, says: str) -> None:
    path = tmp_path / "chirpstack.toml"
    path.write_text('[network]\nenabled_regions = ["eu868"]\n' + CHIRPSTACK + "qos = 1\n" + SESSION, encoding="utf-8")
    (tmp_path / "region_eu868.toml").write_text(regions, encoding="utf-8")
    *_, found = judge_chirpstack(read_chirpstack(path))
    assert (found.level, says in found.sentence) == (level, True)
    assert level is Level.OK or "gateway_prefer_min_margin" in found.mend


DISK = Disk("/log", "", "ext4", 10**12, 10**6, (0.001,) * 50)


@pytest.mark.parametrize(("disk", "found"), [
    (DISK, []),
    (replace(DISK, problem="Permission denied"), [("log directory", Level.BROKEN)]),
    (replace(DISK, kind="tmpfs"), [("log's file system", Level.BROKEN)]),
    (replace(DISK, kind="nfs4"), [("log's file system", Level.BROKEN)]),
    (replace(DISK, free=10**8), [("disk", Level.BROKEN)]),
    (replace(DISK, free=10**9), [("disk", Level.WARNING)]),
    (replace(DISK, inodes=50), [("inodes", Level.WARNING)]),
    (replace(DISK, inodes=None), []),
    (replace(DISK, syncs_s=(0.03,) * 50), [("fsync", Level.WARNING)]),
    (replace(DISK, syncs_s=(0.001,) * 48 + (0.2, 0.2)), [("fsync", Level.WARNING)]),
    (replace(DISK, syncs_s=(1e-6,) * 50), [("fsync", Level.WARNING)]),
    (replace(DISK, syncs_s=()), [("fsync", Level.UNKNOWN)])])
def test_disks(disk: Disk, found: list[tuple[str, Level]]) -> None:
    assert worst(judge_disk(disk)) == found


def test_a_real_disk_is_measured_and_left_clean(tmp_path: Path) -> None:
    disk = probe_disk(tmp_path / "log")
    assert len(disk.syncs_s) == 50
    assert disk.free > 0
    assert list((tmp_path / "log").iterdir()) == []


def test_a_directory_that_is_a_file_cannot_hold_the_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("x", encoding="utf-8")
    assert worst(judge_disk(probe_disk(tmp_path / "log"))) == [("log directory", Level.BROKEN)]


def test_machines() -> None:
    well = Machine("3.12.1", (("paho-mqtt", "2.2.0"),), 65536, True, True)
    assert worst(judge_machine(well)) == []
    assert worst(judge_machine(replace(well, descriptors=None))) == []
    assert worst(judge_machine(replace(well, descriptors=256))) == [("descriptors", Level.WARNING)]
    assert worst(judge_machine(replace(well, descriptors_known=False, synced=False))) == [
        ("time service", Level.UNKNOWN), ("descriptors", Level.UNKNOWN)]


@pytest.mark.parametrize(("measurement", "field", "kind"), [
    ("lamp", "level", "float"), ("lamp", "dali_level", "integer"), ("lamp", "lit", "boolean"), ("lamp", "reason", "string"),
    ("radio", "fcnt", "integer"), ("lamp", "level_x", None), ("weather", "rain", None)])
def test_what_we_write_into_a_column(measurement: str, field: str, kind: str | None) -> None:
    assert expected(measurement, field) == kind


def test_a_facet_of_a_device_has_the_type_of_its_quantity() -> None:
    assert expected("device", "uplinks_dr5") == expected("device", "uplinks") is not None


def test_types_that_conflict() -> None:
    columns = [("lamp", "level", "integer"), ("lamp", "power", "float"), ("lamp", "reason", "string"),
               ("lamp", "reason", "float"), ("weather", "rain", "string")]
    found = list(judge_types(columns))
    assert worst(found) == [("InfluxDB's types", Level.BROKEN)] * 2
    assert "lamp.level as integer; we write float" in found[0].sentence
    assert "lamp.reason as float and string; we write string" in found[1].sentence
    assert 'DROP MEASUREMENT "lamp"' in found[0].mend


def test_all_conflicts_at_once_stay_readable() -> None:
    wrong = [(row.measurement, row.field, "float" if row.kind is Kind.TEXT else "string") for row in quantities()]
    found = list(judge_types(wrong))
    assert len(found) == 21
    assert "more columns" in found[-1].sentence


INFLUX = InfluxFacts(version="1.6.7", fields=(("lamp", "level", "float"),), ahead_s=0.2,
                     retentions=({"name": "autogen", "duration": "0s", "default": True},))


@pytest.mark.parametrize(("facts", "found"), [
    (INFLUX, []),
    (replace(INFLUX, problem="InfluxDB does not let us in (401): x"), [("InfluxDB", Level.BROKEN)]),
    (replace(INFLUX, ahead_s=60.0), [("InfluxDB's clock", Level.WARNING)]),
    (replace(INFLUX, unasked="no DBRP"), [("InfluxDB's types", Level.UNKNOWN)]),
    (replace(INFLUX, retentions=()), []),
    (replace(INFLUX, retentions=({"name": "short", "duration": "24h0m0s", "default": True},)),
     [("InfluxDB's retention", Level.WARNING)])])
def test_influxdb(facts: InfluxFacts, found: list[tuple[str, Level]]) -> None:
    assert worst(judge_influx(facts, Influx(url="http://x"), 7)) == found


def test_each_town_s_place_is_judged_and_of_the_shared_one_only_what_is_left_there() -> None:
    shared = Influx(url="http://x", bucket="stadt", bays="no")
    places = [of_town(shared, TenantId(town)) for town in ("a", "b", "c")]
    wrong = replace(INFLUX, ahead_s=None, fields=(("frame", "hex", "float"), ("control", "planned", "integer")))
    gone = InfluxFacts(problem="InfluxDB does not let us in (403): no")
    found = list(judge_towns([(places[0], INFLUX), (places[1], wrong), (places[2], gone),
                              (shared, replace(INFLUX, fields=(("bay", "occupied", "boolean"), ("lamp", "level", "string"))))],
                             shared, 7))
    bad = [item for item in found if item.level is not Level.OK]
    assert [(item.check, item.sentence.split(" ")[0]) for item in bad] == [
        ("InfluxDB's types", "stadt_b"), ("InfluxDB", "stadt_c:"), ("InfluxDB's older bays", "stadt")]
    assert "frame.hex as float; we write string" in bad[0].sentence
    assert [item.check for item in found if item.level is Level.OK].count("InfluxDB") == 1


@pytest.mark.parametrize(("version", "towns", "level"), [("3.6.0", 1, []), ("3.6.0", 2, [Level.WARNING]), ("2.7.11", 9, [])])
def test_that_influxdb_3_core_has_room_for_one_town_is_said_before_a_second_one_waits(version: str, towns: int,
                                                                                     level: list[Level]) -> None:
    shared = Influx(url="http://x", bucket="stadt", bays="no")
    places = [of_town(shared, TenantId(f"town-{number}")) for number in range(towns)]
    found = list(judge_towns([(place, replace(INFLUX, version=version)) for place in (*places, shared)], shared, 7))
    room = [item for item in found if item.check == "InfluxDB's databases"]
    assert [item.level for item in room] == level
    assert all("influx.per_town = false" in item.mend and "9 databases" in item.sentence for item in room)


def test_how_long_influxdb_3_keeps_readings_is_asked_where_it_says_so() -> None:
    clock = ManualClock(NOW)
    with influx3(databases={"town": 2 * 86_400 * 10**9}) as server:
        short = probe_influx(Influx(url=server.url, bucket="town", bays="no"), clock)
        server.databases["town"] = None
        ever = probe_influx(Influx(url=server.url, bucket="town", bays="no"), clock)
        gone = probe_influx(Influx(url=server.url, bucket="other", bays="no"), clock)
    said = [[item for item in judge_influx(facts, Influx(bucket="town", bays="no"), 7) if item.check == "InfluxDB's retention"]
            for facts in (short, ever)]
    assert [(item.level, item.sentence.partition(",")[0]) for [item] in said] == [
        (Level.WARNING, "town forgets after 48h"), (Level.OK, "town keeps readings for ever.")]
    assert said[0][0].mend.startswith("influxdb3 update database --database town")
    assert [item.level for item in judge_influx(gone, Influx(bucket="other", bays="no"), 7)
            if item.check == "InfluxDB's types"] == [Level.OK]


def test_of_influxdb_2_is_said_how_long_the_bucket_keeps_and_that_the_token_may_not_read_it() -> None:
    clock, made = ManualClock(NOW), {"id": "0b", "name": "town", "retentionRules": [{"type": "expire", "everySeconds": 172_800}]}
    with influx2(buckets={"town": made}) as server:
        settings = Influx(url=server.url, bucket="town", org=ORG["name"], token=Secret(OPERATOR), bays="no")
        kept = probe_influx(settings, clock)
        server.tokens["1"] = {"token": "write-only", "status": "active", "permissions": [
            {"action": "write", "resource": {"type": "buckets", "id": "0b"}}]}
        unread = probe_influx(replace(settings, token=Secret("write-only")), clock)
        gone = probe_influx(replace(settings, bucket="other"), clock)
    assert [(item.check, item.mend) for item in judge_influx(kept, settings, 7) if item.level is Level.WARNING] == [
        ("InfluxDB's retention", "influx bucket update --id ID --retention 0")]
    assert worst(judge_influx(unread, settings, 7)) == [("InfluxDB's rights", Level.WARNING)]
    assert worst(judge_influx(gone, settings, 7)) == []


def test_a_wrong_token_has_another_mend_than_silence() -> None:
    mends = [next(iter(judge_influx(InfluxFacts(problem=words), Influx(), 7))).mend
             for words in ("InfluxDB does not let us in (403): x", "InfluxDB has no such bucket or database: x", "silence")]
    assert ["token" in mends[0], "bucket" in mends[1], "start InfluxDB" in mends[2]] == [True] * 3


DAY = 86400


@pytest.mark.parametrize(("kept", "level", "mend"), [
    (Kept(Server.ONE, there=False), Level.OK, ""),
    (Kept(Server.TWO, there=False), Level.WARNING, "influx bucket create --name town_bays --org stadt --retention 7d"),
    (Kept(Server.ONE, there=True, seconds=7 * DAY), Level.OK, ""),
    (Kept(Server.TWO, there=True, seconds=3 * DAY), Level.OK, ""),
    (Kept(Server.ONE, there=True, seconds=0), Level.BROKEN, 'ALTER RETENTION POLICY "autogen" ON "town_bays" DURATION 7d'),
    (Kept(Server.TWO, there=True, seconds=30 * DAY), Level.BROKEN, "influx bucket update --id ID --retention 7d"),
    (Kept(Server.THREE, there=True, seconds=0), Level.BROKEN, "influxdb3 create database --retention-period 7d town_bays"),
    (Kept(Server.VICTORIA, there=True, words="one retention"), Level.WARNING, 'influx.bays = "no"'),
    (Kept(Server.TWO, there=True, words="forbidden"), Level.WARNING, "the token has to read buckets")])
def test_where_single_bays_are_kept_too_long_the_doctor_says_what_to_type(kept: Kept, level: Level, mend: str) -> None:
    found = [item for item in judge_influx(replace(INFLUX, bays=kept), Influx(url="http://x", bucket="town", org="stadt"), 7)
             if item.check == "InfluxDB's bays"]
    assert [(item.level, mend in item.mend) for item in found] == [(level, True)]


def test_bays_that_an_older_version_has_left_among_all_others_are_found() -> None:
    facts = replace(INFLUX, fields=(("bay", "occupied", "boolean"), ("lamp", "level", "float")))
    assert worst(judge_influx(facts, Influx(url="http://x", bays="no"), 7)) == [("InfluxDB's older bays", Level.BROKEN)]


def test_influxdbs_durations() -> None:
    assert [duration_s(text) for text in ("0s", "168h0m0s", "1h30m0s", "52w")] == [0, 604800, 5400, 52 * 604800]


DATABASE = DatabaseFacts(at="0004", newest="0004", server="3.45", towns=1)
POSTGRESQL = replace(DATABASE, sqlite=False, server="15.4", options={"fsync": "on", "synchronous_commit": "on"})


@pytest.mark.parametrize(("facts", "shared", "found"), [
    (DATABASE, False, []),
    (POSTGRESQL, True, []),
    (replace(DATABASE, problem="no answer"), False, [("city database", Level.BROKEN)]),
    (replace(DATABASE, at="0003"), False, [("city database", Level.WARNING)]),
    (replace(DATABASE, at=None), False, [("city database", Level.WARNING)]),
    (replace(DATABASE, at="0009"), False, [("city database", Level.BROKEN)]),
    (replace(DATABASE, towns=0), False, [("towns", Level.WARNING)]),
    (DATABASE, True, [("database engine", Level.BROKEN)]),
    (replace(POSTGRESQL, server="11.2"), False, [("PostgreSQL's version", Level.WARNING)]),
    (replace(POSTGRESQL, options={"fsync": "off", "synchronous_commit": "off"}), False,
     [("PostgreSQL's fsync", Level.BROKEN), ("PostgreSQL's synchronous_commit", Level.BROKEN)])])
def test_city_databases(facts: DatabaseFacts, shared: bool, found: list[tuple[str, Level]]) -> None:
    assert worst(judge_database(facts, shared=shared)) == found


def test_chirpstacks_api() -> None:
    assert worst(judge_api(ApiFacts(version="4.13.0", ahead_s=0.1))) == []
    assert worst(judge_api(ApiFacts(version="3.16.2"))) == [("ChirpStack's version", Level.BROKEN)]
    assert worst(judge_api(ApiFacts("it answers UNAUTHENTICATED"))) == [("ChirpStack's API", Level.WARNING)]
    assert worst(judge_api(ApiFacts(version="4.13.0", ahead_s=-90.0))) == [("ChirpStack's clock", Level.WARNING)]


ALL = [ok("a", "fine"), unknown("b", "who knows", "look"), warning("c", "hm", "do"), broken("d", "no \x1b[2J", "mend\u202e")]


@pytest.mark.parametrize(("findings", "code"), [(ALL[:2], 0), (ALL[:3], 1), (ALL, 2), ([], 0)])
def test_the_exit_code_is_the_worst(findings: list[Finding], code: int) -> None:
    assert exit_code(findings) == code
    assert json.loads(as_json(findings))["exit_code"] == code


def test_what_is_shown_has_the_worst_last_and_cannot_steer_a_terminal() -> None:
    out = StringIO()
    show(list(reversed(ALL)), Console(file=out, width=100))
    text = out.getvalue()
    assert text.index("fine") < text.index("who knows") < text.index("hm") < text.index("no ")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert [row["level"] for row in json.loads(as_json(ALL))["findings"]] == ["ok", "unknown", "warning", "broken"]


def test_an_address_that_is_none_is_a_finding_and_no_crash(tmp_path: Path) -> None:
    wrong = Settings(mqtt=Mqtt(url="http://broker"), log=Log(str(tmp_path / "log")),
                     database=Database(Secret(f"sqlite:///{tmp_path}/city.db")), influx=Influx(url="nonsense"))
    found = {item.check: item for item in examine(wrong, Wanted(), SystemClock())}
    assert found["broker"].level is found["InfluxDB"].level is Level.BROKEN
    assert found["city database"].level is Level.WARNING
