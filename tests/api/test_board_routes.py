"""The buttons of Grafana's lighting board, sent as a browser sends them: who gets through, and what then happens."""

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from api import boards, intents
from api.app import create_app
from api.auth import Actor
from api.intents import Wish
from city.errors import Conflict
from city.groups import Target
from city.guards import Limits
from city.ids import AssetId, CircuitId, DevEui, TenantId, ZoneId
from city.imports import ImportRow, LampData
from city.places import Restriction, Site
from city.settings import Api, Settings
from city.store.ports import Role
from dashboards.boards.lighting import lighting
from dashboards.render import dashboard
from tests.api.conftest import PASSWORD
from tests.dashboards.actions import actions, canvas, request_of

OURS = "http://testserver"  # as TestClient calls us
BROWSER = {"Origin": OURS, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
CHOSEN = {"zone": ["markt"], "dim_level": "40", "dim_minutes": "60"}
DIM, BACK, FULL = range(3)
WHO = Actor("alt-operator", Role.OPERATOR, TenantId("alt"), "session")
BASE = "/api/v1/tenants/alt"


def sent(button=DIM, *, tenant="alt", **chosen):
    """What a button of the rendered board sends, with these choices."""
    board = dashboard(lighting(TenantId(tenant), OURS), "en")
    return request_of(list(actions(canvas(board)))[button], {**CHOSEN, **chosen})


def click(client, request, **changed):
    """Send it as the browser does; a header that is changed to None is left away."""
    headers = {name: value for name, value in {**request.headers, **BROWSER, **changed}.items() if value is not None}
    return client.request(request.method, request.url, content=request.body, headers=headers)


def browser(app, name):
    """A browser in which somebody has signed in: it holds the cookie, and no CSRF token."""
    client = TestClient(app, headers={"Accept-Language": "en"})
    assert client.post("/api/v1/session", json={"name": name, "password": PASSWORD}).status_code == 201
    return client


def many(town, lamps, **more):
    """Lamps of a new zone."""
    town.import_rows([ImportRow(n + 1, AssetId(f"M{n:04}"), "lamp", f"M{n:04}", Site(51 + n / 1e4, 8.1), ZoneId("gross"),
                                CircuitId(f"G{n // 60}"), DevEui(f"{n + 4096:016x}"), "nas/ul20xx", 50.0, "", Restriction.NONE,
                                LampData(**more)) for n in range(lamps)])


@pytest.fixture
def olga(app):
    return browser(app, "alt-operator")


def test_an_operator_dims_a_zone_and_is_told_how_many_and_how_soon(olga, town, clock):
    answer = click(olga, sent())
    assert answer.status_code == 202
    [wish] = town.overrides(clock.now())
    assert (wish.level, [str(one) for one in wish.targets], (wish.end - wish.created_at).total_seconds()) == (
        40, ["zone:markt"], 3600)
    assert (wish.actor, wish.reason) == ("alt-operator", "from a board of Grafana")
    said = answer.json()
    assert said["estimate"]["lamps"] == 4
    seconds = round(said["estimate"]["last_s"])
    assert said["message"] == (f"4 lamps, 4 radio messages; the last lamp obeys in about {seconds} s. It ends at 00:00, then the "
                               "program holds.")
    assert olga.get(said["href"]).json()["id"] == wish.id
    assert olga.get(said["page"]).status_code == 200
    assert (town.audit_lines()[0].actor, town.audit_lines()[0].action) == ("alt-operator", "override")


def test_a_viewer_may_not(app, town, clock):
    answer = click(browser(app, "alt-viewer"), sent())
    assert (answer.status_code, answer.json()["rule"]) == (403, "role")
    assert not town.overrides(clock.now())


def test_nobody_has_to_sign_in(anonymous, town, clock):
    assert click(anonymous, sent()).status_code == 401
    assert not town.overrides(clock.now())


def test_the_other_town_s_operator_finds_no_such_town(app, town, clock):
    answer = click(browser(app, "neu-operator"), sent())
    assert (answer.status_code, answer.json()["field"]) == (404, "tenant")
    assert not town.overrides(clock.now())


@pytest.mark.parametrize(("changed", "field"), [
    ({"Origin": "https://evil.example"}, "Origin"), ({"Origin": None}, "Origin"), ({"Origin": "null"}, "Origin"),
    ({"Origin": "http://testserver.evil.example"}, "Origin"), ({"Origin": "http://testserver:8080"}, "Origin"),
    ({"Sec-Fetch-Site": "cross-site"}, "Origin"), ({"Sec-Fetch-Site": "same-site"}, "Origin"),
    ({"Sec-Fetch-Site": "none"}, "Origin"), ({"Sec-Fetch-Site": None}, "Origin"),
    ({"Sec-Fetch-Mode": "navigate"}, "Origin"), ({"Sec-Fetch-Mode": "no-cors"}, "Origin"), ({"Sec-Fetch-Mode": None}, "Origin"),
    ({"Sec-Fetch-Dest": "document"}, "Origin"), ({"Sec-Fetch-Dest": "iframe"}, "Origin"),
    ({"Content-Type": "text/plain"}, "Content-Type"), ({"Content-Type": "application/x-www-form-urlencoded"}, "Content-Type"),
    ({"Content-Type": None}, "Content-Type"), ({"X-Stadtfunk-Board": None}, "x-stadtfunk-board"),
    ({"X-Stadtfunk-Board": "0"}, "x-stadtfunk-board")])
def test_a_request_that_is_no_board_s_of_our_own_origin_is_refused(olga, town, clock, changed, field):
    answer = click(olga, sent(), **changed)
    assert (answer.status_code, answer.json()["field"]) == (403, field)
    assert not town.overrides(clock.now())


def test_with_a_configured_address_that_is_the_only_origin(store, log, clock, town):
    app = create_app(store, log, clock, Settings(api=Api(public_url="https://licht.example", secure_cookies=False)))
    client = TestClient(app, base_url="https://licht.example")
    client.post("/api/v1/session", json={"name": "alt-operator", "password": PASSWORD})
    request = replace(sent(), url=f"{BASE}/overrides/from-board")
    assert click(client, request).status_code == 403
    assert click(client, request, Origin="https://licht.example").status_code == 202
    assert len(town.overrides(clock.now())) == 1


def test_a_token_in_a_board_gives_nobody_power(as_role, town, clock):
    answer = click(as_role(Role.ADMIN), sent())
    assert (answer.status_code, answer.json()["rule"]) == (403, "session")
    assert not town.overrides(clock.now())


def test_the_other_routes_still_ask_for_the_csrf_token(olga, town, clock):
    answer = olga.put(f"{BASE}/zones/markt/override", json={"level": 40, "minutes": 60},
                      headers={**BROWSER, "X-Stadtfunk-Board": "1"})
    assert (answer.status_code, answer.json()["field"]) == (403, "csrf")
    assert not town.overrides(clock.now())


def test_a_button_that_somebody_has_aimed_elsewhere_does_nothing(olga, app, town, clock):
    """Whoever may edit boards could: with the CSRF token, were it known, and to sign the clicking person in as somebody else."""
    csrf = olga.get("/api/v1/session").json()["csrf"]
    other = replace(sent(), method="PUT", url=f"{OURS}{BASE}/zones/markt/override", body='{"level": 40, "minutes": 60}')
    assert click(olga, other, **{"X-CSRF-Token": csrf}).json()["field"] == "X-Grafana-Action"
    sign_in = replace(sent(), url=f"{OURS}/api/v1/session", body=f'{{"name": "neu-admin", "password": "{PASSWORD}"}}')
    assert click(TestClient(app), sign_in).status_code == 403
    assert not town.overrides(clock.now())


@pytest.mark.parametrize(("chosen", "field", "rule"), [
    ({"dim_level": "200"}, "level", "0…100"), ({"dim_level": "-1"}, "level", "number"), ({"dim_level": "4e1"}, "level", "number"),
    ({"dim_level": "²"}, "level", "number"), ({"dim_level": ""}, "level", "number"), ({"dim_level": None}, "level", "number"),
    ({"dim_level": ["40", "50"]}, "level", "number"), ({"dim_level": '40", "emergency": true'}, "level", "number"),
    ({"dim_minutes": "0"}, "minutes", "1…44640"), ({"dim_minutes": "99999"}, "minutes", "1…44640"),
    ({"dim_minutes": "1h"}, "minutes", "number"), ({"dim_minutes": "1441"}, "until", "≤ 24 h"),
    ({"zone": None}, "zone", "one zone"), ({"zone": ["markt", "schule"]}, "zone", "one zone"), ({"zone": []}, "zone", "one zone"),
    ({"zone": ""}, "zone", "one zone"), ({"zone": "../x"}, "zone", "name"),
    ({"dim_level": "x" * 601}, "level", "string_too_long")])
def test_what_the_variables_say_is_checked_and_named(olga, town, clock, chosen, field, rule):
    answer = click(olga, sent(**chosen))
    assert (answer.status_code, answer.json()["field"], answer.json()["rule"]) == (422, field, rule)
    assert answer.headers["content-type"] == "application/problem+json"
    assert not town.overrides(clock.now())


@pytest.mark.parametrize("body", ['{"zone": "markt", "level": 40, "minutes": 60}', '{"zone": "markt", "level": "40"}', "[]", "x",
                                  '{"zone": "markt", "level": "40", "minutes": "60", "emergency": true}'])
def test_a_body_of_another_shape_is_refused(olga, town, clock, body):
    answer = click(olga, replace(sent(), body=body))
    assert answer.status_code == 422
    assert answer.json()["field"]
    assert not town.overrides(clock.now())


def test_a_refusal_speaks_the_language_asked_for(olga):
    assert click(olga, sent(zone=None)).json()["detail"] == "Choose exactly one zone at the top of the board."
    german = click(olga, sent(zone=None), **{"Accept-Language": "de"}).json()["detail"]
    assert german == "Wählen Sie oben im Dashboard genau ein Gebiet."


def test_a_zone_that_is_none_is_not_found(olga):
    assert click(olga, sent(zone=["nope"])).status_code == 404


def test_the_lawful_floor_holds_for_a_button_too(olga, town, clock):
    many(town, 2, min_level=30)
    answer = click(olga, sent(zone=["gross"], dim_level="20"))
    assert (answer.status_code, answer.json()["field"], answer.json()["rule"]) == (422, "level", "floor")
    assert answer.json()["detail"] == "Lamp M0000 may not burn below 30 %."
    assert not town.overrides(clock.now())


def test_a_double_click_is_one_override(olga, town, clock):
    clock.advance(0.123456)
    first = click(olga, sent()).json()
    clock.advance(0.2)
    second = click(olga, sent()).json()
    assert (first["repeated"], second["repeated"]) == (False, True)
    assert first["href"] == second["href"]
    assert len(town.overrides(clock.now())) == 1
    clock.advance(boards.AGAIN.total_seconds() + 1)
    assert click(olga, sent()).json()["repeated"] is False


def test_the_same_again_after_something_else_is_no_double_click(olga, town, clock):
    for level in ("60", "50", "60"):
        assert click(olga, sent(dim_level=level)).json()["repeated"] is False
        clock.advance(1)
    assert town.overrides(clock.now())[0].level == 60
    click(olga, sent(BACK))
    assert click(olga, sent(dim_level="60")).json()["repeated"] is False


def test_another_level_or_person_is_another_wish(olga, app, town, clock):
    click(olga, sent())
    assert click(olga, sent(dim_level="50")).json()["repeated"] is False
    assert click(browser(app, "alt-engineer"), sent()).json()["repeated"] is False
    assert len(town.overrides_from(clock.now())) == 3


class Overtaken:
    """A town in which something happens between a look at its overrides and what follows."""

    def __init__(self, town, meanwhile):
        self._town, self._meanwhile = town, [meanwhile]

    def overrides_from(self, now):
        found = self._town.overrides_from(now)
        while self._meanwhile:
            self._meanwhile.pop()()
        return found

    def __getattr__(self, name):
        return getattr(self._town, name)


def test_the_slower_of_two_clicks_at_the_same_moment_finds_the_faster_one(town, clock):
    def place(where):
        return boards.place_once(where, ZoneId("markt"), Wish(40, minutes=60), who=WHO, now=clock.now(), limits=Limits())

    faster = []
    slower = place(Overtaken(town, lambda: faster.append(place(town))))
    assert [one[2] for one in (*faster, slower)] == [False, True]
    assert slower[0].id == faster[0][0].id
    assert len(town.overrides_from(clock.now())) == 1


def test_who_was_overtaken_by_something_else_is_told_to_look_again(town, clock):
    other = Wish(70, minutes=5)
    with pytest.raises(Conflict):
        boards.place_once(Overtaken(town, lambda: intents.place(town, [Target("zone", "schule")], Wish(100, minutes=5), who=WHO,
                                                                now=clock.now())),
                          ZoneId("markt"), other, who=WHO, now=clock.now(), limits=Limits())
    assert [wish.level for wish in town.overrides_from(clock.now())] == [100]
    refused_is_not_there = [(line.action, line.target) for line in town.audit_lines()]
    assert refused_is_not_there == [("override", "zone:schule")]


def test_back_to_the_program_ends_it_and_says_what_still_holds(olga, operator, town, clock):
    click(olga, sent())
    operator.put(f"{BASE}/luminaires/L1/override", json={"level": 60, "minutes": 60})
    answer = click(olga, sent(BACK))
    assert (answer.status_code, answer.json()["ended"]) == (202, 1)
    assert answer.json()["message"] == "1 override has ended. 1 other, for lamps of this zone, holds on."
    assert [wish.level for wish in town.overrides(clock.now())] == [60]
    again = click(olga, sent(BACK)).json()
    assert (again["ended"], again["message"].split(".")[0]) == (0, "0 overrides have ended")


def test_full_light_at_once_is_an_emergency_for_two_hours_whatever_is_chosen(olga, town, clock):
    assert click(olga, sent(FULL, dim_level="0", dim_minutes="30")).status_code == 202
    [wish] = town.overrides(clock.now())
    assert (wish.level, wish.emergency, (wish.end - wish.created_at).total_seconds()) == (100, True, 7200)


def test_more_lamps_than_are_dimmed_unasked_need_the_dialog(olga, town, clock):
    many(town, 201)
    answer = click(olga, sent(zone=["gross"], dim_level="60"))
    assert (answer.status_code, answer.json()["field"], answer.json()["rule"]) == (422, "confirm", "> 200 lamps")
    where = "/en/alt/operations/dim?zone=gross&level=60&minutes=60"
    assert answer.json()["detail"] == f"201 lamps are too many for a button: use the dialog, which asks for their number: {where}"
    assert not town.overrides(clock.now())
    page = olga.get(where)
    assert page.status_code == 200
    assert 'name="confirm"' in page.text
    assert click(olga, sent(FULL, zone=["gross"])).status_code == 202  # light has no such limit


def test_what_needs_a_second_person_waits_for_one(olga, town, clock):
    many(town, 2, lantern_ring=True)
    answer = click(olga, sent(zone=["gross"], dim_level="0"))
    assert (answer.status_code, answer.json()["message"]) == (202, "It waits for a second person.")
    assert answer.json()["override"]["pending"] is True
    assert not town.overrides(clock.now())
