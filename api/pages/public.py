"""Pages for everybody that belong to no town: the list of towns, and privacy. No cookies."""

from fastapi import APIRouter, Depends, Request, Response

from api.deps import Here, anyone
from api.pages.addresses import paths
from api.pages.contexts import PrivacyPage, TownsPage
from api.pages.render import PageRoute, html, page_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get(paths("towns")[0], dependencies=[Depends(anyone)])
@router.get(paths("towns")[1], dependencies=[Depends(anyone)])
def towns(request: Request, here: Here) -> Response:
    """The front door: which towns there are."""
    response = html(request, TownsPage(page_of(request), sorted(here.store.tenants(), key=lambda town: town.name)),
                    private=False)
    response.headers["Vary"] = "Accept-Language, HX-Request, HX-Target"
    return response


@router.get(paths("privacy")[0], dependencies=[Depends(anyone)])
@router.get(paths("privacy")[1], dependencies=[Depends(anyone)])
def privacy(request: Request) -> Response:
    """What is stored of whoever reads these pages, and of whoever parks: next to nothing."""
    return html(request, PrivacyPage(page_of(request)), private=False)
