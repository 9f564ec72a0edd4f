"""What handlers ask for: the platform, who asks, a town they may enter, the time.

Every route has exactly one Guard among its dependencies: `scope(role, areas)`, `require(role)`, `public_scope` or `anyone`;
what needs a role in a town names the areas of work that it touches. A test walks the routes and insists on it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Protocol
from urllib.parse import urlsplit

from fastapi import Depends, Path, Request
from starlette.concurrency import run_in_threadpool

from api import auth
from api.auth import Actor
from city.clock import Clock
from city.errors import Forbidden, NotFound, SignInNeeded
from city.guards import Limits
from city.ids import TenantId
from city.settings import Settings
from city.store.ports import Area, ReadingLog, Role, Store, TenantStore
from city.store.queries import Answers
from decoders.javascript import Sandbox

COOKIE = "stadtfunk_session"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_FIELDS = 2000  # of a form: a script's mapping has 256 rows of seven
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
LIGHTING, PARKING = frozenset({Area.LIGHTING}), frozenset({Area.PARKING})
BOTH = LIGHTING | PARKING
EITHER = frozenset[Area]()  # nothing of one area alone: whoever works in any
TownPath = Annotated[str, Path(description="The town's name in addresses.", max_length=64)]


@dataclass(frozen=True, slots=True)
class Platform:
    """What one process serves; at `request.app.state.platform`."""

    store: Store
    log: ReadingLog
    answers: Answers
    clock: Clock
    settings: Settings = field(repr=False)
    sandbox: Sandbox = field(repr=False)


class Guard(Protocol):
    """A dependency that decides who may call a route; `role` None: anyone. `areas`: whoever works in all of these."""

    @property
    def role(self) -> Role | None: ...
    @property
    def areas(self) -> frozenset[Area]: ...


def platform(request: Request) -> Platform:
    """What this process serves."""
    found: Platform = request.app.state.platform
    return found


def now(request: Request) -> datetime:
    """The time by the platform's clock."""
    return platform(request).clock.now()


async def actor(request: Request) -> Actor | None:
    """Who asks: by Bearer token, else by session cookie; None for nobody.

    A change asked for with a cookie must carry the session's CSRF token and come from our own pages: else Forbidden.
    """
    found = await named(request)
    if found is not None and found.by == "session" and request.method not in SAFE:
        check_same_origin(request)
        auth.check_csrf(found, await _csrf(request))
    return found


async def named(request: Request) -> Actor | None:
    """Whom the Bearer token, else the session cookie, names; None for nobody. For a change that alone is not enough: see
    `actor`, and api.boards."""
    here = platform(request)
    return await run_in_threadpool(auth.identify, here.store, cookie=request.cookies.get(COOKIE, ""),
                                   bearer=_bearer(request), now=here.clock.now())


Asking = Annotated[Actor | None, Depends(actor)]
Here = Annotated[Platform, Depends(platform)]
Now = Annotated[datetime, Depends(now)]


def rails(here: Here) -> Limits:
    """The guard-rails of wishes for light, as they are set."""
    return Limits.of(here.settings.guards, here.settings.chirpstack.rx2_dr)


Rails = Annotated[Limits, Depends(rails)]


def check_same_origin(request: Request) -> None:
    """Raises Forbidden where a browser says that another site asks, or where a button of a Grafana board on our own origin does:
    whoever edits boards decides what it sends, so that api.boards alone listens to it."""
    if "x-grafana-action" in request.headers:
        raise Forbidden("A board's button may not ask at this address.", field="X-Grafana-Action", rule="own address")
    auth.check_origin(fetch_site=request.headers.get("sec-fetch-site", ""), origin=request.headers.get("origin", ""),
                      expected=own_origins(request))


def enter(here: Platform, who: Actor | None, tenant: str, role: Role, areas: frozenset[Area]) -> TenantStore:
    """The town's store for whoever may do `role` there and works in all of `areas`. Raises SignInNeeded for nobody, NotFound
    for a town that does not exist or is none of theirs (the two look alike), Forbidden for too low a role or another area."""
    if who is None:
        raise SignInNeeded("Please sign in.", rule="sign-in")
    if not who.may_enter(tenant):
        raise no_such_town(tenant)
    town = open_town(here, tenant)
    if not who.may(role):
        raise Forbidden("This needs the role “{role}”.", rule="role", role=role.value)
    check_areas(who, areas)
    return town


