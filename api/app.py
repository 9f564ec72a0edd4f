"""The web server's application: routes, pages, and one shell around all of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.telemetry import TelemetryConfig
from starlette.concurrency import run_in_threadpool

from api import history, problems
from api.deps import Platform, public_scope
from api.kept import Kept
from api.limits import PastLimiter, RunLimiter, SignInLimiter
from api.live import Hub
from api.pages.public_doubts import DoubtLimiter
from api.pages.routes import mount_static, page_routes
from api.problems import Problem
from api.public_view import PublicTowns
from api.quick import Quick, keepable
from api.routes import (
    boards,
    catalogue,
    circuits,
    codecs,
    configs,
    datex,
    energy,
    events,
    exports,
    following,
    gaps,
    holding,
    imports,
    incidents,
    lighting,
    multicast,
    ngsi_ld,
    opendata,
    ops,
    parking,
    parking_ngsi,
    parking_sites,
    permits,
    programs,
    readings,
    records,
    sensorthings,
    series,
    session,
    talq,
    towns,
)
from api.sampling import sampled
from api.shell import Metrics, Shell
from city.clock import Clock
from city.settings import Settings
from city.store.answering import open_answers
from city.store.local_queries import LocalQueries
from city.store.ports import Store
from city.store.readings import LocalLog
from decoders.javascript import Sandbox

VERSION = "1"
ROUTERS = (ops, session, towns, lighting, boards, following, programs, energy, circuits, holding, parking, parking_sites, permits,
           readings, series, records, incidents, gaps, multicast, configs, imports, codecs, exports, ngsi_ld, talq, opendata,
           datex, parking_ngsi, sensorthings, catalogue, events)
DESCRIPTION = """Streetlights and parking of German towns. Sign in for a session, or send `Authorization: Bearer sf_…`.
Every refusal is `application/problem+json` and names the field and the rule."""


# FastAPI would tell of people's addresses whatever tracer the environment brings, and looks for one on every request.
SILENT: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def create_app(store: Store, log: LocalLog, clock: Clock, settings: Settings, sandbox: Sandbox | None = None) -> FastAPI:
    """The application over these ports. Whoever made them closes them. Without a `sandbox` it has one of its own, which
    starts its processes with the first script and ends them at shutdown. Raises Invalid where settings.api.history does
    not say who answers."""
    answers = open_answers(settings, store, log)
    metrics = Metrics()
    hub = Hub(clock, metrics)
    runs = sandbox or Sandbox(workers=settings.scripts.workers)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        adding_up = asyncio.create_task(history.keep_up(answers, clock)) if isinstance(answers, LocalQueries) else None
        async with sampled(metrics, clock, settings):
            yield
        await hub.close()
        if adding_up is not None:
            await history.ended(adding_up)
        answers.close()
        if sandbox is None:
            await run_in_threadpool(runs.close)

    app = FastAPI(title="stadtfunk", version=VERSION, description=DESCRIPTION, lifespan=lifespan, docs_url=None,
                  redoc_url=None, openapi_url="/api/v1/openapi.json", redirect_slashes=False, telemetry=SILENT)
    app.state.platform = Platform(store, log, answers, clock, settings, runs)
    app.state.limiter, app.state.metrics, app.state.hub = SignInLimiter(), metrics, hub
    app.state.runs = RunLimiter()
    app.state.public_towns, app.state.doubts = PublicTowns(settings.parking), DoubtLimiter(settings.parking)
    app.state.pasts = PastLimiter()
    app.state.kept = Kept(settings.parking)
    app.add_middleware(Shell, metrics=metrics, secure=settings.api.https,
                       max_upload=settings.api.max_body_mb * 2**20)
    problems.install(app)
    for module in ROUTERS:
        app.router.routes.extend(module.router.routes)  # include_router would build each of them anew
    mount_static(app)
    app.router.routes.extend(page_routes())
    if settings.api.keep_answers:
        app.add_middleware(Quick, store=store, clock=clock, metrics=metrics, routes=keepable(app.router.routes, public_scope))
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """Complete the OpenAPI document: the shape of a problem, and how to sign in."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            parts = schema.setdefault("components", {})
            parts.setdefault("schemas", {})["Problem"] = _problem_schema()
            parts["securitySchemes"] = {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "stadtfunk_session"}}
            schema["security"] = [{"token": []}, {"session": []}]
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _problem_schema() -> dict[str, Any]:
    schema = Problem.model_json_schema()
    fault = schema.pop("$defs")["Fault"]
    schema["properties"]["errors"]["items"] = fault
    return schema
