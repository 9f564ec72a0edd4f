"""The pages of one process: all their routes, and how they answer errors anywhere outside the API."""

from fastapi import FastAPI
from starlette.routing import BaseRoute

from api.pages import (
    calendars,
    circuits,
    codecs,
    console,
    dimming,
    energy,
    groups,
    importing,
    incidents,
    lamp,
    lamp_history,
    mast,
    open_data,
    permit_pages,
    processing,
    programs,
    public,
    public_parking,
    public_zone,
    scripts,
    signing,
    site_pages,
    staff_analysis,
    staff_bay,
    staff_blocks,
    staff_doubts,
    staff_parking,
    staff_sensors,
    town_settings,
    widget,
)
from api.pages import static_files as files
from api.pages.render import error_page


def page_routes() -> list[BaseRoute]:
    """Every page. Put it last: towns' names stand first in most addresses."""
    modules = (signing, public, public_parking, widget, console, dimming, lamp, lamp_history, mast, importing, scripts, codecs,
               incidents, programs, calendars, groups, town_settings, energy, circuits, site_pages, permit_pages,
               staff_parking, staff_bay, staff_blocks, staff_sensors, staff_doubts, staff_analysis, processing,
               open_data, public_zone)
    return [route for module in modules for route in module.router.routes]


def mount_static(app: FastAPI) -> None:
    """Serve CSS and modules for ever by their content, and let errors outside the API be pages."""
    files.mount_static(app)
    app.state.error_page = error_page