def check_areas(who: Actor, areas: frozenset[Area]) -> None:
    """Raises Forbidden for whoever does not work in all of them."""
    for area in sorted(areas - who.areas, key=lambda one: one.value):
        raise Forbidden("This is the work of another area: “{area}”.", rule="area", area=area.value)


def open_town(here: Platform, tenant: str) -> TenantStore:
    """The town's store, unguarded; raises NotFound in the same words as for a town of others."""
    try:
        return here.store.tenant(TenantId(tenant))
    except NotFound:
        raise no_such_town(tenant) from None


def no_such_town(tenant: str) -> NotFound:
    """What is said of a town that does not exist, and of one that is none of the caller's business."""
    return NotFound("There is no town “{tenant}” here.", field="tenant", rule="exists", tenant=tenant[:64])


@dataclass(frozen=True, slots=True)
class _TownGuard:
    role: Role
    areas: frozenset[Area]

    def __call__(self, here: Here, who: Asking, tenant: TownPath) -> TenantStore:
        return enter(here, who, tenant, self.role, self.areas)


@dataclass(frozen=True, slots=True)
class _RoleGuard:
    role: Role
    areas: frozenset[Area] = EITHER

    def __call__(self, who: Asking) -> Actor:
        if who is None:
            raise SignInNeeded("Please sign in.", rule="sign-in")
        if not who.may(self.role):
            raise Forbidden("This needs the role “{role}”.", rule="role", role=self.role.value)
        return who


@dataclass(frozen=True, slots=True)
class _PublicTown:
    role: None = None
    areas: frozenset[Area] = EITHER

    def __call__(self, here: Here, tenant: TownPath) -> TenantStore:
        return open_town(here, tenant)


@dataclass(frozen=True, slots=True)
class _Anyone:
    role: None = None
    areas: frozenset[Area] = EITHER

    def __call__(self) -> None:
        return None


def scope(role: Role, areas: frozenset[Area]) -> _TownGuard:
    """A dependency: the TenantStore of the path's `tenant`, for whoever has `role` there and works in all of `areas`."""
    return _TownGuard(role, areas)


def require(role: Role) -> _RoleGuard:
    """A dependency: the Actor, who has `role` in some town."""
    return _RoleGuard(role)


def signed_in(who: Asking) -> Actor:
    """Whoever asks; raises SignInNeeded for nobody. Beside a guard: it says who, not whether they may."""
    if who is None:
        raise SignInNeeded("Please sign in.", rule="sign-in")
    return who


public_scope = _PublicTown()
anyone = _Anyone()
Acting = Annotated[Actor, Depends(signed_in)]
Viewing = Annotated[TenantStore, Depends(scope(Role.VIEWER, LIGHTING))]
Operating = Annotated[TenantStore, Depends(scope(Role.OPERATOR, LIGHTING))]
Engineering = Annotated[TenantStore, Depends(scope(Role.ENGINEER, LIGHTING))]
ParkingViewing = Annotated[TenantStore, Depends(scope(Role.VIEWER, PARKING))]
ParkingOperating = Annotated[TenantStore, Depends(scope(Role.OPERATOR, PARKING))]  # single bays: no viewer sees them
ParkingEngineering = Annotated[TenantStore, Depends(scope(Role.ENGINEER, PARKING))]
AnyViewing = Annotated[TenantStore, Depends(scope(Role.VIEWER, EITHER))]
AnyOperating = Annotated[TenantStore, Depends(scope(Role.OPERATOR, EITHER))]
AnyEngineering = Annotated[TenantStore, Depends(scope(Role.ENGINEER, EITHER))]
AllViewing = Annotated[TenantStore, Depends(scope(Role.VIEWER, BOTH))]
AllEngineering = Annotated[TenantStore, Depends(scope(Role.ENGINEER, BOTH))]
Public = Annotated[TenantStore, Depends(public_scope)]


def _bearer(request: Request) -> str:
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    return text.strip() if kind.lower() == "bearer" else ""


async def _csrf(request: Request) -> str:
    given = request.headers.get("x-csrf-token", "")
    if given or not request.headers.get("content-type", "").startswith(FORMS):
        return given
    field = (await request.form(max_fields=MAX_FIELDS)).get("csrf", "")
    return field if isinstance(field, str) else ""


def own_origins(request: Request) -> frozenset[str]:
    """The origin people use: the configured one, or else the one this request names."""
    configured = platform(request).settings.api.public_url
    if configured:
        parts = urlsplit(configured)
        return frozenset({f"{parts.scheme}://{parts.netloc}"})
    host = request.headers.get("host", "")
    return frozenset({f"http://{host}", f"https://{host}"})
