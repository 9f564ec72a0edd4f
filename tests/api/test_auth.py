"""Passwords, sessions and tokens, without HTTP."""

from datetime import UTC, datetime, timedelta

import pytest

from api import auth
from api.auth import Actor
from city.errors import Forbidden, Invalid, SignInNeeded
from city.ids import TenantId
from city.store.ports import Role

NOW = datetime(2026, 3, 2, 22, tzinfo=UTC)


def test_a_role_may_do_what_the_ones_before_it_may():
    operator = Actor("o", Role.OPERATOR, TenantId("alt"), "session")
    assert [operator.may(role) for role in Role] == [True, True, False, False]


def test_an_actor_of_one_town_enters_no_other_and_one_of_none_enters_all():
    assert not Actor("o", Role.ADMIN, TenantId("alt"), "session").may_enter("neu")
    assert Actor("o", Role.VIEWER, None, "session").may_enter("neu")


def test_a_token_is_kept_as_a_digest_and_only_recognised_by_its_prefix():
    text, kept = auth.new_token(name="t", role=Role.VIEWER, tenant=None, now=NOW)
    assert text.startswith("sf_")
    assert len(text) >= 3 + 43  # 256 bits in base64
    assert kept.prefix == text[:8]
    assert text not in repr(kept)
    assert kept.digest == auth.digest(text)


def test_a_password_is_argon2id_and_verifies_only_itself():
    account = auth.new_account(name="eva", password="long enough secret", role=Role.VIEWER, tenant=None)
    assert account.password_hash.startswith("$argon2id$")
    assert auth.verify(account.password_hash, "long enough secret")
    assert not auth.verify(account.password_hash, "long enough secre")
    assert "argon2" not in repr(account)


@pytest.mark.parametrize(("name", "password", "field"),
                         [("", "long enough secret", "name"), ("a\nb", "long enough secret", "name"),
                          (" a", "long enough secret", "name"), ("eva", "short", "password"),
                          ("eva", "x" * 2000, "password")])
def test_bad_names_and_passwords_are_refused(name, password, field):
    with pytest.raises(Invalid) as refused:
        auth.new_account(name=name, password=password, role=Role.VIEWER, tenant=None)
    assert refused.value.field == field


def test_an_unknown_name_and_a_wrong_password_are_refused_in_the_same_words(store):
    said = []
    for name, password in (("alt-operator", "wrong"), ("nobody", "wrong"), ("x" * 5000, "wrong")):
        with pytest.raises(SignInNeeded) as refused:
            auth.sign_in(store, name=name, password=password, now=NOW, hours=1)
        said.append((refused.value.message, refused.value.field, refused.value.facts))
    assert said[0] == said[1] == said[2]


def test_an_unknown_name_costs_a_hash_too(store, monkeypatch):
    """Otherwise the time would tell which names exist."""
    verified = []
    monkeypatch.setattr(auth, "verify", lambda kept, _: verified.append(kept) or False)
    for name in ("alt-operator", "nobody"):
        with pytest.raises(SignInNeeded):
            auth.sign_in(store, name=name, password="wrong", now=NOW, hours=1)
    assert len(verified) == 2
    assert all(kept.startswith("$argon2id$") for kept in verified)


def test_a_session_ends_by_itself(store):
    cookie, _, _ = auth.sign_in(store, name="alt-viewer", password="correct horse battery", now=NOW, hours=1)
    assert auth.identify(store, cookie=cookie, bearer="", now=NOW + timedelta(minutes=59)) is not None
    assert auth.identify(store, cookie=cookie, bearer="", now=NOW + timedelta(minutes=61)) is None


def test_an_expired_token_is_refused(store):
    text, kept = auth.new_token(name="t", role=Role.VIEWER, tenant=None, now=NOW, expires_at=NOW + timedelta(days=1))
    store.put_token(kept)
    assert auth.identify(store, cookie="", bearer=text, now=NOW) == Actor("token:t", Role.VIEWER, None, "token")
    with pytest.raises(SignInNeeded):
        auth.identify(store, cookie="", bearer=text, now=NOW + timedelta(days=2))


@pytest.mark.parametrize(("fetch_site", "origin", "refused"),
                         [("same-origin", "http://town", False), ("none", "", False), ("", "", False),
                          ("cross-site", "", True), ("same-site", "", True), ("", "http://evil", True),
                          ("same-origin", "null", True)])
def test_other_sites_may_not_ask(fetch_site, origin, refused):
    def ask():
        auth.check_origin(fetch_site=fetch_site, origin=origin, expected=frozenset({"http://town"}))

    if refused:
        with pytest.raises(Forbidden):
            ask()
    else:
        ask()
