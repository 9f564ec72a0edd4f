"""What a button of a Grafana board may ask for (api.boards says who, and why it is safe)."""

from typing import Annotated, Self

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api import boards, intents
from api.boards import RESUME, BoardOperating, FromBoard
from api.deps import Here, Now, Rails, signed_in
from api.i18n import Language, clock_time, language_of, ngettext, translate
from api.pages.addresses import address
from api.problems import RESPONSES
from api.routes.common import TENANT
from api.schemas import EstimateOut, OverrideOut
from city.airtime import Estimate
from city.errors import Invalid
from city.groups import Target
from city.lighting import MAX_REASON, Override
from city.store.ports import TenantStore

router = APIRouter(prefix=TENANT, tags=["lighting"], responses=RESPONSES)
Said = Annotated[str, Field(max_length=600)]  # percent-encoded: an umlaut has six characters


class BoardWishIn(BaseModel):
    """What the board's variables hold, in Grafana's format percentencode: text, whatever it means."""

    model_config = ConfigDict(extra="forbid")
    zone: Said = Field(description="exactly one zone", examples=["%7Bmarkt%7D"])
    level: Said = Field(description="per cent, 0 to 100; or resume: back to the program, or emergency: 100 % for safety's sake",
                        examples=["40"])
    minutes: Said = Field("", description="how long; nothing for resume", examples=["60"])
    reason: str = Field("", max_length=MAX_REASON)


class BoardOut(BaseModel):
    """What has come of a button: one sentence, and the same in parts. `repeated`: the same was asked for some seconds ago, and
    is one wish. `ended`: overrides that `resume` has ended."""

    message: str
    href: str = ""
    page: str
    override: OverrideOut | None = None
    estimate: EstimateOut | None = None
    repeated: bool = False
    ended: int = 0

    @classmethod
    def placed(cls, town: TenantStore, language: Language, override: Override, cost: Estimate, repeated: bool) -> Self:
        page = address(language, "progress", [("id", str(override.id))], tenant=town.tenant.id)
        if override.pending:
            message = translate(language, "It waits for a second person.")
        else:
            message = " ".join((
                ngettext(language, "{n} lamp", "{n} lamps", cost.lamps) + ",",
                ngettext(language, "{n} radio message", "{n} radio messages", cost.frames) + ";",
                translate(language, "the last lamp obeys in about {seconds} s. It ends at {time}, then the program holds.",
                          seconds=round(cost.last_s), time=clock_time(language, override.end))))
        return cls(message=message, href=f"{TENANT.format(tenant=town.tenant.id)}/overrides/{override.id}", page=page,
                   override=OverrideOut.of(override), estimate=EstimateOut.of(cost), repeated=repeated)


@router.post("/overrides/from-board", status_code=202, summary="Dim a zone by a board's button")
def from_board(request: Request, here: Here, town: BoardOperating, who: FromBoard, now: Now, rails: Rails, response: Response,
               body: BoardWishIn) -> BoardOut:
    """For a signed-in person's browser alone, whose page must be of our own origin; no CSRF token is asked for. Twice the same
    within 15 seconds, and nothing else meanwhile, is one wish. Some wait for a second person; whoever means more lamps
    than are dimmed without typing their number is refused, and has to use the console's dialog."""
    actor, language, zone = signed_in(who), language_of(request), boards.zone_of(body.zone)
    if body.level == RESUME:
        return _resumed(town, language, ended=intents.end_overrides(
            town, [Target("zone", zone)], who=actor, now=now, limits=rails), left=boards.others_in(town, zone, now))
    wish = boards.wish_of(level=body.level, minutes=body.minutes,
                          reason=body.reason or translate(language, "from a board of Grafana"))
    try:
        placed = BoardOut.placed(town, language, *boards.place_once(town, zone, wish, who=actor, now=now, limits=rails))
    except Invalid as error:
        dialog = address(language, "dim", [("zone", zone), ("level", str(wish.level)), ("minutes", str(wish.minutes))],
                         tenant=town.tenant.id)
        raise boards.too_many(error, here.settings.api.public_url.rstrip("/") + dialog) from error
    response.headers["Location"] = placed.href
    return placed


def _resumed(town: TenantStore, language: Language, *, ended: int, left: int) -> BoardOut:
    message = ngettext(language, "{n} override has ended.", "{n} overrides have ended.", ended)
    if left:
        message += " " + ngettext(language, "{n} other, for lamps of this zone, holds on.",
                                  "{n} others, for lamps of this zone, hold on.", left)
    return BoardOut(message=message, page=address(language, "overrides", tenant=town.tenant.id), ended=ended)
