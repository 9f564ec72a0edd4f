"""`stadtfunk dashboards`: boards, alert rules and data sources for Grafana, sent or as files, and what they need in InfluxDB."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from city import ids
from city.clock import SystemClock
from city.errors import Invalid, NotFound
from city.ids import TenantId
from city.settings import Secret, Settings, load
from city.store.influx_access import buckets_of_platform, buckets_of_town, prepare, reader_name
from city.store.opening import open_store
from dashboards import access
from dashboards.applying import Scope, agrees, carry_out, is_done, look, show, summary
from dashboards.board import LANGUAGES, Language
from dashboards.boards import BOARDS, PLATFORM
from dashboards.preview import command as preview
from dashboards.provision import Grafana, SignIn
from dashboards.provisioning import Seat, alerting, datasources, directory_of, providers, reading
from dashboards.render import render
from dashboards.wanted import PLATFORM_TOWN, Place, Reading, Wishes, contacts, names, platform_place, town_place

GRAFANA_DIRECTORY = "/var/lib/grafana/dashboards/stadtfunk"
MAX_SECRET = 4096
DIFFERS = 2  # exit code of `plan` where something has to be done


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code. Raises CityError."""
    asked = _parser().parse_args(argv)
    settings = load(asked.settings)
    match asked.action:
        case "render":
            return _render(asked, settings)
        case "influx-setup":
            return _influx_setup(asked, settings)
        case "preview":
            return preview.run(asked, settings, lambda: [tenant for tenant, _ in _registered([], settings)], SystemClock())
        case _:
            return _grafana(asked, settings)


def write(directory: Path, seats: Sequence[Seat], *, language: Language, console: str, grafana: str) -> list[Path]:
    """Write every file under `directory`; returns their paths. The same arguments give the same bytes."""
    files = {
        Path("provisioning/datasources/stadtfunk.yaml"): datasources(seats),
        Path("provisioning/dashboards/stadtfunk.yaml"): providers(seats, directory=grafana),
        Path("provisioning/alerting/stadtfunk.yaml"): alerting(seats),
    }
    for seat in seats:
        tenant = seat.place.tenant
        boards = [PLATFORM(console=console)] if tenant is None else [make(tenant, console=console) for make in BOARDS]
        for board in boards:
            files[Path("dashboards") / directory_of(seat.place) / f"{board.name}.json"] = render(board, language)
    for file, text in files.items():
        path = directory / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [directory / file for file in files]


def _render(asked: argparse.Namespace, settings: Settings) -> int:
    orgs = dict(map(_numbered, asked.tenant))
    towns = [(tenant, str(tenant)) for tenant in orgs] or _registered([], settings)
    wishes = _wishes(asked, settings, reading(settings.influx, [tenant for tenant, _ in towns], version=asked.influx))
    seats = [Seat(town_place(tenant, name, wishes), orgs.get(tenant, 1)) for tenant, name in names(towns).items()]
    files = write(asked.directory, [*seats, Seat(platform_place(wishes))], language=asked.language, console=wishes.console,
                  grafana=asked.path)
    print("\n".join(str(file) for file in files))
    return 0


def _grafana(asked: argparse.Namespace, settings: Settings) -> int:
    sign_in, places = _sign_in(asked, settings), _places(asked, settings)
    console = Console(soft_wrap=False)
    if sign_in.is_overheard:
        console.print("! grafana.url is http: whoever is on the way there can read the password or token, and the secrets that "
                      "are sent", style="yellow")
    grafana = Grafana(sign_in)
    try:
        work = look(grafana, sign_in, places, Scope(complete=not asked.tenant, remove=asked.remove_towns))
        show(console, work, everything=asked.all)
        if asked.action == "plan":
            return 0 if is_done(work) else DIFFERS
        if is_done(work):
            return 0
        if not (asked.yes or agrees(console)):
            raise Invalid("Nothing was changed: say --yes, or answer with yes.", field="yes", rule="agreed")
        console.print(f"{carry_out(grafana, work, console)} things written ({summary(work)}).")
        return 0
    finally:
        grafana.close()


