"""Grafana on our own origin, as deploy/ sets it up: it never gets the operator's session, and nobody frames its buttons."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

from api.deps import COOKIE

DEPLOY = Path(__file__).parents[2] / "deploy"
PROXY = (DEPLOY / "nginx-grafana.conf").read_text()


def passed(cookies: str) -> str:
    """The cookies that Grafana gets of those that a browser sends."""
    pattern = re.search(r'if \(\$http_cookie ~ "(.+)"\)', PROXY)
    assert pattern is not None
    found = re.search(pattern[1], cookies)
    return cookies if found is None else found[1] + found[2]


@pytest.mark.parametrize(("sent", "kept"), [
    ("{0}=abc", set()), ("{0}=abc; grafana_session=x", {"grafana_session=x"}),
    ("grafana_session=x; {0}=abc", {"grafana_session=x"}), ("a=1; {0}=abc; grafana_session=x", {"a=1", "grafana_session=x"}),
    ("a=1;{0}=;b=2", {"a=1", "b=2"}), ("x{0}=1; grafana_session=x", {"x{0}=1", "grafana_session=x"}), ("", set())])
def test_grafana_gets_every_cookie_but_our_session(sent, kept):
    left = {part.strip() for part in passed(sent.format(COOKIE)).split(";")} - {""}
    assert left == {one.format(COOKIE) for one in kept}


def test_every_way_to_grafana_takes_the_cookie_out():
    ways = re.findall(r"location (\S+) \{", PROXY)
    assert len(ways) == PROXY.count("proxy_pass ") == PROXY.count("proxy_set_header Cookie $without_session;")
    assert PROXY.index("set $without_session") < PROXY.index("location")  # one inside a location is not done for another
    assert all(way.startswith("/grafana/") for way in ways)


def test_grafana_is_not_framed_and_lets_no_script_in():
    told = ConfigParser()
    told.read(DEPLOY / "grafana.ini")
    assert told["server"]["root_url"].endswith("/grafana/")
    assert told.getboolean("server", "serve_from_sub_path")
    assert told.getboolean("security", "cookie_secure")
    assert not told.getboolean("security", "allow_embedding")
    assert not told.getboolean("panels", "disable_sanitize_html")
    assert not told.getboolean("auth.anonymous", "enabled")
