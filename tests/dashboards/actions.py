"""What Grafana does in the browser with an action of a panel, in the few words that tests need: written from its source
(public/app/features/actions/utils.ts; grafana/scenes, variables/interpolation/formatRegistry.ts), not from our code."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

ALL = ".*"  # what stands in queries where all is chosen
Chosen = str | Sequence[str] | None  # one value; those of a variable for several; all
_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}")
_UNENCODED = "-_.~"  # of what encodeURIComponentStrict leaves; Python leaves letters and digits too


@dataclass(frozen=True)
class Request:
    """What the browser is told to send."""

    method: str
    url: str
    headers: dict[str, str]
    body: str


def interpolated(text: str, variables: Mapping[str, Chosen]) -> str:
    """Text with variables filled in; of an unknown variable the reference stays."""
    def instead(match: re.Match[str]) -> str:
        if match[1] not in variables:
            return match[0]
        return _format(variables[match[1]], match[2] or "glob")

    return _VARIABLE.sub(instead, text)


def request_of(action: Mapping[str, Any], variables: Mapping[str, Chosen]) -> Request:
    """As buildActionRequest."""
    assert action["type"] == "fetch"
    fetch = action["fetch"]
    headers = {interpolated(name, variables): interpolated(value, variables) for name, value in fetch["headers"]}
    assert not fetch["queryParams"]
    return Request(fetch["method"], interpolated(fetch["url"], variables), {**headers, "X-Grafana-Action": "1"},
                   interpolated(fetch["body"], variables))


def canvas(dashboard: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one canvas panel of a dashboard."""
    [found] = [panel for panel in dashboard["panels"] if panel["type"] == "canvas"]
    return dict(found)


def actions(panel: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The actions of a canvas panel's elements, in their order."""
    for element in panel["options"]["root"]["elements"]:
        yield from element.get("actions", ())


def _format(chosen: Chosen, format: str) -> str:
    if chosen is None:
        return {"text": "All", "percentencode": quote(ALL, safe=_UNENCODED)}.get(format, ALL)
    if isinstance(chosen, str):
        return quote(chosen, safe=_UNENCODED) if format == "percentencode" else chosen
    joined = "{" + ",".join(chosen) + "}"
    match format:
        case "percentencode":
            return quote(joined, safe=_UNENCODED)
        case "text":
            return " + ".join(chosen)
        case "glob":
            return joined if len(chosen) > 1 else "".join(chosen)
    raise ValueError(format)
