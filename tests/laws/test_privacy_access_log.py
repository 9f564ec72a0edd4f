"""The access log that deploy/ sets up knows nobody, for seven days at most."""

import re
from pathlib import Path

DEPLOY = Path(__file__).parents[2] / "deploy"
NGINX = (DEPLOY / "nginx.conf").read_text()


def short(address: str) -> str:
    """What nginx's map makes of an address."""
    for pattern, value in re.findall(r'"~(\S+)"\s+"(\S+)";', NGINX):
        if found := re.search(pattern, address):
            return re.sub(r"\$(\w+)", lambda name: found[name[1]], value)
    return "-"


def test_addresses_are_cut_to_24_and_48_bits():
    assert short("203.0.113.77") == "203.0.113.0"
    assert short("2001:db8:85a3:8d3:1319:8a2e:370:7348") == "2001:db8:85a3::"
    assert short("2001:db8::1") == "2001:db8::"
    assert short("2001:db8:85a3::1") == "2001:db8:85a3::"
    assert short("fe80::1") == "fe80::"
    assert short("::1") == short("unix:") == "-"


def test_the_log_line_has_nothing_else_that_tells_of_persons():
    line = re.search(r"log_format nobody '([^']+)'", NGINX)
    assert line is not None
    told = set(re.findall(r"\$(\w+)", line[1]))
    assert told == {"short_addr", "time_iso8601", "request_method", "uri", "status", "body_bytes_sent", "request_time"}
    assert re.findall(r"access_log (\S+)(?: (\w+))?;", NGINX) == [("/var/log/nginx/stadtfunk.log", "nobody"), ("off", "")]


def test_it_is_kept_for_seven_days():
    rotation = (DEPLOY / "stadtfunk-logrotate").read_text()
    assert re.search(r"^\s+daily$", rotation, re.MULTILINE)
    rotated = re.search(r"^\s+rotate (\d+)$", rotation, re.MULTILINE)
    assert rotated is not None
    assert int(rotated[1]) + 1 <= 7
    assert re.search(r"^\s+maxage 7$", rotation, re.MULTILINE)
