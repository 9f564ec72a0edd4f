"""The command line: towns, accounts, tokens, imports."""

import re

import pytest

import stadtfunk
from api import accounts, auth, importing
from city.clock import SystemClock
from city.errors import Invalid, NotFound
from city.store.opening import open_store
from city.store.ports import Role

HEAD = "asset,kind,name,latitude,longitude,zone,circuit,dev_eui,model,power_w,lighting_class,restriction\n"
TOWN = ["town", "add", "alt", "Altstadt", "--latitude", "51", "--longitude", "8.1"]


@pytest.fixture
def url(tmp_path, monkeypatch):
    """A database of our own, named by the environment as for a user."""
    url = f"sqlite:///{tmp_path / 'city.db'}"
    monkeypatch.setenv("STADTFUNK_DATABASE_URL", url)
    monkeypatch.chdir(tmp_path)
    return url


@pytest.fixture
def opened(url):
    store = open_store(url)
    yield store
    store.close()


@pytest.mark.usefixtures("url")
def test_a_town_is_added_and_listed(capsys, opened):
    assert accounts.main(TOWN) == 0
    assert accounts.main(["town", "list"]) == 0
    assert "Altstadt" in capsys.readouterr().out
    assert opened.tenants()[0].id == "alt"


def test_a_made_password_is_shown_once_and_signs_in(opened, capsys):
    accounts.main(TOWN)
    accounts.main(["add", "eva", "--tenant", "alt", "--role", "operator"])
    shown = re.search(r"shown only now: (\S+)", capsys.readouterr().out)
    assert shown
    account = opened.account("eva")
    assert (account.role, account.tenant) == (Role.OPERATOR, "alt")
    assert auth.verify(account.password_hash, shown[1])


def test_a_typed_password_is_not_shown(opened, capsys, monkeypatch):
    accounts.main(TOWN)
    monkeypatch.setattr("getpass.getpass", lambda _: "typed by a person")
    accounts.main(["add", "eva", "--tenant", "alt", "--prompt"])
    assert "typed by" not in capsys.readouterr().out
    assert auth.verify(opened.account("eva").password_hash, "typed by a person")


@pytest.mark.usefixtures("url")
def test_a_typed_password_that_is_empty_is_refused_and_not_replaced(monkeypatch):
    accounts.main(TOWN)
    monkeypatch.setattr("getpass.getpass", lambda _: "")
    with pytest.raises(Invalid):
        accounts.main(["add", "eva", "--tenant", "alt", "--prompt"])


def test_a_token_is_shown_once_and_opens_the_town_until_it_expires(opened, capsys):
    accounts.main(TOWN)
    accounts.main(["token", "board", "--tenant", "alt", "--role", "viewer", "--days", "30"])
    text = re.search(r"shown only now: (\S+)", capsys.readouterr().out)[1]
    actor = auth.identify(opened, cookie="", bearer=text, now=SystemClock().now())
    assert (actor.name, actor.role, actor.tenant) == ("token:board", Role.VIEWER, "alt")


@pytest.mark.parametrize("words", [["add", "eva", "--tenant", "nope"], ["token", "t", "--tenant", "nope"]])
@pytest.mark.usefixtures("url")
def test_a_town_that_is_not_there(words):
    with pytest.raises(NotFound):
        accounts.main(words)


@pytest.mark.parametrize("words", [["add", "eva"], ["add", "eva", "--tenant", "alt", "--every-town"], [],
                                   ["add", "eva", "--tenant", "alt", "--role", "king"]])
@pytest.mark.usefixtures("url")
def test_every_town_has_to_be_said(words):
    with pytest.raises(SystemExit):
        accounts.main(words)


def test_a_list_is_imported_and_what_is_bad_is_named(opened, tmp_path, capsys):
    accounts.main(TOWN)
    good = HEAD + "L1,lamp,Markt 1,51,8,markt,,a000000000000001,nas/ul20xx,40,,\n"
    (tmp_path / "good.csv").write_text(good)
    (tmp_path / "bad.csv").write_text(good.replace("L1", "L2").replace("0001", "0002") + "L3,lamp,,95,8,markt,,,,,,\n")
    assert importing.main(["good.csv", "--tenant", "alt"]) == 0
    assert importing.main(["bad.csv", "--tenant", "alt"]) == 1
    said = capsys.readouterr().out
    assert "1 assets imported" in said
    assert "latitude" in said
    assert "range" in said
    assert {lamp.id for lamp in opened.tenant("alt").luminaires()} == {"L1"}
    assert importing.main(["bad.csv", "--tenant", "alt", "--valid-only"]) == 1
    assert {lamp.id for lamp in opened.tenant("alt").luminaires()} == {"L1", "L2"}
    assert [line.action for line in opened.tenant("alt").audit_lines()] == ["import", "import"]


@pytest.mark.usefixtures("url")
def test_a_file_that_is_not_there_is_one_sentence(capsys):
    accounts.main(TOWN)
    assert stadtfunk.main(["import", "none.csv", "--tenant", "alt"]) == 1
    assert "none.csv cannot be read" in capsys.readouterr().err


@pytest.mark.usefixtures("opened")
def test_words_of_a_list_are_shown_as_they_are_and_never_steer_the_terminal(tmp_path, capsys):
    """Neither rich's markup nor an escape sequence acts."""
    accounts.main([*TOWN[:3], "[/b]", *TOWN[4:]])
    accounts.main(["town", "list"])
    (tmp_path / "bad.csv").write_text(HEAD + "A1,lamp,x,51,8,Z,,[/b],\x1b[31m,,,\n", encoding="utf-8")
    assert importing.main([str(tmp_path / "bad.csv"), "--tenant", "alt"]) == 1
    shown = capsys.readouterr().out
    assert shown.count("[/b]") == 3
    assert "\x1b[31m" not in shown


def test_a_lamps_controller_cannot_serve_a_parking_bay(opened, tmp_path, capsys):
    accounts.main(TOWN)
    (tmp_path / "mixed.csv").write_text(
        HEAD + "B1,bay,x,51,8,Z,,0000000000000001,nas/ul20xx,,,\nL1,lamp,x,51,8,Z,,0000000000000002,nas/ul20xx,,,\n",
        encoding="utf-8")
    assert importing.main([str(tmp_path / "mixed.csv"), "--tenant", "alt", "--valid-only"]) == 1
    assert "serves a lamp" in " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert [lamp.id for lamp in opened.tenant("alt").luminaires()] == ["L1"]
    assert not opened.tenant("alt").bays()


def test_a_system_error_is_one_sentence(capsys):
    """No traceback for a directory that is missing."""
    assert stadtfunk.main(["simulate", "--csv", "/nowhere/list.csv"]) == 1
    assert capsys.readouterr().err == "stadtfunk simulate: /nowhere/list.csv: No such file or directory\n"
