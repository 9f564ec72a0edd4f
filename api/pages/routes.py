"""The pages of one process: all their routes, and how they answer errors anywhere outside the API."""

from fastapi import APIRouter, FastAPI

from api.pages import codecs, console, dimming, lamp, public, scripts, signing
from api.pages import static_files as files
from api.pages.render import error_page


def pages_router() -> APIRouter:
    """Every page. Include it last: towns' names stand first in most addresses."""
    router = APIRouter()
    for module in (signing, public, console, dimming, lamp, scripts, codecs):
        router.include_router(module.router)
    return router


def mount_static(app: FastAPI) -> None:
    """Serve CSS and modules for ever by their content, and let errors outside the API be pages."""
    files.mount_static(app)
    app.state.error_page = error_page
