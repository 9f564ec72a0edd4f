"""Files from which Grafana sets itself up where nobody may reach it: what dashboards.wanted wants, as Grafana's file provisioning
has it. Secrets stay in its environment.

In the files stand $STADTFUNK_INFLUX_URL and $STADTFUNK_INFLUX_BUCKET, and for each town $STADTFUNK_INFLUX_TOKEN_TOWN (2.x, 3.x),
or $STADTFUNK_INFLUX_USER_TOWN and $STADTFUNK_INFLUX_PASSWORD_TOWN (1.x); TOWN is its id in capitals with _ for -, and _PLATFORM,
with one _ more, for the platform. Grafana fills them in when it starts. A webhook's address is $STADTFUNK_WEBHOOK_TOWN_1 …
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from city.grafana import uid
from city.ids import TenantId
from city.settings import Influx, Secret
from dashboards.render import Json
from dashboards.wanted import FINGERPRINT, Kind, Place, Reading

URL, BUCKET = "${STADTFUNK_INFLUX_URL}", "${STADTFUNK_INFLUX_BUCKET}"


@dataclass(frozen=True, slots=True)
class Seat:
    """A place in Grafana, and the number of its organisation."""

    place: Place
    org: int = 1


def reading(influx: Influx, tenants: Sequence[TenantId], *, version: int) -> Reading:
    """How Grafana reaches InfluxDB of that major version, with variables in place of what only its environment knows."""
    def secret(town: str) -> Secret:
        if version == 1:
            return Secret(f"${{STADTFUNK_INFLUX_USER_{town}}}:${{STADTFUNK_INFLUX_PASSWORD_{town}}}")
        return Secret(f"${{STADTFUNK_INFLUX_TOKEN_{town}}}")

    named = Influx(bucket=BUCKET, per_town=influx.per_town, figures_s=influx.figures_s)
    return Reading(URL, named, {"*": secret(variable(None)), **{tenant: secret(variable(tenant)) for tenant in tenants}})


def variable(tenant: TenantId | None) -> str:
    """What a town's variables end with."""
    return "_PLATFORM" if tenant is None else tenant.upper().replace("-", "_")


def datasources(seats: Sequence[Seat]) -> str:
    """provisioning/datasources."""
    return yaml({"apiVersion": 1, "datasources": [_source(thing.body, thing.secret, seat.org) for seat in seats
                                                  for thing in seat.place.things if thing.kind is Kind.SOURCE]})


def providers(seats: Sequence[Seat], *, directory: str) -> str:
    """provisioning/dashboards: each town's folder, filled from `directory`/<town> as Grafana sees it."""
    return yaml({"apiVersion": 1, "providers": [_provider(seat, directory) for seat in seats]})


def alerting(seats: Sequence[Seat]) -> str:
    """provisioning/alerting: contact points and rules. Grafana holds what comes from a file fast: nobody can change it there."""
    contacts: dict[tuple[int, str], list[Json]] = {}
    groups = []
    for seat in seats:
        rules = []
        for thing in seat.place.things:
            if thing.kind is Kind.CONTACT:
                contacts.setdefault((seat.org, thing.body["name"]), []).append(_receiver(thing.body, seat.place.tenant))
            elif thing.kind is Kind.RULE:
                rules.append(_rule(thing.body))
        groups.append({"orgId": seat.org, "name": "stadtfunk", "folder": _path(_folder(seat.place)), "interval": "1m",
                       "rules": rules})
    points: list[Json] = [{"orgId": org, "name": name, "receivers": receivers} for (org, name), receivers in contacts.items()]
    return yaml({"apiVersion": 1, **({"contactPoints": points} if points else {}), "groups": groups})


def yaml(value: Json) -> str:
    """Plain YAML of maps, lists and scalars; every text in double quotes, so that nothing is taken for something else. Lists
    inside lists, and empty ones, are JSON, which YAML includes."""
    return "".join(f"{line}\n" for line in _lines(value))


def _source(body: Json, secret: Mapping[str, Secret], org: int) -> Json:
    # a fingerprint of a variable's name says nothing; `apply` leaves alone what comes from a file
    data = {key: value for key, value in body["jsonData"].items() if key != FINGERPRINT}
    kept = {key: value.reveal() for key, value in secret.items()}
    return {**body, "orgId": org, "editable": False, "jsonData": data, **({"secureJsonData": kept} if kept else {})}


def _provider(seat: Seat, directory: str) -> Json:
    place = seat.place
    return {
        "name": f"stadtfunk {place.tenant or 'platform'}",
        "orgId": seat.org,
        "folder": _literal(_folder(place)),
        "folderUid": uid(place.tenant, "folder"),
        "type": "file",
        "disableDeletion": True,
        "allowUiUpdates": False,
        "updateIntervalSeconds": 60,
        "options": {"path": f"{directory.rstrip('/')}/{directory_of(place)}"},
    }


def directory_of(place: Place) -> str:
    """The directory of a place's boards; no town's name begins with _."""
    return place.tenant or "_platform"


def _receiver(body: Json, tenant: TenantId | None) -> Json:
    settings = {key: _literal(value) if isinstance(value, str) else value for key, value in body["settings"].items()}
    if body["type"] == "webhook":  # its address may be as good as a password
        number = body["uid"].rpartition("webhook")[2]
        settings["url"] = f"${{STADTFUNK_WEBHOOK_{variable(tenant)}_{number}}}"
    return {"uid": body["uid"], "type": body["type"], "settings": settings,
            "disableResolveMessage": body["disableResolveMessage"]}


def _rule(body: Json) -> Json:
    """Grafana fills ${…} in a rule's texts, and nothing in its queries: see rules_types.go of its file provisioning."""
    return {key: value for key, value in body.items() if key not in ("folderUID", "ruleGroup") and value is not None}


def _folder(place: Place) -> str:
    return next(thing.title for thing in place.things if thing.kind is Kind.FOLDER)


def _literal(text: str) -> str:
    return text.replace("$", "$$")


def _path(title: str) -> str:
    return _literal(title.replace("\\", "\\\\").replace("/", "\\/"))  # a bare / would be a folder in a folder


def _lines(value: Json) -> list[str]:
    said = []
    for key, item in value.items():
        if isinstance(item, dict) and item:
            said += [f"{key}:", *(f"  {line}" for line in _lines(item))]
        elif isinstance(item, list) and item and all(isinstance(part, dict) for part in item):
            said.append(f"{key}:")
            for part in item:
                first, *rest = _lines(part)
                said += [f"  - {first}", *(f"    {line}" for line in rest)]
        else:
            said.append(f"{key}: {json.dumps(item, ensure_ascii=False)}")
    return said
