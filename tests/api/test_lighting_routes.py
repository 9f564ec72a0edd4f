"""Lamps, zones and wishes over HTTP."""

from datetime import timedelta

import pytest

from api import views
from city import lighting
from city.commands import Event, Priority, advance, command
from city.groups import Target
from city.ids import OverrideId, ZoneId
from city.lighting import MOST_OPEN
from city.orders import SetLevel
from city.store.ports import Facts, Role

BASE = "/api/v1/tenants/alt"
WISH = {"level": 40, "minutes": 60, "reason": "Stadtfest"}


def test_zones_count_their_lamps_by_state(operator, hears, clock):
    hears("L1", clock.now(), level=50.0, power=21.5)
    hears("L2", clock.now(), level=100.0)
    markt = {zone["id"]: zone for zone in operator.get(f"{BASE}/zones").json()}["markt"]
    assert markt["states"] == {"ok": 1, "deviates": 1, "never_heard": 2}
    assert (markt["lamps"], markt["level_mean"], markt["power_w"]) == (4, 75.0, 21.5)


def test_a_lamp_shows_wanted_reported_and_measured_apart(operator, hears, clock):
    hears("L1", clock.now() - timedelta(minutes=2), level=80.0, power=33.0, reason="manual")
    lamp = operator.get(f"{BASE}/luminaires/L1").json()
    assert (lamp["target"]["level"], lamp["target"]["reason"]) == (50, "program")
    assert (lamp["level"], lamp["level_reason"], lamp["power_w"]) == (80.0, "manual", 33.0)
    assert lamp["level_at"] == "2026-03-02T21:58:00Z"
    assert lamp["state"] == "deviates"


def test_a_lamp_that_is_none_is_not_found(operator):
    assert operator.get(f"{BASE}/luminaires/B1").status_code == 404
    assert operator.get(f"{BASE}/luminaires/nope").status_code == 404


