"""Models and the town's own scripts over the API: listed, tried, kept, switched and removed."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.limits import RUNS_TOGETHER
from city.scripts import MAX_SOURCE
from city.settings import Settings
from city.store.ports import Role
from decoders.catalog import catalog
from decoders.javascript import Sandbox

URL = "/api/v1/tenants/alt/codecs"
MODEL = f"{URL}/acme/sl-100"
SOURCE = """
function decodeUplink(input) {
  if (input.fPort !== 10) return { errors: ["unknown port " + input.fPort] };
  return { data: { power_w: input.bytes[0] / 2, level: input.bytes[1], fw: "1." + input.bytes[2] },
           warnings: input.bytes[1] > 100 ? ["too bright"] : [] };
}
function encodeDownlink(input) { return { fPort: 7, bytes: [1, input.data.brightness] }; }
function decodeDownlink(input) { return { data: { brightness: input.bytes[1] } }; }
"""
MAPPING = {"rules": [{"leaf": "power_w", "quantity": "lamp.power"}, {"leaf": "level", "quantity": "lamp.level"}],
           "dropped": ["fw"], "orders": {"SetLevel": {"brightness": "$level"}}}
SCRIPT = {"title": "SL-100", "asset": "lamp", "source": SOURCE, "mapping": MAPPING, "device_class": "C"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as made:
        yield made


@pytest.fixture
def app(store, log, clock, sandbox):
    return create_app(store, log, clock, Settings(), sandbox)


def tried(client: TestClient, **body: object) -> dict:
    answer = client.post(f"{URL}/try", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client: TestClient, status: int = 422, **body: object) -> tuple[str, str]:
    answer = client.post(f"{URL}/try", json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()["field"], answer.json()["rule"]


def test_the_list_counts_devices_of_the_town(as_role):
    rows = {row["model"]: row for row in as_role(Role.VIEWER).get(URL).json()}
    assert rows.keys() == catalog().keys()
    assert (rows["nas/ul20xx"]["devices"], rows["bosch/tps110"]["devices"]) == (5, 6)
    lamp = rows["nas/ul20xx"]
    assert lamp["native"]
    assert lamp["on"]
    assert lamp["directions"] == ["up", "down"]
    assert lamp["documents"] == catalog()["nas/ul20xx"].source
    assert lamp["leaves_open"] == list(catalog()["nas/ul20xx"].leaves_open)


def test_an_own_script_is_listed_beside_them(engineer):
    assert engineer.put(MODEL, json=SCRIPT).status_code == 200
    row = next(row for row in engineer.get(URL).json() if row["model"] == "acme/sl-100")
    assert (row["native"], row["title"], row["device_class"], row["devices"]) == (False, "SL-100", "C", 0)
    assert row["directions"] == ["up", "down"]


def test_source_and_mapping_are_for_engineers(engineer, as_role):
    engineer.put(MODEL, json=SCRIPT)
    mine = engineer.get(MODEL).json()["script"]
    assert mine["source"] == SOURCE
    assert mine["mapping"]["orders"] == MAPPING["orders"]
    assert [rule["quantity"] for rule in mine["mapping"]["rules"]] == ["lamp.power", "lamp.level"]
    assert as_role(Role.OPERATOR).get(MODEL).json()["script"] is None
    assert engineer.get(f"{URL}/acme/other").status_code == 404


def test_a_native_frame_is_explained_field_by_field(engineer):
    found = tried(engineer, model="nas/ul20xx", port=200, hex="00")
    assert found["error"]["kind"] == "UnknownPort"
    assert "200" in found["error"]["detail"]
    up = tried(engineer, model="bosch/tps110", port=1, hex="01")
    assert {"quantity": "bay.occupied", "channel": "", "value": True, "unit": "", "plausible": True} in up["readings"]
    assert [(field["offset"], field["hex"], field["failed"]) for field in up["trace"]] == [(0, "01", False)]
    assert up["error"] is None


def test_an_order_is_encoded_and_its_frame_explained(engineer):
    found = tried(engineer, model="nas/ul20xx", direction="encode", order={"type": "SetLevel", "level": 40, "minutes": 60})
    assert found["frame"]["hex"]
    assert found["trace"]
    down = tried(engineer, model="nas/ul20xx", direction="down", **found["frame"])
    assert down["order"] == {"type": "SetLevel", "level": 40, "minutes": 60, "channel": ""}
    cannot = tried(engineer, model="bosch/tps110", direction="encode", order={"type": "SetLevel", "level": 40})
    assert cannot["error"]["kind"] == "Unsupported"


def test_a_script_is_tried_without_being_kept(engineer, town):
    found = tried(engineer, source=SOURCE, port=10, hex="3f 28 05", asset="lamp")
    assert found["object"] == {"power_w": 31.5, "level": 40, "fw": "1.5"}
    assert found["leaves"] == {"power_w": 31.5, "level": 40, "fw": "1.5"}
    assert {(rule["leaf"], rule["quantity"]) for rule in found["proposal"]["rules"]} >= {("power_w", "lamp.power")}
    assert ("lamp.power", 31.5, "W", True) in {
        (one["quantity"], one["value"], one["unit"], one["plausible"]) for one in found["readings"]}
    assert found["microseconds"] > 0
    assert not town.scripts()


def test_base64_says_the_same_as_hex(engineer):
    assert tried(engineer, source=SOURCE, port=10, base64="PygF")["object"]["power_w"] == 31.5


def test_the_given_mapping_is_used(engineer):
    rules = [{"leaf": "power_w", "quantity": "lamp.power", "scale": 10}]
    found = tried(engineer, source=SOURCE, port=10, hex="3f2805", mapping={"rules": rules, "dropped": ["fw"]})
    assert [(one["quantity"], one["value"]) for one in found["readings"]] == [
        ("lamp.power", 315.0), ("raw/new/script.level", 40.0)]


def test_what_the_script_says_is_the_answer(engineer):
    found = tried(engineer, source=SOURCE, port=11, hex="00")
    assert found["error"]["kind"] == "ScriptError"
    assert "unknown port 11" in found["error"]["detail"]
    assert tried(engineer, source=SOURCE, port=10, hex="3fc805")["warnings"] == ["too bright"]


def test_a_breach_is_an_answer_too_and_the_next_try_works(engineer):
    found = tried(engineer, source="function decodeUplink() { for (;;) {} }", hex="00")
    assert found["error"]["kind"] == "ScriptBreach"
    assert found["readings"] == []
    assert tried(engineer, source=SOURCE, port=10, hex="3f2805")["error"] is None


def test_a_script_encodes_objects_and_orders(engineer):
    engineer.put(MODEL, json=SCRIPT)
    plain = tried(engineer, source=SOURCE, direction="encode", object={"brightness": 9})
    assert plain["frame"] == {"port": 7, "hex": "0109"}
    kept = tried(engineer, model="acme/sl-100", direction="encode", order={"type": "SetLevel", "level": 40})
    assert kept["frame"] == {"port": 7, "hex": "0128"}
    assert tried(engineer, model="acme/sl-100", direction="down", port=7, hex="0128")["object"] == {"brightness": 40}
    assert tried(engineer, model="acme/sl-100", direction="encode", order={"type": "Reboot"})["error"]["kind"] == "Unsupported"


def test_what_the_network_server_decoded_goes_through_the_mapping(engineer):
    found = tried(engineer, source="", object={"lamp": {"power_w": 12}}, mapping={
        "rules": [{"leaf": "lamp.power_w", "quantity": "lamp.power"}]})
    assert [(one["quantity"], one["value"]) for one in found["readings"]] == [("lamp.power", 12.0)]


@pytest.mark.parametrize(("body", "field", "rule"), [
    ({"source": SOURCE, "hex": "abc"}, "hex", "hex"),
    ({"source": SOURCE, "hex": "00" * 243}, "hex", "≤ 242 bytes"),
    ({"source": SOURCE, "hex": "00", "port": 224}, "port", "1…223"),
    ({"source": SOURCE, "hex": "00", "base64": "AA=="}, "base64", "hex or base64"),
    ({"source": SOURCE, "base64": "§§"}, "base64", "base64"),
    ({"source": "x" * (MAX_SOURCE + 1), "hex": "00"}, "source", "≤ 256 kB"),
    ({"hex": "00"}, "model", "required"),
    ({"source": SOURCE, "direction": "encode"}, "object", "required"),
    ({"model": "nas/ul20xx", "direction": "encode"}, "order", "required"),
    ({"model": "nas/ul20xx", "direction": "encode", "order": {"type": "Explode"}}, "order", "schema"),
    ({"source": SOURCE, "hex": "00", "variables": {str(n): "" for n in range(65)}}, "variables", "size"),
])
def test_what_cannot_be_tried_is_refused_by_name(engineer, body, field, rule):
    assert refused(engineer, **body) == (field, rule)


@pytest.mark.parametrize(("body", "field"), [
    ('{"source": "", "object": {"x": "\\ud800"}}', "object"),
    ('{"source": "", "object": ' + '{"a":' * 200 + "1" + "}" * 201, "object"),
    ('{"source": "\\ud800", "hex": "00"}', "source"),
    ('{"source": "x", "hex": "00", "variables": {"a": "\\ud800"}}', "variables"),
    ('{"model": "nas/ul20xx", "direction": "encode", "order": {"type": "\\ud800"}}', "order"),
    ('{"source": "x", "hex": "00", "mapping": {"orders": {"SetLevel": {"a": "$level", "b": "\\ud800"}}}}', "mapping"),
])
def test_what_no_store_and_no_answer_can_hold_is_refused(engineer, body, field):
    answer = engineer.post(f"{URL}/try", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["field"], answer.json()["rule"]) == (422, field, "JSON")


def test_numbers_without_end_are_no_numbers(engineer):
    body = '{"source": "", "object": {"x": 1e400, "y": NaN, "z": 1}}'
    answer = engineer.post(f"{URL}/try", content=body, headers={"Content-Type": "application/json"})
    assert answer.json()["leaves"] == {"z": 1}


def test_unknown_models_and_fields_are_refused(engineer):
    assert refused(engineer, 404, model="acme/none", hex="00") == ("model", "exists")
    assert refused(engineer, sauce="x")[0] == "sauce"


def test_trying_costs_and_is_limited(engineer, clock):
    for _ in range(RUNS_TOGETHER):
        tried(engineer, model="bosch/tps110", port=1, hex="01")
    answer = engineer.post(f"{URL}/try", json={"model": "bosch/tps110", "port": 1, "hex": "01"})
    assert answer.status_code == 429
    clock.advance(int(answer.headers["retry-after"]))
    tried(engineer, model="bosch/tps110", port=1, hex="01")


def test_a_script_must_run_before_it_is_kept(engineer, town):
    for source in ("function decodeUplink( {", "var x = 1;"):
        answer = engineer.put(MODEL, json={**SCRIPT, "source": source})
        assert (answer.status_code, answer.json()["field"], answer.json()["rule"]) == (422, "source", "runs")
    assert not town.scripts()


@pytest.mark.parametrize(("change", "field"), [
    ({"mapping": {"rules": [{"leaf": "x", "quantity": "lamp.nonsense"}]}}, "rules[0]"),
    ({"mapping": {"rules": [{"leaf": "x", "quantity": "bay.occupied"}]}}, "rules[0]"),
    ({"mapping": {"orders": {"Explode": {}}}}, "orders"),
    ({"mapping": {"rules": [{"leaf": "x", "quantity": "lamp.power", "words": {"1": 10 ** 400}}]}},
     "mapping.rules.0.words.1.bool"),
    ({"heartbeat_s": 1}, "heartbeat_s"),
    ({"device_class": "D"}, "device_class"),
    ({"title": "x" * 81}, "title"),
    ({"max_minutes": 0}, "max_minutes"),
    ({"source": "ä" * (MAX_SOURCE // 2 + 1)}, "source"),
])
def test_what_cannot_be_kept_is_refused_by_name(engineer, town, change, field):
    answer = engineer.put(MODEL, json={**SCRIPT, **change})
    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert not town.scripts()


def test_names_of_native_models_are_taken(engineer):
    answer = engineer.put(f"{URL}/nas/ul20xx", json=SCRIPT)
    assert (answer.status_code, answer.json()["field"]) == (409, "model")
    assert engineer.put(f"{URL}/ACME/sl", json=SCRIPT).json()["rule"] == "vendor/model"


def test_a_mapping_alone_is_kept_for_what_the_network_server_decodes(engineer, town):
    assert engineer.put(MODEL, json={**SCRIPT, "source": "", "mapping": {"rules": MAPPING["rules"]}}).status_code == 200
    assert town.script("acme/sl-100").source == ""


def test_a_model_that_only_the_network_server_reads_is_described_and_then_imported(engineer, town):
    header = "asset,kind,name,latitude,longitude,zone,circuit,dev_eui,model,power_w,lighting_class,restriction"
    rows = f"{header}\nX-1,lamp,,48.7,13.8,nord,,70b3d57ed00001ff,acme/sl-100,40,,\n"
    where, csv = "/api/v1/tenants/alt/imports", {"Content-Type": "text/csv"}
    refused = engineer.post(where, content=rows, headers=csv).text
    assert "Describe it first, under Models" in refused
    assert "Beschreiben Sie es zuerst" in engineer.post(where, content=rows, headers={**csv, "Accept-Language": "de"}).text
    answer = engineer.put(MODEL, json={"title": "SL-100", "asset": "lamp"})
    assert answer.status_code == 200, answer.text
    assert engineer.post(where, content=rows, headers=csv).json()["imported"] == 1
    assert town.script("acme/sl-100").source == ""


def test_switched_off_and_on_again(engineer, town):
    engineer.put(MODEL, json=SCRIPT)
    off = engineer.post(f"{MODEL}/switch", json={"on": False}).json()
    assert (off["on"], bool(off["off"])) == (False, True)
    engineer.put(MODEL, json={**SCRIPT, "title": "New"})
    assert town.script("acme/sl-100").off, "saving does not switch it on"
    assert engineer.post(f"{MODEL}/switch", json={"on": True}).json()["on"]
    assert engineer.post(f"{URL}/acme/none/switch", json={"on": True}).status_code == 404


def test_removed_unless_devices_need_it(engineer, town):
    engineer.put(MODEL, json=SCRIPT)
    head = "asset,kind,name,latitude,longitude,zone,circuit,dev_eui,model,power_w,lighting_class,restriction\n"
    row = "N1,lamp,Neu 1,51.1,8.3,neu,,c0c0c0c0c0c0c0c0,acme/sl-100,40,,\n"
    assert engineer.post("/api/v1/tenants/alt/imports", content=head + row,
                         headers={"Content-Type": "text/csv"}).json()["imported"] == 1
    assert engineer.delete(MODEL).status_code == 409
    assert engineer.put(f"{URL}/acme/sl-101", json=SCRIPT).status_code == 200
    assert engineer.delete(f"{URL}/acme/sl-101").status_code == 204
    assert [script.model for script in town.scripts()] == ["acme/sl-100"]


def test_a_lamp_whose_script_can_dim_is_dimmed(engineer):
    engineer.put(MODEL, json=SCRIPT)
    head = "asset,kind,name,latitude,longitude,zone,circuit,dev_eui,model,power_w,lighting_class,restriction\n"
    row = "N1,lamp,Neu 1,51.1,8.3,neu,,c0c0c0c0c0c0c0c0,acme/sl-100,40,,\n"
    engineer.post("/api/v1/tenants/alt/imports", content=head + row, headers={"Content-Type": "text/csv"})
    answer = engineer.put("/api/v1/tenants/alt/luminaires/N1/override", json={"level": 40, "minutes": 60})
    assert answer.status_code == 202, answer.text


def test_every_change_is_in_the_audit(engineer, town):
    engineer.put(MODEL, json=SCRIPT)
    engineer.post(f"{MODEL}/switch", json={"on": False})
    engineer.delete(MODEL)
    assert [line.action for line in town.audit_lines()] == ["remove codec", "switch codec off", "save codec"]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_only_engineers_try_and_change(as_role, role):
    client = as_role(role)
    assert client.post(f"{URL}/try", json={"source": SOURCE, "hex": "00"}).status_code == 403
    assert client.put(MODEL, json=SCRIPT).status_code == 403
    assert client.post(f"{MODEL}/switch", json={"on": True}).status_code == 403
    assert client.delete(MODEL).status_code == 403


def test_scripts_of_another_town_are_nobodys_business(engineer, as_role):
    engineer.put(MODEL, json=SCRIPT)
    other = as_role(Role.ENGINEER, "neu")
    assert other.get("/api/v1/tenants/neu/codecs/acme/sl-100").status_code == 404
    assert "acme/sl-100" not in {row["model"] for row in other.get("/api/v1/tenants/neu/codecs").json()}


def test_what_the_server_started_for_scripts_ends_with_it(store, log, clock, token):
    app = create_app(store, log, clock, Settings())
    with TestClient(app, headers={"Authorization": f"Bearer {token('alt', Role.ENGINEER)}"}) as client:
        tried(client, source=SOURCE, port=10, hex="3f2805")
        assert app.state.platform.sandbox.processes()
    assert not app.state.platform.sandbox.processes()
