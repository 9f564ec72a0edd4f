"""`stadtfunk dashboards influx-setup`, `plan` and `apply` as a person calls them: from the database to Grafana and InfluxDB."""

from pathlib import Path

import pytest

from city.errors import CityError, Invalid, NotFound
from city.ids import TenantId
from city.places import Site, Tenant
from city.store.opening import open_store
from dashboards.__main__ import DIFFERS, main
from tests.city_store.influx2_server import OPERATOR, ORG, influx2
from tests.dashboards.grafana_server import grafana_server

PASSWORD = "geheim-Ä"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A Grafana, an InfluxDB 2.x, and a database of one town, as the settings have them."""
    url = f"sqlite:///{tmp_path}/town.db"
    store = open_store(url)
    store.put_tenant(Tenant(TenantId("ahausen"), "Stadt Ahausen", Site(50.1, 8.5)))
    store.close()
    monkeypatch.chdir(tmp_path)
    with grafana_server() as grafana, influx2() as influx:
        (tmp_path / "passwort").write_text(f"{PASSWORD}\n", encoding="utf-8")
        for name, value in (("DATABASE_URL", url), ("GRAFANA_URL", grafana.url), ("GRAFANA_USER", "admin"),
                            ("GRAFANA_PASSWORD", PASSWORD), ("INFLUX_URL", influx.url), ("INFLUX_TOKEN", OPERATOR),
                            ("INFLUX_ORG", ORG["name"]), ("GRAFANA_INFLUX_URL", "http://influx.intern:8086"),
                            ("GRAFANA_CONTACTS", "ahausen=nacht@ahausen.de")):
            monkeypatch.setenv(f"STADTFUNK_{name}", value)
        yield grafana, influx


def test_from_nothing_to_boards_that_read_their_own_town_and_then_nothing_more(place, capsys):
    grafana, influx = place
    assert main(["influx-setup"]) == 0
    token = next(one["token"] for one in influx.tokens.values() if one["description"] == "stadtfunk_grafana_ahausen")
    assert main(["plan"]) == DIFFERS
    assert grafana.writes == []
    assert main(["apply", "--yes"]) == 0
    org = grafana.orgs[2]
    assert (org.name, org.secrets["stadtfunk-ahausen-influxdb"]) == ("Stadt Ahausen", {"httpHeaderValue1": f"Token {token}"})
    assert org.sources["stadtfunk-ahausen-influxdb"]["url"] == "http://influx.intern:8086"
    assert org.contacts["stadtfunk-ahausen-email"]["settings"]["addresses"] == "nacht@ahausen.de"
    grafana.writes.clear()
    influx.writes.clear()
    assert (main(["influx-setup"]), main(["plan"]), main(["apply"])) == (0, 0, 0)
    assert (grafana.writes, influx.writes) == ([], [])
    said = capsys.readouterr()
    for secret in (token, PASSWORD, OPERATOR):
        assert secret not in said.out + said.err


def test_nothing_is_changed_before_somebody_agrees(place):
    grafana, _ = place
    main(["influx-setup"])
    with pytest.raises(Invalid, match="Nothing was changed"):
        main(["apply"])
    assert grafana.writes == []


@pytest.mark.usefixtures("place")
def test_a_town_without_a_secret_never_gets_the_platforms_own():
    with pytest.raises(Invalid, match=r"With what may Grafana read the buckets of ahausen, \*"):
        main(["plan"])


def test_one_secret_for_all_towns_has_to_be_asked_for(place, tmp_path):
    grafana, _ = place
    (tmp_path / "token").write_text("gemeinsam\n", encoding="utf-8")
    assert main(["apply", "--yes", "--influx-token-file", "token"]) == 0
    assert grafana.orgs[2].secrets["stadtfunk-ahausen-bays"] == {"httpHeaderValue1": "Token gemeinsam"}


def test_a_town_renamed_in_the_database_is_renamed_in_grafana(place, tmp_path):
    grafana, _ = place
    main(["influx-setup"])
    main(["apply", "--yes"])
    store = open_store(f"sqlite:///{tmp_path}/town.db")
    store.put_tenant(Tenant(TenantId("ahausen"), "Ahausen am See", Site(50.1, 8.5)))
    store.close()
    assert main(["apply", "--yes"]) == 0
    assert [org.name for org in grafana.orgs.values()] == ["Main Org.", "Ahausen am See"]


def test_a_token_makes_one_town_in_its_own_organisation(place, tmp_path):
    grafana, _ = place
    main(["influx-setup"])
    grafana.tokens["sa-token"] = 1
    (tmp_path / "sa").write_text("sa-token", encoding="ascii")
    assert main(["apply", "--yes", "--tenant", "ahausen", "--token-file", "sa"]) == 0
    assert "stadtfunk-ahausen-lighting" in grafana.orgs[1].boards
    assert list(grafana.orgs) == [1]
    store = open_store(f"sqlite:///{tmp_path}/town.db")
    store.put_tenant(Tenant(TenantId("beheim"), "Beheim", Site(50.1, 8.5)))
    store.close()
    main(["influx-setup"])
    with pytest.raises(Invalid, match="one town"):
        main(["apply", "--yes", "--token-file", "sa"])


@pytest.mark.parametrize(("words", "error"), [
    (["plan", "--tenant", "nirgends"], NotFound),
    (["plan", "--grafana", "gopher://x"], Invalid),
    (["influx-setup", "--tenant", "nirgends"], NotFound),
])
@pytest.mark.usefixtures("place")
def test_what_cannot_be_is_refused(words, error):
    main(["influx-setup"])
    with pytest.raises(error):
        main(words)


@pytest.mark.usefixtures("place")
def test_without_an_address_it_is_said_which_setting_is_missing(monkeypatch):
    main(["influx-setup"])
    monkeypatch.setenv("STADTFUNK_GRAFANA_URL", "")
    with pytest.raises(CityError, match=r"grafana\.url"):
        main(["plan"])
    monkeypatch.setenv("STADTFUNK_INFLUX_URL", "")
    with pytest.raises(CityError, match=r"influx\.url"):
        main(["influx-setup"])