def _influx_setup(asked: argparse.Namespace, settings: Settings) -> int:
    if not settings.influx.url:
        raise Invalid("No InfluxDB is set (influx.url).", field="influx.url", rule="set")
    admin = replace(settings.influx, token=_secret_in(asked.admin_token_file) or settings.influx.token)
    path = asked.access_file or Path(settings.grafana.access_file)
    known = access.read(path)
    if not admin.per_town:
        print("! influx.per_town is off: all towns share the same buckets, and each reader reads all of them")
    days = settings.parking.raw_days
    everybody = [(tenant, reader_name(admin, tenant), buckets_of_town(admin, tenant, bays_days=days))
                 for tenant, _ in _registered(asked.tenant, settings)]
    for tenant, reader, buckets in [*everybody, (None, reader_name(admin, None), buckets_of_platform(admin))]:
        town = tenant or PLATFORM_TOWN
        outcome = prepare(admin, reader, buckets, known=known.get(town))
        for line in outcome.done or ("= as it should be",):
            print(f"{town}: {line}")
        if outcome.secret and outcome.secret.reveal() != (known.get(town) or Secret()).reveal():
            known[town] = outcome.secret
            access.write(path, known)  # at once: what InfluxDB will not say again must not be lost
            print(f"{town}: its secret is in {path}")
    return 0


def _places(asked: argparse.Namespace, settings: Settings) -> list[Place]:
    influx, shared = settings.influx, _secret_in(asked.influx_token_file)
    url = asked.influx_url or settings.grafana.influx_url or influx.url
    if not url:
        raise Invalid("Where is InfluxDB? Set influx.url, or grafana.influx_url where Grafana reaches it at another address.",
                      field="influx.url", rule="set")
    towns = _registered(asked.tenant, settings)
    everybody = [*(tenant for tenant, _ in towns), *([] if asked.tenant else [PLATFORM_TOWN])]
    secrets = access.read(asked.access_file or Path(settings.grafana.access_file))
    if shared is not None:
        secrets = dict.fromkeys(everybody, shared)
    elif influx.token and (without := [town for town in everybody if town not in secrets]):
        raise Invalid("With what may Grafana read the buckets of {towns}? `stadtfunk dashboards influx-setup` makes a secret for "
                      "each town; --influx-token-file gives all of them one, which does not keep towns apart.",
                      field="grafana.access_file", rule="a secret for each town", towns=", ".join(without)[:200])
    wishes = _wishes(asked, settings, Reading(url, influx, secrets))
    places = [town_place(tenant, name, wishes) for tenant, name in names(towns).items()]
    return places if asked.tenant else [*places, platform_place(wishes)]


def _wishes(asked: argparse.Namespace, settings: Settings, reading: Reading) -> Wishes:
    said = ",".join(asked.contact) or settings.grafana.contacts.reveal()
    return Wishes(asked.language, (asked.console or settings.api.public_url).rstrip("/"), reading, contacts(said))


def _sign_in(asked: argparse.Namespace, settings: Settings) -> SignIn:
    own = settings.grafana
    url = asked.grafana or own.url
    if not url:
        raise Invalid("Where is Grafana? Say --grafana, or set grafana.url.", field="grafana.url", rule="set")
    token = Secret(asked.token) if asked.token else _secret_in(asked.token_file)
    user = asked.user or ("" if token else own.user)
    password = (_secret_in(asked.password_file) or own.password) if user else Secret()
    if user and not password:
        raise Invalid("The password of {user} is missing: grafana.password, or --password-file.", field="grafana.password",
                      rule="set", user=user)
    return SignIn(url, user, password, Secret() if user else token or own.token, own.ca_file)


def _secret_in(path: Path | None) -> Secret | None:
    if path is None:
        return None
    with path.open("rb") as file:
        said = file.read(MAX_SECRET).strip()
    try:
        return Secret(said.decode("ascii"))
    except UnicodeDecodeError as error:
        raise Invalid("{file} has no secret in it.", field=str(path), rule="one line", file=str(path)) from error


