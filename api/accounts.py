"""`stadtfunk account`: towns, accounts and API tokens, from the command line."""

import argparse
import getpass
import secrets
from collections.abc import Sequence
from datetime import timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

from api import auth
from city import settings
from city.clock import SystemClock
from city.errors import Invalid
from city.ids import TenantId, tenant_id
from city.places import Site, Tenant
from city.programs import LANDS
from city.store.opening import open_store
from city.store.ports import EVERY_AREA, Area, Role, Store

ROLES = tuple(role.value for role in Role)
AREAS = {"both": EVERY_AREA, **{area.value: frozenset({area}) for area in Area}}


def main(argv: Sequence[str]) -> int:
    """`town add|list`, `add NAME`, `token NAME`. Passwords and tokens are shown once and kept only as digests."""
    asked = _arguments().parse_args(argv)
    store = open_store(settings.load().database.url.reveal())
    try:
        asked.run(store, asked, Console(highlight=False, markup=False, soft_wrap=True))
    finally:
        store.close()
    return 0


def add_account(store: Store, *, name: str, role: Role, tenant: TenantId | None, password: str | None = None,
                areas: frozenset[Area] = EVERY_AREA) -> str:
    """Create the account, or give it a new password; without one, a password is made. Returns the password.
    Raises NotFound for an unknown town, Invalid for a bad name or password."""
    if tenant is not None:
        store.tenant(tenant)
    chosen = secrets.token_urlsafe(15) if password is None else password
    store.put_account(auth.new_account(name=name, password=chosen, role=role, tenant=tenant, areas=areas))
    return chosen


def _town_add(store: Store, asked: argparse.Namespace, console: Console) -> None:
    if not (-90 <= asked.latitude <= 90 and -180 <= asked.longitude <= 180):
        raise Invalid("A town lies between -90 and 90, -180 and 180 degrees.", field="latitude", rule="WGS 84")
    town = Tenant(tenant_id(asked.id), asked.name, Site(asked.latitude, asked.longitude), asked.chirpstack_tenant,
                  asked.land)
    store.put_tenant(town)
    console.print(f"{town.name} is at /{town.id}")


def _town_list(store: Store, _: argparse.Namespace, console: Console) -> None:
    table = Table("address", "name", "latitude", "longitude", "Land", "ChirpStack tenant")
    for town in store.tenants():
        table.add_row(town.id, Text(town.name), f"{town.site.latitude:.5f}", f"{town.site.longitude:.5f}",
                      town.land or "?", Text(town.chirpstack_tenant or "not bound"))
    console.print(table)


def _account_add(store: Store, asked: argparse.Namespace, console: Console) -> None:
    typed = getpass.getpass(f"password for {asked.name}: ") if asked.prompt else None
    made = add_account(store, name=asked.name, role=Role(asked.role), tenant=_tenant(asked), password=typed,
                       areas=AREAS[asked.area])
    console.print(f"{asked.name} may sign in as {asked.role}" + ("" if asked.area == "both" else f" of {asked.area}"))
    if typed is None:
        console.print(f"password, shown only now: {made}")


def _token(store: Store, asked: argparse.Namespace, console: Console) -> None:
    tenant, now = _tenant(asked), SystemClock().now()
    if tenant is not None:
        store.tenant(tenant)
    if not 1 <= asked.days <= 3650:
        raise Invalid("A token lasts between 1 and 3650 days.", field="days", rule="1…3650")
    text, token = auth.new_token(name=asked.name, role=Role(asked.role), tenant=tenant, now=now,
                                 expires_at=now + timedelta(days=asked.days), areas=AREAS[asked.area])
    store.put_token(token)
    console.print(f"token, shown only now: {text}")


def _tenant(asked: argparse.Namespace) -> TenantId | None:
    return None if asked.every_town else tenant_id(asked.tenant)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stadtfunk account", description="Towns, accounts and API tokens.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    towns = commands.add_parser("town", help="towns").add_subparsers(required=True, metavar="add|list")
    add = towns.add_parser("add", help="add a town, or change it")
    add.add_argument("id", help="its name in addresses")
    add.add_argument("name")
    add.add_argument("--latitude", type=float, required=True)
    add.add_argument("--longitude", type=float, required=True)
    add.add_argument("--chirpstack-tenant", default="", help="ChirpStack's tenant id")
    add.add_argument("--land", default="", choices=["", *sorted(LANDS)], help="its Land, for public holidays: NW, BY, …")
    add.set_defaults(run=_town_add)
    towns.add_parser("list", help="list the towns").set_defaults(run=_town_list)
    account = _credential(commands.add_parser("add", help="add an account, or give it a new password"))
    account.add_argument("--prompt", action="store_true", help="ask for the password instead of making one")
    account.set_defaults(run=_account_add)
    token = _credential(commands.add_parser("token", help="make an API token"))
    token.add_argument("--days", type=int, default=365, help="how long it is valid")
    token.set_defaults(run=_token)
    return parser


def _credential(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("name")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--tenant", help="the town it is for")
    where.add_argument("--every-town", action="store_true", help="for every town")
    parser.add_argument("--role", choices=ROLES, default=Role.OPERATOR.value)
    parser.add_argument("--area", choices=tuple(AREAS), default="both", help="what its work is: lighting, parking or both")
    return parser
