"""`stadtfunk dashboards render`: files that Grafana can read, without a secret in them."""

import json
from pathlib import Path

import pytest
import yaml as pyyaml

from city.errors import Invalid
from city.ids import TenantId
from city.places import Site, Tenant
from city.store.opening import open_store
from dashboards.__main__ import main
from dashboards.provisioning import Town, datasources, providers, yaml

TOWNS = [Town(TenantId("ahausen"), "Ahausen", 2), Town(TenantId("beheim"), "Beheim: $ \"und\" Köln", 3)]


def test_yaml_says_what_was_meant():
    value = {"a": "yes", "b": 1, "c": True, "d": {"e": "x: # \"y\"\n", "f": {"g": "ü"}}, "h": [{"i": 1, "j": {"k": ""}}]}
    assert pyyaml.safe_load(yaml(value)) == value


@pytest.mark.parametrize("influx", [1, 2, 3])
def test_each_town_has_a_data_source_in_its_own_organisation_and_secrets_stay_outside(influx):
    said = pyyaml.safe_load(datasources(TOWNS, influx=influx))
    assert said["apiVersion"] == 1
    assert [(one["uid"], one["orgId"]) for one in said["datasources"]] == [
        ("stadtfunk-ahausen-influxdb", 2), ("stadtfunk-beheim-influxdb", 3)]
    for one in said["datasources"]:
        assert one["url"] == "${STADTFUNK_INFLUX_URL}"
        assert one["jsonData"]["version"] == "InfluxQL"
        assert all("${" in secret for secret in one["secureJsonData"].values())


def test_a_token_is_sent_as_influxdb_2_and_3_want_it():
    [one] = pyyaml.safe_load(datasources(TOWNS[:1], influx=2))["datasources"]
    assert one["jsonData"]["httpHeaderName1"] == "Authorization"
    assert one["secureJsonData"] == {"httpHeaderValue1": "Token ${STADTFUNK_INFLUX_TOKEN}"}


def test_each_town_has_a_folder_with_a_fixed_uid_and_a_dollar_in_its_name_stays_one():
    said = pyyaml.safe_load(providers(TOWNS, directory="/boards/"))
    first, second = said["providers"]
    assert (first["folderUid"], first["options"]["path"]) == ("stadtfunk-ahausen-folder", "/boards/ahausen")
    assert second["folder"] == "Beheim: $$ \"und\" Köln"


def test_rendering_twice_gives_the_same_files(tmp_path: Path, capsys):
    contents = []
    for directory in (tmp_path / "a", tmp_path / "b"):
        assert main(["render", str(directory), "--tenant", "ahausen=2", "--tenant", "beheim"]) == 0
        contents.append({file.relative_to(directory): file.read_bytes() for file in directory.rglob("*.*")})
    assert contents[0] == contents[1]
    assert {str(file) for file in contents[0]} == {
        "provisioning/datasources/stadtfunk.yaml", "provisioning/dashboards/stadtfunk.yaml",
        "dashboards/ahausen/lighting.json", "dashboards/beheim/lighting.json"}
    assert json.loads(contents[0][Path("dashboards/ahausen/lighting.json")])["title"] == "Straßenbeleuchtung"
    assert "lighting.json" in capsys.readouterr().out


def test_without_a_name_every_town_of_the_database_is_rendered(tmp_path: Path, monkeypatch):
    url = f"sqlite:///{tmp_path}/town.db"
    store = open_store(url)
    store.put_tenant(Tenant(TenantId("ahausen"), "Stadt Ahausen", Site(50.1, 8.5)))
    store.close()
    monkeypatch.setenv("STADTFUNK_DATABASE_URL", url)
    monkeypatch.chdir(tmp_path)
    assert main(["render", str(tmp_path / "out"), "--language", "en"]) == 0
    said = pyyaml.safe_load((tmp_path / "out/provisioning/dashboards/stadtfunk.yaml").read_text(encoding="utf-8"))
    assert [one["folder"] for one in said["providers"]] == ["Stadt Ahausen"]


@pytest.mark.parametrize("tenant", ["Ahausen!", "ahausen=", "ahausen=x", "ahausen=0", "../etc"])
def test_what_is_no_town_is_refused(tmp_path: Path, tenant: str):
    with pytest.raises(Invalid):
        main(["render", str(tmp_path), "--tenant", tenant])
    assert list(tmp_path.iterdir()) == []
