"""Files from which Grafana sets itself up: a data source and a folder for each town. Secrets stay in its environment.

In the files stand $STADTFUNK_INFLUX_URL, $STADTFUNK_INFLUX_BUCKET and $STADTFUNK_INFLUX_TOKEN (2.x, 3.x), or
$STADTFUNK_INFLUX_USER and $STADTFUNK_INFLUX_PASSWORD (1.x); Grafana fills them in when it starts.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from city.ids import TenantId
from dashboards.render import Json, uid


@dataclass(frozen=True, slots=True)
class Town:
    """A town in Grafana, and the organisation it belongs to: a tenant alone in its own sees only its own boards."""

    tenant: TenantId
    name: str
    org: int = 1


def datasources(towns: Sequence[Town], *, influx: int) -> str:
    """provisioning/datasources: one data source for each town, InfluxQL. `influx` is InfluxDB's major version."""
    return yaml({"apiVersion": 1, "datasources": [_datasource(town, influx) for town in towns]})


def providers(towns: Sequence[Town], *, directory: str) -> str:
    """provisioning/dashboards: each town's folder, filled from `directory`/<town> as Grafana sees it."""
    return yaml({"apiVersion": 1, "providers": [_provider(town, directory) for town in towns]})


def yaml(value: Json) -> str:
    """Plain YAML of maps, lists and scalars; every text in double quotes, so that nothing is taken for something
    else."""
    return "".join(f"{line}\n" for line in _lines(value))


def _datasource(town: Town, influx: int) -> Json:
    source: Json = {
        "name": f"stadtfunk {town.tenant}",
        "uid": uid(town.tenant, "influxdb"),
        "orgId": town.org,
        "type": "influxdb",
        "access": "proxy",
        "url": "${STADTFUNK_INFLUX_URL}",
        "editable": False,
        "jsonData": {"version": "InfluxQL", "dbName": "${STADTFUNK_INFLUX_BUCKET}", "httpMode": "POST"},
    }
    if influx == 1:
        return {**source, "user": "${STADTFUNK_INFLUX_USER}",
                "secureJsonData": {"password": "${STADTFUNK_INFLUX_PASSWORD}"}}
    source["jsonData"]["httpHeaderName1"] = "Authorization"
    return {**source, "secureJsonData": {"httpHeaderValue1": "Token ${STADTFUNK_INFLUX_TOKEN}"}}


def _provider(town: Town, directory: str) -> Json:
    return {
        "name": f"stadtfunk {town.tenant}",
        "orgId": town.org,
        "folder": town.name.replace("$", "$$"),
        "folderUid": uid(town.tenant, "folder"),
        "type": "file",
        "disableDeletion": True,
        "allowUiUpdates": False,
        "updateIntervalSeconds": 60,
        "options": {"path": f"{directory.rstrip('/')}/{town.tenant}"},
    }


def _lines(value: Json) -> list[str]:
    said = []
    for key, item in value.items():
        if isinstance(item, dict):
            said += [f"{key}:", *(f"  {line}" for line in _lines(item))]
        elif isinstance(item, list):
            said.append(f"{key}:")
            for part in item:
                first, *rest = _lines(part)
                said += [f"  - {first}", *(f"    {line}" for line in rest)]
        else:
            said.append(f"{key}: {json.dumps(item, ensure_ascii=False)}")
    return said
