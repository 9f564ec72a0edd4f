"""`stadtfunk dashboards render`: files that Grafana can read, without a secret in them."""

import json
import re
from pathlib import Path

import pytest
import yaml as pyyaml

from city.errors import Invalid
from city.ids import TenantId
from city.places import Site, Tenant
from city.settings import Influx
from city.store.opening import open_store
from dashboards.__main__ import main
from dashboards.boards import BOARDS
from dashboards.provisioning import Seat, alerting, datasources, providers, reading, variable, yaml
from dashboards.wanted import Wishes, contacts, platform_place, town_place

AHAUSEN, BEHEIM = TenantId("ahausen"), TenantId("be-heim")
ODD = "Beheim/Ost: $ \"und\" ${HOME} Köln"
HOOK = "https://hook.example/T0/sehr-geheim"


def wishes(version: int = 2) -> Wishes:
    said = contacts(f"ahausen=nacht@ahausen.de,ahausen={HOOK},*=ops@betrieb.de")
    return Wishes("de", "https://stadt.example", reading(Influx(), [AHAUSEN, BEHEIM], version=version), said)


def seats(version: int = 2) -> list[Seat]:
    said = wishes(version)
    return [Seat(town_place(AHAUSEN, "Ahausen", said), 2), Seat(town_place(BEHEIM, ODD, said), 3), Seat(platform_place(said))]


def filled(text: str, environ: dict[str, str]) -> str:
    """As Grafana fills in a file's values: $NAME, ${NAME}, and $$ for $."""
    return re.sub(r"\$(?:(\$)|\{(\w+)\}|(\w+))", lambda found: found[1] or environ.get(found[2] or found[3], ""), text)


def test_yaml_says_what_was_meant():
    value = {"a": "yes", "b": 1, "c": True, "d": {"e": "x: # \"y\"\n", "f": {"g": "ü"}}, "h": [{"i": 1, "j": {"k": ""}}],
             "l": [1, "x", ["y"]], "m": [], "n": {}, "o": None, "p": [{"q": [{"r": [0.6]}]}]}
    assert pyyaml.safe_load(yaml(value)) == value


@pytest.mark.parametrize("influx", [1, 2, 3])
def test_each_town_has_its_sources_in_its_own_organisation_and_secrets_stay_outside(influx):
    said = pyyaml.safe_load(datasources(seats(influx)))
    assert said["apiVersion"] == 1
    assert [(one["uid"], one["orgId"], one["jsonData"]["dbName"]) for one in said["datasources"]] == [
        *((f"stadtfunk-ahausen-{key}", 2, f"${{STADTFUNK_INFLUX_BUCKET}}_ahausen{behind}")
          for key, behind in (("influxdb", ""), ("hours", "_hours"), ("days", "_days"), ("bays", "_bays"))),
        *((f"stadtfunk-be-heim-{key}", 3, f"${{STADTFUNK_INFLUX_BUCKET}}_be-heim{behind}")
          for key, behind in (("influxdb", ""), ("hours", "_hours"), ("days", "_days"), ("bays", "_bays"))),
        ("stadtfunk-platform-influxdb", 1, "${STADTFUNK_INFLUX_BUCKET}__platform")]
    for one in said["datasources"]:
        assert one["url"] == "${STADTFUNK_INFLUX_URL}"
        assert one["jsonData"]["version"] == "InfluxQL"
        assert all("${" in secret for secret in one["secureJsonData"].values())


def test_each_town_has_a_secret_of_its_own_sent_as_its_influxdb_wants_it():
    [first, *_] = pyyaml.safe_load(datasources(seats()[1:]))["datasources"]
    assert first["jsonData"]["httpHeaderName1"] == "Authorization"
    assert first["secureJsonData"] == {"httpHeaderValue1": "Token ${STADTFUNK_INFLUX_TOKEN_BE_HEIM}"}
    *_, last = pyyaml.safe_load(datasources(seats(1)))["datasources"]
    assert (last["user"], last["secureJsonData"]) == ("${STADTFUNK_INFLUX_USER__PLATFORM}",
                                                      {"password": "${STADTFUNK_INFLUX_PASSWORD__PLATFORM}"})
    assert variable(TenantId("platform")) != variable(None)


def test_each_town_has_a_folder_with_a_fixed_uid_and_a_dollar_in_its_name_stays_one():
    first, second, platform = pyyaml.safe_load(providers(seats(), directory="/boards/"))["providers"]
    assert (first["folderUid"], first["options"]["path"]) == ("stadtfunk-ahausen-folder", "/boards/ahausen")
    assert filled(second["folder"], {"HOME": "/root"}) == ODD
    assert (platform["orgId"], platform["options"]["path"]) == (1, "/boards/_platform")


