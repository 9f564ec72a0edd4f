"""`stadtfunk dashboards render DIR`: boards and provisioning files for Grafana, as files."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from city import ids
from city.errors import Invalid
from city.settings import load
from city.store.opening import open_store
from dashboards.board import LANGUAGES, Language
from dashboards.boards import BOARDS
from dashboards.provisioning import Town, datasources, providers
from dashboards.render import render

GRAFANA_DIRECTORY = "/var/lib/grafana/dashboards/stadtfunk"


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    asked = _parser().parse_args(argv)
    towns = [_town(text) for text in asked.tenant] or _registered()
    if not towns:
        raise Invalid("There is no town yet: name one with --tenant.", field="tenant", rule="a town")
    files = write(asked.directory, towns, language=asked.language, influx=asked.influx, grafana=asked.path)
    print("\n".join(str(file) for file in files))
    return 0


def write(directory: Path, towns: Sequence[Town], *, language: Language, influx: int, grafana: str) -> list[Path]:
    """Write every file under `directory`; returns their paths. The same arguments give the same bytes."""
    files = {
        Path("provisioning/datasources/stadtfunk.yaml"): datasources(towns, influx=influx),
        Path("provisioning/dashboards/stadtfunk.yaml"): providers(towns, directory=grafana),
    }
    for town in towns:
        for make in BOARDS:
            board = make(town.tenant)
            files[Path("dashboards") / town.tenant / f"{board.name}.json"] = render(board, language)
    for file, text in files.items():
        path = directory / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [directory / file for file in files]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stadtfunk dashboards", description="Boards for Grafana, as files.")
    render = parser.add_subparsers(required=True).add_parser("render", help="write boards and provisioning files")
    render.add_argument("directory", type=Path, metavar="DIR", help="where to write")
    render.add_argument("--tenant", action="append", default=[], metavar="TOWN[=ORG]",
                        help="town, and the number of its organisation in Grafana (default 1); may be repeated; "
                             "default: every town in the database")
    render.add_argument("--language", choices=LANGUAGES, default="de", help="language of titles (default de)")
    render.add_argument("--influx", type=int, choices=(1, 2, 3), default=2, help="InfluxDB's version (default 2)")
    render.add_argument("--path", default=GRAFANA_DIRECTORY,
                        help=f"where Grafana finds DIR/dashboards (default {GRAFANA_DIRECTORY})")
    return parser


def _town(text: str) -> Town:
    slug, given, number = text.partition("=")
    if given and not (number.isascii() and number.isdecimal() and 0 < int(number) < 2**31):
        raise Invalid("“{value}” is no number of an organisation.", field="tenant", rule="TOWN=ORG", value=number[:20])
    tenant = ids.tenant_id(slug)
    return Town(tenant, tenant, int(number) if given else 1)


def _registered() -> list[Town]:
    store = open_store(load().database.url.reveal())
    try:
        return [Town(tenant.id, tenant.name) for tenant in store.tenants()]
    finally:
        store.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