def _registered(said: Sequence[str], settings: Settings) -> list[tuple[TenantId, str]]:
    """Towns of the database and their names: those that were named, or all."""
    store = open_store(settings.database.url.reveal())
    try:
        towns = {tenant.id: tenant.name for tenant in store.tenants()}
    finally:
        store.close()
    for tenant in map(ids.tenant_id, said):
        if tenant not in towns:
            raise NotFound("There is no town {tenant}.", field="tenant", rule="a town", tenant=tenant)
    if not towns:
        raise Invalid("There is no town yet: name one with --tenant.", field="tenant", rule="a town")
    return [(tenant, name) for tenant, name in towns.items() if not said or tenant in said]


def _numbered(text: str) -> tuple[TenantId, int]:
    slug, given, number = text.partition("=")
    if given and not (number.isascii() and number.isdecimal() and 0 < int(number) < 2**31):
        raise Invalid("“{value}” is no number of an organisation.", field="tenant", rule="TOWN=ORG", value=number[:20])
    return ids.tenant_id(slug), int(number) if given else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stadtfunk dashboards", description="Grafana as code: boards, alerts, data sources.")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="stadtfunk.toml")
    actions = parser.add_subparsers(dest="action", required=True)
    _grafana_options(actions.add_parser("plan", help="show what differs in Grafana; exit code 2 where anything does"))
    _grafana_options(actions.add_parser("apply", help="show it, ask, and mend it"))
    setup = actions.add_parser("influx-setup", help="make each town's buckets and a secret with which Grafana reads them")
    setup.add_argument("--tenant", action="append", default=[], metavar="TOWN", help="default: every town in the database")
    setup.add_argument("--admin-token-file", type=Path, metavar="FILE",
                       help="token that may make buckets and tokens (2.x, 3.x), or user:password (1.x); default: influx.token")
    setup.add_argument("--access-file", type=Path, metavar="FILE", help="where to keep the secrets; default: grafana.access_file")
    _render_options(actions.add_parser("render", help="write boards and provisioning files"))
    preview.options(actions.add_parser("preview", help="draw every board with what InfluxDB says now, without Grafana"))
    return parser


def _grafana_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--grafana", metavar="URL", help="default: grafana.url")
    parser.add_argument("--user", metavar="NAME", help="server administrator; default: grafana.user")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="file with the password; default: grafana.password")
    parser.add_argument("--token", metavar="TOKEN", help="service account's token, for one town; others on this machine can see "
                                                         "it: better --token-file or grafana.token")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="file with the token")
    parser.add_argument("--influx-url", metavar="URL", help="InfluxDB as Grafana reaches it; default: grafana.influx_url")
    parser.add_argument("--access-file", type=Path, metavar="FILE", help="what influx-setup wrote; default: grafana.access_file")
    parser.add_argument("--influx-token-file", type=Path, metavar="FILE",
                        help="instead: one secret for all towns, which does not keep them apart")
    parser.add_argument("--tenant", action="append", default=[], metavar="TOWN",
                        help="only this town; may be repeated; default: every town in the database, and the platform")
    parser.add_argument("--remove-towns", action="store_true",
                        help="delete organisations of towns that are in the database no more, WITH ALL that people made there")
    parser.add_argument("--all", action="store_true", help="show also what is as it should be")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    _common_options(parser)


def _render_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, metavar="DIR", help="where to write")
    parser.add_argument("--tenant", action="append", default=[], metavar="TOWN[=ORG]",
                        help="town, and the number of its organisation in Grafana (default 1); may be repeated; "
                             "default: every town in the database")
    parser.add_argument("--influx", type=int, choices=(1, 2, 3), default=2, help="InfluxDB's version (default 2)")
    parser.add_argument("--path", default=GRAFANA_DIRECTORY,
                        help=f"where Grafana finds DIR/dashboards (default {GRAFANA_DIRECTORY})")
    _common_options(parser)


def _common_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--language", choices=LANGUAGES, default="de", help="language of titles (default de)")
    parser.add_argument("--console", metavar="URL", help="address of the console, for links; default: api.public_url")
    parser.add_argument("--contact", action="append", default=[], metavar="TOWN=ADDRESS",
                        help="e-mail address or webhook for alerts, town * for the platform; default: grafana.contacts")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