def test_lamps_come_a_page_at_a_time(operator):
    seen, cursor = [], ""
    for _ in range(10):
        page = operator.get(f"{BASE}/luminaires", params={"limit": 4, "cursor": cursor}).json()
        seen += [lamp["id"] for lamp in page["luminaires"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == ["L1", "L2", "L3", "L4", "U1", "X1"]
    assert page["total"] == 6


def test_lamps_are_filtered_by_zone_and_state(operator, hears, clock):
    hears("L1", clock.now(), level=50.0)
    hears("X1", clock.now(), level=100.0)
    found = operator.get(f"{BASE}/luminaires", params={"zone": "markt", "state": "ok"}).json()
    assert [lamp["id"] for lamp in found["luminaires"]] == ["L1"]
    assert operator.get(f"{BASE}/luminaires", params={"state": "purple"}).status_code == 422


def test_who_has_the_newest_list_gets_304_until_something_changes(operator, hears, clock):
    tag = operator.get(f"{BASE}/luminaires").headers["etag"]
    assert operator.get(f"{BASE}/luminaires", headers={"If-None-Match": tag}).status_code == 304
    hears("L1", clock.now(), level=50.0)
    assert operator.get(f"{BASE}/luminaires", headers={"If-None-Match": tag}).status_code == 200


def test_dimming_a_zone_is_written_down_priced_and_can_be_followed(operator, town):
    answer = operator.put(f"{BASE}/zones/markt/override", json=WISH)
    assert answer.status_code == 202
    body = answer.json()
    assert body["estimate"]["lamps"] == body["estimate"]["frames"] == 4
    assert 0 < body["estimate"]["airtime_s"] < body["estimate"]["last_s"]
    assert answer.headers["location"] == body["href"]
    followed = operator.get(body["href"]).json()
    assert followed["progress"]["asked"] == followed["progress"]["waiting"] == 4
    assert operator.get(f"{BASE}/luminaires/L1").json()["target"] == {
        "level": 40, "reason": "override", "origin": f"override:{followed['id']}", "since": "2026-03-02T22:00:00Z",
        "until": "2026-03-02T23:00:00Z", "program": "halbnacht"}
    line = town.audit_lines()[0]
    assert (line.actor, line.action, line.target) == ("token:alt operator", "override", "zone:markt")


def test_an_end_can_be_a_time(operator):
    answer = operator.put(f"{BASE}/zones/markt/override", json={"level": 40, "until": "2026-03-03T00:30:00+01:00"})
    assert answer.json()["override"]["end"] == "2026-03-02T23:30:00Z"


@pytest.mark.parametrize(("body", "field"), [
    ({"level": 101, "minutes": 5}, "level"), ({"level": -1, "minutes": 5}, "level"),
    ({"level": 40}, "until"), ({"level": 40, "minutes": 5, "until": "2026-03-02T23:00:00Z"}, "until"),
    ({"level": 40, "minutes": 0}, "minutes"), ({"level": 40, "minutes": 1441}, "until"),
    ({"level": 40, "minutes": 2**63}, "minutes"), ({"level": 40, "until": "2026-03-02T21:00:00Z"}, "until"),
    ({"level": 40, "until": "2026-03-04T21:00:00Z"}, "until"), ({"level": 40, "until": "2026-03-02T23:00:00"}, "until"),
    ({"level": 40, "minutes": 5, "reason": "x" * 201}, "reason"), ({"level": 40.5, "minutes": 5}, "level"),
    ({"level": True, "minutes": 5}, "level"), ({"minutes": 5}, "level")])
def test_a_wish_that_breaks_a_rule_names_it_and_is_not_kept(operator, town, clock, body, field):
    answer = operator.put(f"{BASE}/zones/markt/override", json=body)
    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert answer.json()["rule"]
    assert not town.overrides(clock.now())


def test_a_crosswalk_is_not_dimmed(operator):
    answer = operator.put(f"{BASE}/luminaires/X1/override", json=WISH)
    assert (answer.status_code, answer.json()["rule"]) == (422, "DIN 67523")


@pytest.mark.parametrize("path", ["zones/hof", "luminaires/U1"])
def test_where_nothing_can_dim_that_is_said(operator, town, clock, path):
    answer = operator.put(f"{BASE}/{path}/override", json=WISH)
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("Unsupported")
    assert not town.overrides(clock.now())


def test_a_zone_without_lamps_and_one_that_is_none(operator):
    assert operator.put(f"{BASE}/zones/platz/override", json=WISH).json()["rule"] == "has lamps"
    assert operator.put(f"{BASE}/zones/nope/override", json=WISH).status_code == 404


def test_going_back_to_the_program(operator, town, clock):
    operator.put(f"{BASE}/luminaires/L1/override", json=WISH)
    assert operator.delete(f"{BASE}/luminaires/L1/override").json() == {"ended": 1}
    assert operator.delete(f"{BASE}/luminaires/L1/override").json() == {"ended": 0}
    assert not town.overrides(clock.now())
    assert operator.get(f"{BASE}/luminaires/L1").json()["target"]["reason"] == "program"


def test_when_a_shorter_wish_ends_an_older_longer_one_does_not_come_back(operator, town, clock):
    operator.put(f"{BASE}/zones/markt/override", json={"level": 30, "minutes": 300})
    operator.put(f"{BASE}/zones/markt/override", json={"level": 80, "minutes": 30})
    clock.advance(31 * 60)
    assert not town.overrides(clock.now())


def test_a_newer_wish_wins(operator, clock):
    operator.put(f"{BASE}/zones/markt/override", json={"level": 30, "minutes": 30})
    clock.advance(1)
    operator.put(f"{BASE}/luminaires/L2/override", json={"level": 80, "minutes": 300})
    targets = {lamp["id"]: lamp["target"]["level"] for lamp in operator.get(f"{BASE}/luminaires").json()["luminaires"]}
    assert (targets["L1"], targets["L2"]) == (30, 80)


def test_progress_counts_each_lamp_once_by_what_is_known(operator, store, town, hears, clock):
    href = operator.put(f"{BASE}/zones/markt/override", json=WISH).json()["href"]
    wish = town.overrides(clock.now())[0]
    orders = [command(tenant=wish.tenant, device=town.device_of(lamp.id).dev_eui, asset=lamp.id, now=clock.now(),
                      order=SetLevel(40, 60), origin=f"override:{wish.id}", priority=Priority.OVERRIDE,
                      expires_at=clock.now() + timedelta(minutes=5)) for lamp in town.luminaires(ZoneId("markt"))]
    sent = [advance(order, Event.SEND, clock.now()) for order in orders]
    acked = advance(advance(sent[1], Event.TXACK, clock.now()), Event.ACK, clock.now())
    failed = advance(sent[2], Event.REJECT, clock.now())
    store.commit(Facts(commands=(sent[0], acked, failed, advance(sent[3], Event.CONFIRM, clock.now()))))
    hears("L4", clock.now(), level=40.0)
    progress = operator.get(href).json()["progress"]
    assert progress == {"asked": 4, "waiting": 0, "sent": 1, "scheduled": 0, "acked": 1, "applied": 1, "deviating": 0,
                        "failed": 1, "unable": 0, "superseded": 0, "settled": False}
    clock.advance(60)
    hears("L4", clock.now(), level=100.0)
    assert operator.get(href).json()["progress"]["deviating"] == 1
    assert operator.get(f"{BASE}/commands", params={"asset": "L3"}).json()[0]["state"] == "failed"
    assert operator.get(f"{BASE}/commands/{sent[0].id}").json()["state"] == "sent"
    assert operator.get(f"{BASE}/commands", params={"state": ["sent", "acked"]}).json().__len__() == 2


def test_a_number_that_is_no_command(operator):
    assert operator.get(f"{BASE}/commands/xyz").status_code == 422
    assert operator.get(f"{BASE}/commands/00000000-0000-0000-0000-000000000000").status_code == 404


def test_a_price_can_be_asked_for_before_anything_is_sent(operator, town):
    assert operator.get(f"{BASE}/zones/markt/estimate").json()["lamps"] == 4
    assert operator.get(f"{BASE}/zones/hof/estimate").status_code == 422
    assert not town.audit_lines()


def test_viewers_look_and_do_not_touch(as_role):
    viewer = as_role(Role.VIEWER)
    assert viewer.get(f"{BASE}/zones").status_code == 200
    assert viewer.put(f"{BASE}/zones/markt/override", json=WISH).status_code == 403


@pytest.mark.parametrize("until", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
def test_an_end_at_the_edge_of_time_is_refused(operator, until):
    answer = operator.put("/api/v1/tenants/alt/zones/markt/override", json={"level": 40, "until": until})
    assert (answer.status_code, answer.json()["field"]) == (422, "until")


@pytest.mark.parametrize("reason", ["Fest\N{RIGHT-TO-LEFT OVERRIDE}tseF", "Fest\nneu", "\x00", "a\x1b[2Jb"])
def test_a_reason_cannot_hide_what_it_says(operator, reason):
    answer = operator.put(f"{BASE}/luminaires/L1/override", json={"level": 60, "minutes": 5, "reason": reason})
    assert (answer.status_code, answer.json()["field"], answer.json()["rule"]) == (422, "reason", "printable")


def test_a_page_of_lamps_looks_at_those_on_it_only(operator, monkeypatch):
    looked = []
    view = views.Picture.view
    monkeypatch.setattr(views.Picture, "view", lambda self, lamp: looked.append(lamp.id) or view(self, lamp))
    page = operator.get(f"{BASE}/luminaires", params={"limit": 2, "cursor": "L2"}).json()
    assert ([one["id"] for one in page["luminaires"]], page["total"], page["cursor"]) == (["L3", "L4"], 6, "L4")
    assert looked == ["L3", "L4"]


def test_a_town_has_room_for_so_many_wishes_and_always_for_an_emergency(operator, town, clock):
    for number in range(MOST_OPEN):
        town.add_override(lighting.override(id=OverrideId(f"o{number}"), tenant=town.tenant.id, targets=[Target("lamp", "L2")],
                                            level=60, until=clock.now() + timedelta(hours=1), actor="x", now=clock.now()))
    href = f"{BASE}/luminaires/L1/override"
    refused = operator.put(href, json=WISH)
    assert (refused.status_code, refused.json()["field"], refused.json()["rule"]) == (409, "targets", "≤ 500, ≤ 100000")
    assert operator.put(href, json={"level": 100, "minutes": 60, "emergency": True}).status_code == 202
    town.end_override(OverrideId("o0"), clock.now())
    town.end_override(OverrideId("o1"), clock.now())
    assert operator.put(href, json=WISH).status_code == 202
    clock.advance(3601)
    assert operator.put(href, json=WISH).status_code == 202