def test_rules_and_contact_points_are_each_towns_own_and_name_what_exists():
    said = pyyaml.safe_load(alerting(seats()))
    assert [(point["orgId"], point["name"], [one["type"] for one in point["receivers"]]) for point in said["contactPoints"]] == [
        (2, "stadtfunk ahausen", ["email", "webhook"]), (1, "stadtfunk platform", ["email"])]
    assert [(group["orgId"], len(group["rules"])) for group in said["groups"]] == [(2, 4), (3, 4), (1, 3)]
    sources = {(one["orgId"], one["uid"]) for one in pyyaml.safe_load(datasources(seats()))["datasources"]}
    for group in said["groups"]:
        for rule in group["rules"]:
            assert {(group["orgId"], one["datasourceUid"]) for one in rule["data"]} - {(group["orgId"], "__expr__")} <= sources
            receiver = rule.get("notification_settings", {}).get("receiver")
            assert receiver == {2: "stadtfunk ahausen", 3: None, 1: "stadtfunk platform"}[group["orgId"]]


def test_grafana_fills_in_a_webhook_and_finds_the_folder_and_the_words_of_a_rule():
    said = pyyaml.safe_load(alerting(seats()))
    [_, webhook] = said["contactPoints"][0]["receivers"]
    assert filled(webhook["settings"]["url"], {"STADTFUNK_WEBHOOK_AHAUSEN_1": HOOK}) == HOOK
    assert filled(said["groups"][1]["folder"], {"HOME": "/root"}) == ODD.replace("/", "\\/")
    summaries = [rule["annotations"]["summary"] for group in said["groups"] for rule in group["rules"]]
    assert not any("${" in summary for summary in summaries)  # … all that Grafana fills in there; $labels is for later
    assert any("{{ $labels.gateway }}" in summary for summary in summaries)


def test_no_file_has_a_webhooks_address(tmp_path: Path):
    main(["render", str(tmp_path), "--tenant", "ahausen", "--contact", f"ahausen={HOOK}"])
    assert not any("sehr-geheim" in file.read_text(encoding="utf-8") for file in tmp_path.rglob("*.*"))


def test_rendering_twice_gives_the_same_files(tmp_path: Path, capsys):
    contents = []
    for directory in (tmp_path / "a", tmp_path / "b"):
        assert main(["render", str(directory), "--tenant", "ahausen=2", "--tenant", "beheim", "--console", "https://x.de/"]) == 0
        contents.append({file.relative_to(directory): file.read_bytes() for file in directory.rglob("*.*")})
    assert contents[0] == contents[1]
    assert {str(file) for file in contents[0]} == {
        "provisioning/datasources/stadtfunk.yaml", "provisioning/dashboards/stadtfunk.yaml",
        "provisioning/alerting/stadtfunk.yaml", "dashboards/_platform/platform.json",
        *(f"dashboards/{town}/{make(TenantId(town)).name}.json" for town in ("ahausen", "beheim") for make in BOARDS)}
    assert json.loads(contents[0][Path("dashboards/ahausen/lighting.json")])["uid"] == "stadtfunk-ahausen-lighting"
    assert b"https://x.de/ahausen/betrieb" in contents[0][Path("dashboards/ahausen/lighting.json")]
    assert "lighting.json" in capsys.readouterr().out


def test_without_a_name_every_town_of_the_database_is_rendered(tmp_path: Path, monkeypatch):
    url = f"sqlite:///{tmp_path}/town.db"
    store = open_store(url)
    store.put_tenant(Tenant(AHAUSEN, "Stadt Ahausen", Site(50.1, 8.5)))
    store.close()
    monkeypatch.setenv("STADTFUNK_DATABASE_URL", url)
    monkeypatch.chdir(tmp_path)
    assert main(["render", str(tmp_path / "out"), "--language", "en"]) == 0
    said = pyyaml.safe_load((tmp_path / "out/provisioning/dashboards/stadtfunk.yaml").read_text(encoding="utf-8"))
    assert [one["folder"] for one in said["providers"]] == ["Stadt Ahausen", "stadtfunk: platform"]


@pytest.mark.parametrize("tenant", ["Ahausen!", "ahausen=", "ahausen=x", "ahausen=0", "../etc"])
def test_what_is_no_town_is_refused(tmp_path: Path, tenant: str):
    with pytest.raises(Invalid):
        main(["render", str(tmp_path), "--tenant", tenant])
    assert list(tmp_path.iterdir()) == []
