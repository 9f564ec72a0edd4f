"""`stadtfunk dashboards plan | apply` against a stand-in for Grafana: the plan tells the truth, a second run changes nothing, and
what people made stays."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from copy import deepcopy
from dataclasses import replace
from functools import cache
from io import StringIO

import pytest
from rich.console import Console

from city.errors import CityError, Conflict, Invalid
from city.grafana import uid
from city.ids import TenantId
from city.settings import Influx, Secret
from dashboards import access
from dashboards.applying import Scope, Work, carry_out, is_done, look, show
from dashboards.grafana_http import address
from dashboards.plan import Do, Found, Step, differences, does_something, steps
from dashboards.provision import Grafana, GrafanaDown, GrafanaRefuses, Limits, SignIn
from dashboards.wanted import Kind, Place, Reading, Wishes, contacts, fingerprint, names, platform_place, town_place
from tests.dashboards.grafana_server import GrafanaServer, Org, grafana_server

AHAUSEN, BEHEIM = TenantId("ahausen"), TenantId("beheim")
PASSWORD = "geheim-Ä"
SECRETS = {"ahausen": Secret("leser:passwort-a"), "beheim": Secret("token-b"), "*": Secret("token-p")}
HOOK = "https://hook.example/T0/sehr-geheim"
READING = Reading("http://influx:8086", Influx(), SECRETS)
WISHES = Wishes("de", "https://stadt.example", READING, contacts(f"ahausen=nacht@ahausen.de, ahausen={HOOK}, *=ops@betrieb.de"))
ALL = Scope(complete=True)


def town(tenant: TenantId = AHAUSEN, name: str = "Ahausen", wishes: Wishes = WISHES) -> Place:
    return town_place(tenant, name, wishes)


def everything(wishes: Wishes = WISHES) -> list[Place]:
    return list(_usual()) if wishes is WISHES else _everything(wishes)


@cache
def _usual() -> tuple[Place, ...]:
    return tuple(_everything(WISHES))


def _everything(wishes: Wishes) -> list[Place]:
    return [town(wishes=wishes), town(BEHEIM, "Beheim", wishes), platform_place(wishes)]


def admin(server: GrafanaServer) -> SignIn:
    return SignIn(server.url, "admin", Secret(PASSWORD))


@contextmanager
def signed_in(sign_in: SignIn, **more: Limits) -> Iterator[Grafana]:
    grafana = Grafana(sign_in, **more)
    try:
        yield grafana
    finally:
        grafana.close()


def fill(server: GrafanaServer) -> None:
    """As after `apply`."""
    server.orgs = deepcopy(_filled())


@cache
def _filled() -> dict[int, Org]:
    with grafana_server() as server:
        applied(server, everything())
        return server.orgs


def planned(server: GrafanaServer, places: list[Place], scope: Scope = ALL, sign_in: SignIn | None = None) -> list[Work]:
    sign_in = sign_in or admin(server)
    with signed_in(sign_in) as grafana:
        return look(grafana, sign_in, places, scope)


def applied(server: GrafanaServer, places: list[Place], scope: Scope = ALL, sign_in: SignIn | None = None) -> str:
    """What was said."""
    said = StringIO()
    console = Console(file=said, width=200)
    sign_in = sign_in or admin(server)
    with signed_in(sign_in) as grafana:
        work = look(grafana, sign_in, places, scope)
        show(console, work, everything=True)
        try:
            carry_out(grafana, work, console)
        finally:
            server.said = said.getvalue()
    return said.getvalue()


def steps_of(work: list[Work]) -> list[Step]:
    return [step for part in work for step in part.steps if step.do is not Do.KEEP]


@pytest.fixture
def server() -> Iterator[GrafanaServer]:
    with grafana_server() as running:
        yield running


def test_each_town_has_an_organisation_with_its_own_sources_boards_rules_and_contacts(server):
    fill(server)
    assert {number: org.name for number, org in server.orgs.items()} == {1: "Main Org.", 2: "Ahausen", 3: "Beheim"}
    ahausen = server.orgs[2]
    assert {one["jsonData"]["dbName"] for one in ahausen.sources.values()} == {
        "stadtfunk_ahausen", "stadtfunk_ahausen_hours", "stadtfunk_ahausen_days", "stadtfunk_ahausen_bays"}
    assert set(ahausen.boards) == {uid(AHAUSEN, name) for name in ("lighting", "energy", "parking", "network", "device")}
    assert {board["folder"] for board in ahausen.boards.values()} == {"stadtfunk-ahausen-folder"}
    assert {rule["folderUID"] for rule in ahausen.rules.values()} == {"stadtfunk-ahausen-folder"}
    assert {(one["name"], one["type"]) for one in ahausen.contacts.values()} == {
        ("stadtfunk ahausen", "email"), ("stadtfunk ahausen", "webhook")}
    assert server.orgs[3].contacts == {}
    assert {rule["notification_settings"] for rule in server.orgs[3].rules.values()} == {None}
    assert set(server.orgs[1].boards) == {"stadtfunk-platform-platform"}
    assert server.orgs[1].sources["stadtfunk-platform-influxdb"]["jsonData"]["dbName"] == "stadtfunk__platform"


def test_no_board_and_no_rule_asks_a_source_that_its_organisation_does_not_have(server):
    fill(server)
    for org in server.orgs.values():
        asked = set(_uids([board["body"] for board in org.boards.values()])) | set(_uids(list(org.rules.values())))
        assert asked - {"__expr__", "-- Grafana --", "-- Dashboard --"} <= set(org.sources)


def _uids(said: object) -> Iterator[str]:
    if isinstance(said, dict):
        if isinstance(said.get("datasource"), dict) and "uid" in said["datasource"]:
            yield said["datasource"]["uid"]
        for value in said.values():
            yield from _uids(value)
    elif isinstance(said, list):
        for value in said:
            yield from _uids(value)


def test_grafana_gets_each_towns_own_secret_in_the_way_that_its_influxdb_takes(server):
    fill(server)
    assert set(map(str, server.orgs[2].secrets.values())) == {"{'password': 'passwort-a'}"}
    assert {one["user"] for one in server.orgs[2].sources.values()} == {"leser"}
    assert set(map(str, server.orgs[3].secrets.values())) == {"{'httpHeaderValue1': 'Token token-b'}"}
    assert {one["jsonData"]["httpHeaderName1"] for one in server.orgs[3].sources.values()} == {"Authorization"}
    assert {one["access"] for org in server.orgs.values() for one in org.sources.values()} == {"proxy"}


@pytest.mark.parametrize("version", ["11.6.0", "12.4.1", "13.0.2"])
def test_a_second_run_writes_nothing(server, version):
    server.version, server.migrates = version, version.startswith("13.")
    fill(server)
    server.writes.clear()
    work = planned(server, everything())
    assert steps_of(work) == []
    assert is_done(work)
    applied(server, everything())
    assert server.writes == []


def test_a_plan_only_reads(server):
    work = planned(server, everything())
    assert not is_done(work)
    assert server.writes == []
    assert {method for method, _ in server.asked} == {"GET"}


def test_the_plan_says_exactly_what_apply_then_writes(server):
    fill(server)
    server.orgs[2].boards.pop("stadtfunk-ahausen-energy")
    server.orgs[3].rules.pop("stadtfunk-beheim-coverage")
    server.orgs[1].sources["stadtfunk-platform-influxdb"]["url"] = "http://anderswo:8086"
    work = planned(server, everything())
    assert [(step.do.value, step.uid) for step in steps_of(work)] == [
        ("+", "stadtfunk-ahausen-energy"), ("+", "stadtfunk-beheim-coverage"), ("~", "stadtfunk-platform-influxdb")]
    assert steps_of(work)[2].details == ("url: http://anderswo:8086 → http://influx:8086",)
    server.writes.clear()
    applied(server, everything())
    assert [method for method, *_ in server.writes] == ["POST", "POST", "PUT"]
    assert is_done(planned(server, everything()))


def test_only_sources_whose_secret_changed_are_written_again_and_their_mark_says_little(server):
    fill(server)
    other = replace(READING, secrets={**SECRETS, "beheim": Secret("token-b-neu")})
    work = planned(server, everything(replace(WISHES, reading=other)))
    assert {(step.uid, step.details) for step in steps_of(work)} == {
        (uid(BEHEIM, key), ("secret: another one",)) for key in ("influxdb", "hours", "days", "bays")}
    applied(server, everything(replace(WISHES, reading=other)))
    assert server.orgs[3].secrets["stadtfunk-beheim-bays"] == {"httpHeaderValue1": "Token token-b-neu"}
    marks = {one["jsonData"]["stadtfunkSecret"] for org in server.orgs.values() for one in org.sources.values()}
    assert {len(mark) for mark in marks} == {8}
    assert fingerprint(Secret("x"), "ahausen") != fingerprint(Secret("x"), "beheim")  # equal secrets do not show as equal


def test_a_change_that_somebody_made_to_our_board_is_said_and_taken_back(server):
    fill(server)
    board = server.orgs[2].boards["stadtfunk-ahausen-lighting"]
    before = deepcopy(board["body"]["panels"])
    changed = next(panel for panel in board["body"]["panels"] if panel.get("targets"))
    changed["title"], title = "Meins", changed["title"]
    board["versions"].append({"version": 2, "message": "", "createdBy": "nadine"})
    [step] = steps_of(planned(server, everything()))
    assert step.details[0] == "changed in Grafana by nadine: taken back (its versions are kept)"
    assert f"panel “{title}” is missing" in step.details
    assert "panel “Meins” is not ours" in step.details
    applied(server, everything())
    assert server.orgs[2].boards["stadtfunk-ahausen-lighting"]["body"]["panels"] == before
    assert len(server.orgs[2].boards["stadtfunk-ahausen-lighting"]["versions"]) == 3


def test_another_language_changes_titles_and_nobody_is_blamed_for_it(server):
    applied(server, [town()], Scope(complete=False))
    work = planned(server, [town(wishes=replace(WISHES, language="en"))], Scope(complete=False))
    board = next(step for step in steps_of(work) if step.uid == "stadtfunk-ahausen-energy")
    assert "title: Energie → Energy" in board.details
    assert not any("changed in Grafana" in detail for step in steps_of(work) for detail in step.details)


def test_what_people_made_is_neither_changed_nor_removed(server):
    fill(server)
    org = server.orgs[2]
    mine = deepcopy(org.boards["stadtfunk-ahausen-lighting"])
    org.boards["nadines"] = {**mine, "body": {**mine["body"], "uid": "nadines"}}  # a copy, with our tags, in our folder
    org.sources["ihre"] = {"uid": "ihre", "name": "Prometheus", "type": "prometheus", "jsonData": {}}
    org.rules["ihre-regel"] = {**deepcopy(org.rules["stadtfunk-ahausen-coverage"]), "uid": "ihre-regel", "title": "Meine"}
    org.contacts["ihr-kontakt"] = {"uid": "ihr-kontakt", "name": "stadtfunk ahausen", "type": "email",
                                   "settings": {"addresses": "n"}}
    org.folders["ihr-ordner"] = {"uid": "ihr-ordner", "title": "Nadine", "version": 1}
    org.policies["routes"].append({"receiver": "ihr-kontakt"})
    before = deepcopy((org.boards["nadines"], org.sources["ihre"], org.rules["ihre-regel"], org.contacts["ihr-kontakt"],
                       org.folders["ihr-ordner"], org.policies))
    assert is_done(planned(server, everything()))
    english = replace(WISHES, language="en", contacts={})
    applied(server, everything(english))
    assert before == (org.boards["nadines"], org.sources["ihre"], org.rules["ihre-regel"], org.contacts["ihr-kontakt"],
                      org.folders["ihr-ordner"], org.policies)
    assert not any("policies" in path for _, path, _ in server.writes)


def test_what_we_made_and_no_longer_want_goes(server):
    fill(server)
    org = server.orgs[2]
    old = deepcopy(org.boards["stadtfunk-ahausen-energy"])
    org.boards["stadtfunk-ahausen-health"] = {**old, "body": {**old["body"], "uid": "stadtfunk-ahausen-health", "title": "Alt"}}
    org.rules["stadtfunk-ahausen-alt"] = {**org.rules.pop("stadtfunk-ahausen-coverage"), "uid": "stadtfunk-ahausen-alt"}
    org.sources["stadtfunk-ahausen-old"] = {**org.sources["stadtfunk-ahausen-bays"], "uid": "stadtfunk-ahausen-old"}
    work = planned(server, everything(replace(WISHES, contacts={})))
    gone = {(step.kind, step.uid) for step in steps_of(work) if step.do is Do.REMOVE}
    assert gone == {(Kind.BOARD, "stadtfunk-ahausen-health"), (Kind.RULE, "stadtfunk-ahausen-alt"),
                    (Kind.SOURCE, "stadtfunk-ahausen-old"), (Kind.CONTACT, "stadtfunk-ahausen-email"),
                    (Kind.CONTACT, "stadtfunk-ahausen-webhook1"), (Kind.CONTACT, "stadtfunk-platform-email")}
    applied(server, everything(replace(WISHES, contacts={})))
    assert org.contacts == {}
    assert "stadtfunk-ahausen-health" not in org.boards
    assert is_done(planned(server, everything(replace(WISHES, contacts={}))))


def test_what_a_person_added_to_our_rule_is_taken_back(server):
    applied(server, [town()], Scope(complete=False))
    server.orgs[2].rules["stadtfunk-ahausen-coverage"]["labels"]["mute"] = "yes"
    assert [step.details for step in steps_of(planned(server, [town()], Scope(complete=False)))] == [("labels.mute: yes → –",)]


def test_a_paused_rule_stays_paused(server):
    fill(server)
    server.orgs[2].rules["stadtfunk-ahausen-coverage"]["isPaused"] = True
    assert is_done(planned(server, everything()))
    applied(server, everything(replace(WISHES, language="en")))
    assert server.orgs[2].rules["stadtfunk-ahausen-coverage"]["isPaused"] is True
    assert server.orgs[2].rules["stadtfunk-ahausen-coverage"]["title"] == "Parking zone hardly known"
    assert all("provenance" not in rule for rule in server.orgs[2].rules.values())  # people may pause them


def test_a_town_that_is_renamed_keeps_its_organisation(server):
    fill(server)
    renamed = [town(name="Ahausen am See"), *everything()[1:]]
    work = planned(server, renamed)
    assert (work[0].org.do, work[0].org.details) == (Do.CHANGE, ("name: Ahausen → Ahausen am See",))
    applied(server, renamed)
    assert server.orgs[2].name == "Ahausen am See"
    assert server.orgs[2].folders["stadtfunk-ahausen-folder"]["title"] == "Ahausen am See"
    assert len(server.orgs) == 3
    assert is_done(planned(server, renamed))


def test_a_name_that_another_organisation_has_is_left_and_said(server):
    fill(server)
    server.orgs[9] = Org("Ahausen am See")
    [part, *_] = planned(server, [town(name="Ahausen am See"), *everything()[1:]])
    assert part.org.do is Do.STAYS
    assert "called “Ahausen am See” already" in part.org.details[0]


def test_an_organisation_of_a_town_that_is_gone_is_left_with_all_that_people_made_there(server):
    fill(server)
    without = [town(), platform_place(WISHES)]
    work = planned(server, without)
    assert (work[-1].org.do, work[-1].org.name) == (Do.STAYS, "Beheim")
    assert "--remove-towns" in work[-1].org.details[0]
    applied(server, without)
    assert server.orgs[3].name == "Beheim"
    assert planned(server, [town()], Scope(complete=False))[-1].org.name == "Ahausen"  # who names towns says nothing of others
    work = planned(server, without, Scope(complete=True, remove=True))
    assert (work[-1].org.do, work[-1].org.number) == (Do.REMOVE, 3)
    applied(server, without, Scope(complete=True, remove=True))
    assert list(server.orgs) == [1, 2]


def test_an_organisation_with_another_town_or_the_platform_in_it_is_never_removed(server):
    server.tokens["t"] = 1
    applied(server, [town()], Scope(complete=False), SignIn(server.url, token=Secret("t")))
    work = planned(server, [town(BEHEIM, "Beheim"), platform_place(WISHES)], Scope(complete=True, remove=True))
    assert (work[-1].org.do, work[-1].org.number) == (Do.STAYS, 1)
    assert "others are in it too" in work[-1].org.details[0]


def test_a_town_in_two_organisations_is_said_and_nothing_is_done(server):
    fill(server)
    server.orgs[4] = deepcopy(server.orgs[2])
    server.orgs[4].name = "Kopie"
    with pytest.raises(Conflict, match="several organisations"):
        planned(server, everything())


@pytest.mark.parametrize("after", [0, 1, 12, 30])
def test_where_grafana_goes_down_half_way_another_run_completes(server, after):
    server.fails_after = after
    with pytest.raises(GrafanaDown):
        applied(server, everything())
    assert f"{after} of 39 things are done; run it again for the rest." in server.said
    server.fails_after = None
    applied(server, everything())
    assert len(server.writes) == 39  # nothing twice
    assert is_done(planned(server, everything()))


def test_a_token_serves_its_own_organisation_and_one_town(server):
    server.orgs[5] = Org("Stadt A")
    server.tokens["t"] = 5
    token = SignIn(server.url, token=Secret("t"))
    applied(server, [town()], Scope(complete=False), token)
    assert set(server.orgs[5].boards) == {uid(AHAUSEN, name) for name in ("lighting", "energy", "parking", "network", "device")}
    assert server.orgs[5].name == "Stadt A"
    assert server.orgs[1].boards == {}
    assert is_done(planned(server, [town()], Scope(complete=False), token))
    with pytest.raises(Invalid, match="one town"):
        planned(server, everything(), ALL, token)
    with pytest.raises(Invalid, match="is ahausen's, not beheim's"):
        planned(server, [town(BEHEIM, "Beheim")], Scope(complete=False), token)


def test_who_is_no_member_of_an_organisation_is_told_and_writes_to_no_other(server):
    fill(server)
    server.orgs[2].members.clear()
    server.writes.clear()
    with pytest.raises(GrafanaRefuses, match=r"In organisation 2 the user admin is nobody"):
        planned(server, everything())
    assert server.writes == []


def test_an_organisation_of_others_that_we_may_not_see_is_named_and_stops_nothing(server):
    server.orgs[7] = Org("Stadtwerke", members={"nadine"})
    applied(server, everything())
    assert "! organisation Stadtwerke (7): we are no member of it" in server.said
    assert is_done(planned(server, everything()))
    assert server.orgs[7].sources == {}


def test_a_source_that_somebody_made_the_default_stays_it(server):
    fill(server)
    server.orgs[2].sources["stadtfunk-ahausen-influxdb"] |= {"isDefault": True, "url": "http://alt:8086"}
    applied(server, everything())
    its = server.orgs[2].sources["stadtfunk-ahausen-influxdb"]
    assert (its["isDefault"], its["url"]) == (True, "http://influx:8086")


def test_what_grafana_has_from_files_is_left_and_said(server):
    fill(server)
    org = server.orgs[2]
    org.sources["stadtfunk-ahausen-bays"] |= {"readOnly": True, "url": "http://alt:8086"}
    org.boards["stadtfunk-ahausen-energy"]["provisioned"] = True
    org.boards["stadtfunk-ahausen-energy"]["body"]["title"] = "Alt"
    org.boards["stadtfunk-ahausen-energy"]["versions"].append({"version": 2, "message": "", "createdBy": ""})
    org.rules["stadtfunk-ahausen-coverage"] |= {"provenance": "file", "for": "1h"}
    work = planned(server, everything())
    assert {step.uid for step in steps_of(work)} == {"stadtfunk-ahausen-bays", "stadtfunk-ahausen-energy",
                                                     "stadtfunk-ahausen-coverage"}
    assert {step.do for step in steps_of(work)} == {Do.STAYS}
    assert not any(map(does_something, steps_of(work)))


@pytest.mark.parametrize(("sign_in", "words"), [
    (SignIn("", "admin", Secret("falsch")), "wrong, or basic auth is off in it (401)"),
    (SignIn("", token=Secret("falsch")), "the token are wrong"),
    (SignIn("", "redakteur", Secret("auch geheim")), "does not allow it (403)"),
])
def test_who_is_not_let_in_is_told_why(server, sign_in, words):
    with pytest.raises(GrafanaRefuses) as refused:
        planned(server, [town()], Scope(complete=False), replace(sign_in, url=server.url))
    assert words in str(refused.value)
    assert "geheim" not in str(refused.value)


def test_an_old_grafana_a_wrong_path_and_a_name_that_is_taken_are_each_a_sentence(server):
    server.version = "9.5.2"
    with pytest.raises(GrafanaRefuses, match=r"This is Grafana 9\.5\.2"):
        planned(server, everything())
    server.version = "12.0.0"
    with pytest.raises(GrafanaRefuses, match=r"no such address or thing \(404\)"):
        planned(server, everything(), ALL, replace(admin(server), url=f"{server.url}/falsch"))
    fill(server)
    server.orgs[2].sources["ihre"] = {"uid": "ihre", "name": "stadtfunk ahausen bays", "jsonData": {}}
    del server.orgs[2].sources["stadtfunk-ahausen-bays"]
    with pytest.raises(GrafanaRefuses, match=r"contradicts what people have made there \(409\)"):
        applied(server, everything())


def test_a_redirect_is_not_followed(server):
    with grafana_server() as other:
        server.moved = other.url
        with pytest.raises(GrafanaDown, match="sends us on to http://127"):
            planned(server, everything())
        assert other.asked == []
        server.moved = "/login?secret="
        with pytest.raises(GrafanaDown, match="sends us on to /login: "):
            planned(server, everything())


@pytest.mark.parametrize("garbage", [b"<html>login</html>", b"[1, 2]", b'"x"', b"[" * 100_000, b'{"id": {}}', b"\xff\xfe", b""])
def test_who_is_no_grafana_is_told_apart(server, garbage):
    server.garbage = garbage
    with pytest.raises(GrafanaDown):
        planned(server, everything())


@pytest.mark.parametrize(("what", "how"), [
    ("sources", {"jsonData": [1]}), ("rules", {"labels": 5}), ("rules", {"annotations": "x"}), ("boards", {"tags": [{}]}),
    ("boards", {"panels": {"a": 1}}), ("boards", {"panels": [{"panels": [1]}]}),
])
def test_what_is_not_as_the_api_says_is_no_crash(server, what, how):
    fill(server)
    one = next(iter(getattr(server.orgs[2], what).values()))
    (one["body"] if what == "boards" else one).update(how)
    with pytest.raises(GrafanaDown, match="not as its API says"):
        planned(server, everything())


@pytest.mark.parametrize(("what", "how"), [
    ("sources", {"jsonData": {"stadtfunkTown": ["x"]}, "name": 5}), ("folders", {"title": None}),
    ("rules", {"title": [], "data": 1}), ("contacts", {"settings": {}, "name": None}), ("boards", {"title": [], "templating": 5}),
])
def test_what_somebody_bent_is_put_right(server, what, how):
    fill(server)
    one = next(iter(getattr(server.orgs[2], what).values()))
    (one["body"] if what == "boards" else one).update(how)
    if what == "boards":
        one["versions"].append({"version": 2, "message": "", "createdBy": "x"})
    assert not is_done(planned(server, everything()))
    applied(server, everything())
    assert is_done(planned(server, everything()))


def test_an_endless_answer_ends(server):
    server.garbage = b" " * (33 * 2**20)
    with pytest.raises(GrafanaDown, match="larger than 32 MB"):
        planned(server, everything())


def test_an_answer_that_drips_ends_too(server):
    server.drips = True
    with pytest.raises(GrafanaDown), signed_in(admin(server), limits=Limits(read_s=2, whole_s=0.3)) as grafana:
        grafana.version()


def test_nobody_there_is_a_sentence():
    nowhere = SignIn("http://127.0.0.1:1", token=Secret("t"))
    with pytest.raises(GrafanaDown, match="does not answer"), signed_in(nowhere) as grafana:
        grafana.version()


@pytest.mark.parametrize("url", ["ftp://x", "grafana:3000", "http://a:b@x", "http://", "http://x:99999", "http://x/?a=b", ""])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(Invalid):
        Grafana(SignIn(url, token=Secret("t")))


@pytest.mark.parametrize(("url", "overheard"), [
    ("http://grafana.intern:3000", True), ("http://127.0.0.1:3000", False), ("http://[::1]/", False), ("https://x.de", False)])
def test_it_is_known_where_others_can_read_along(url, overheard):
    assert SignIn(url, token=Secret("t")).is_overheard is overheard


def test_addresses_keep_their_path():
    assert address("https://stadt.example/grafana/") == ("stadt.example", None, "grafana/")
    assert address("http://[::1]:3000") == ("::1", 3000, "")


def test_no_secret_is_ever_said(server):
    said = applied(server, everything())
    server.orgs[2].contacts["stadtfunk-ahausen-webhook1"]["settings"]["url"] = "https://hook.example/T0/anders"
    server.fails_after = 0
    with pytest.raises(GrafanaDown) as down:
        applied(server, everything(replace(WISHES, reading=replace(READING, secrets={}))))
    said += server.said + str(down.value) + repr(everything()) + repr(admin(server))
    for secret in (PASSWORD, "passwort-a", "token-b", "token-p", "sehr-geheim", "T0/anders"):
        assert secret not in said


@pytest.mark.parametrize("said", ["ahausen", "ahausen=", "=a@b.de", "ahausen=ftp://x", "ahausen=https://u:p@x/", "Ä=a@b.de"])
def test_contacts_that_are_none_are_refused_without_being_repeated(said):
    with pytest.raises(CityError) as refused:
        contacts(said)
    assert "u:p" not in str(refused.value)


def test_namesakes_get_their_id_behind_the_name():
    assert names([(AHAUSEN, "Neustadt"), (BEHEIM, "Neustadt"), (TenantId("c"), "C")]) == {
        AHAUSEN: "Neustadt (ahausen)", BEHEIM: "Neustadt (beheim)", TenantId("c"): "C"}


def test_a_folder_goes_only_when_nothing_of_peoples_is_in_it():
    nothing = Place(AHAUSEN, "Ahausen", ())
    folders = {"stadtfunk-ahausen-folder": {"uid": "stadtfunk-ahausen-folder", "title": "Ahausen"},
               "stadtfunk-beheim-folder": {"title": "another town's"}, "ihrer": {"title": "Nadine"}}
    assert [(step.do, step.uid) for step in steps(nothing, Found(folders=folders))] == [(Do.REMOVE, "stadtfunk-ahausen-folder")]
    [left] = steps(nothing, Found(folders=folders, others={"stadtfunk-ahausen-folder": 2}))
    assert (left.do, left.details) == (Do.STAYS, ("2 things in it are not ours",))


def test_a_step_that_meets_nothing_any_more_is_done(server):
    fill(server)
    with signed_in(admin(server)) as grafana, closing(grafana.inside(2)) as inside:
        inside.carry_out(Step(Do.REMOVE, Kind.BOARD, "stadtfunk-ahausen-weg", "weg"), town())
        inside.carry_out(Step(Do.REMOVE, Kind.SOURCE, "stadtfunk-ahausen-weg", "weg"), town())
    assert server.writes == []


def test_differences_are_of_what_we_say_and_not_of_what_grafana_adds():
    wanted = {"a": 1, "b": {"c": [1, 2]}, "d": "", "e": False}
    assert list(differences(wanted, {"a": 1, "b": {"c": [1, 2], "x": 9}, "y": 8})) == []
    assert list(differences(wanted, {"a": 2, "b": {"c": [1]}, "d": "z"})) == ["a: 2 → 1", "b.c: [1] → [1, 2]", "d: z → "]


def test_the_file_of_secrets_is_its_owners_alone(tmp_path):
    path = tmp_path / "grafana-access.json"
    assert access.read(path) == {}
    access.write(path, SECRETS)
    assert path.stat().st_mode & 0o777 == 0o600
    assert {town: secret.reveal() for town, secret in access.read(path).items()} == {
        town: secret.reveal() for town, secret in SECRETS.items()}
    path.chmod(0o640)
    with pytest.raises(Invalid, match="chmod 600"):
        access.read(path)
    for said in ("[]", "{", json.dumps({"influxdb": {"Ä!": "x"}}), json.dumps({"influxdb": {"a": 1}})):
        path.chmod(0o600)
        path.write_text(said, encoding="utf-8")
        with pytest.raises(CityError):
            access.read(path)
    assert [file.name for file in tmp_path.iterdir()] == ["grafana-access.json"]
