"""The panel's page: one shell in two languages, and its own files. What it shows comes from the API."""

import hashlib
from collections.abc import Callable, Coroutine, Mapping
from functools import cache
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from city.errors import NotFound
from simulator.panel.desk import Desk
from simulator.panel.words import LANGUAGES, preferred, translate, words

HERE = Path(__file__).parent
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
          "form-action 'none'; base-uri 'none'; frame-ancestors 'none'")
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
           "X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
           "Permissions-Policy": "geolocation=(), camera=(), microphone=()"}
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def mount(app: FastAPI, desks_of: Callable[[Request], Mapping[str, Desk]]) -> None:
    """Put the page and its files into the application; `desks_of` a request are the towns that it may be about."""
    @app.get("/", include_in_schema=False)
    async def front(request: Request) -> Response:
        language = preferred(request.headers.get("accept-language", ""))
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/{language}{query}", 303, {"Vary": "Accept-Language", "Cache-Control": "no-store"})

    for language in LANGUAGES:
        app.get(f"/{language}", include_in_schema=False)(_shell(language, desks_of))

    @app.get("/static/{name}", include_in_schema=False)
    async def static(name: str, request: Request) -> Response:
        file = files().get(name)
        if file is None:
            raise NotFound("There is nothing at this address.", field="path", rule="exists")
        headers = {"Cache-Control": "no-cache", "ETag": f'"{version()}"', **HEADERS}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(file, media_type=TYPES[Path(name).suffix], headers=headers)


def _shell(language: str, desks_of: Callable[[Request], Mapping[str, Desk]]) -> Callable[
        [Request], Coroutine[None, None, HTMLResponse]]:
    async def shell(request: Request) -> HTMLResponse:
        return HTMLResponse(rendered(language, desks_of(request)), headers={**HEADERS, "Cache-Control": "no-store"})
    return shell


def rendered(language: str, desks: Mapping[str, Desk]) -> str:
    """The page's shell."""
    def _(template: str, /, **facts: object) -> str:
        return translate(language, template, **facts)

    return _templates().get_template("panel.html").render(
        _=_, language=language, towns=[desk.about() for desk in desks.values()], version=version(),
        texts=dict(words(language)))


@cache
def files() -> Mapping[str, bytes]:
    """The page's files by name."""
    return {path.name: path.read_bytes() for path in sorted((HERE / "static").iterdir()) if path.suffix in TYPES}


@cache
def version() -> str:
    """What changes when a file does."""
    return hashlib.sha256(b"".join(name.encode() + data for name, data in files().items())).hexdigest()[:12]


@cache
def _templates() -> Environment:
    return Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined,
                       trim_blocks=True, lstrip_blocks=True, auto_reload=False)
