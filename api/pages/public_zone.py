"""One parking zone for everybody: its hours and fees, its forecast and its last days, and “stimmt nicht?”.

Its addresses end with a zone's name, and a town's own is one word: these routes stand last.
"""

from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated

from babel.dates import format_date
from fastapi import APIRouter, Form, Query, Request, Response

from api.deps import Now, Public
from api.i18n import Language, explain, language_of, translate
from api.pages import permit_words, public_charts, public_doubts, public_rows
from api.pages import rule_words as words
from api.pages.addresses import address, paths
from api.pages.contexts import Problem
from api.pages.public_contexts import PermitFeeRow, PermitView, RuleRow, Thanks, ZonePage
from api.pages.public_doubts import DoubtLimiter
from api.pages.public_inline import sealed
from api.pages.public_parking import limits, town_page
from api.pages.render import PageRoute, back, error_page, html
from api.public_view import PublicTown, PublicTowns, Telling, public_forecasts, public_history
from city.errors import NotFound, Refused, TooOften
from city.lighting import BERLIN
from city.parking_checks import fee_table, fees_to_come
from city.parking_places import ParkingSite, PermitZone, SiteRule
from city.parking_rules import InForce
from city.places import Restriction
from city.public_parking import PublicZone
from city.sensor_checks import checkable
from city.store.ports import TenantStore

HISTORY = timedelta(days=7)
Typed = Annotated[str, Form(max_length=4000)]
Short = Annotated[str, Query(max_length=8)]
Name = Annotated[str, Query(max_length=64)]

router = APIRouter(route_class=PageRoute, include_in_schema=False)


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


THANKS = {"1": Thanks.SEEN, "2": Thanks.CHECKED}
FOR_WHOM = {Restriction.NONE.value: _("Everybody"), Restriction.DISABLED.value: _("People with a disabled parking permit"),
            Restriction.CHARGING.value: _("Electric vehicles while charging"),
            Restriction.RESIDENT.value: _("Residents with a permit")}


@router.get(paths("parking-zone")[0])
@router.get(paths("parking-zone")[1])
@router.get(paths("parking-zone-apart")[0])
@router.get(paths("parking-zone-apart")[1])
def zone(request: Request, town: Public, at: Now, telling: Telling, zone: str, thanks: Short = "", part: Name = "") -> Response:
    """All that everybody may know of a zone. One that is counted in another leads there, as `part`."""
    seen = telling.of(town, at)
    if zone in seen.merged:
        return back(address(language_of(request), "parking-zone", [("part", zone)], tenant=seen.tenant.id,
                            zone=seen.merged[zone].home))
    try:
        page = _page(request, town, telling, seen, zone, thanks=THANKS.get(thanks, Thanks.NONE))
    except NotFound as error:
        return error_page(request, error, town=seen.tenant)
    asked = seen.merged.get(part)
    named = asked.name if asked is not None and asked.home == zone else ""
    return sealed(html(request, replace(page, asked=named), private=False))


@router.post(paths("parking-doubt")[0])
@router.post(paths("parking-doubt")[1])
def doubt(request: Request, town: Public, at: Now, telling: Telling, zone: str, what: Typed = "", text: Typed = "",
          website: Typed = "") -> Response:
    """Somebody says that something is wrong. No person fills in `website`, which is not to be seen: what has it is thanked
    for and thrown away."""
    language, seen = language_of(request), telling.of(town, at)
    found = seen.home(zone)
    limiter: DoubtLimiter = request.app.state.doubts
    try:
        said = public_doubts.doubt_of(town.tenant.id, found.zone, what, text, public_rows.in_words("de", found), at)
        if not website:
            limiter.check(town.tenant.id, public_doubts.sender(request), at)
            town.add_doubt(said)
    except Refused as error:
        problem = Problem(error.field or "what", explain(language, error))
        status = 429 if isinstance(error, TooOften) else 422
        page = _page(request, town, telling, seen, found.zone, problems=(problem,), typed=text)
        return sealed(html(request, page, status=status))
    query = [("thanks", "2" if checkable(said) else "1")]
    return back(address(language, "parking-zone", query, tenant=town.tenant.id, zone=found.zone) + "#feedback")


@router.get(paths("town")[0])
@router.get(paths("town")[1])
def start(request: Request, town: Public) -> Response:
    """A town's own address leads to its parking."""
    return back(address(language_of(request), "parking", tenant=town.tenant.id))


def _page(request: Request, town: TenantStore, telling: PublicTowns, seen: PublicTown, id: str, *, thanks: Thanks = Thanks.NONE,
          problems: tuple[Problem, ...] = (), typed: str = "") -> ZonePage:
    language, zone = language_of(request), seen.zone(id)
    row, site, total = public_rows.zone_row(language, seen, zone), zone.site, zone.main.total
    quarters = public_history(town, seen.minute - HISTORY, seen.minute, seen.at, telling.settings, zone=zone.zone)
    forecasts = public_forecasts(town, seen, zone.zone)
    page = replace(town_page(request, seen), other=address("de" if language == "en" else "en", "parking-zone",
                                                           tenant=seen.tenant.id, zone=zone.zone))
    days = public_charts.days(quarters, total, seen.minute.astimezone(BERLIN).date())
    return ZonePage(
        page, row, site, _own(language, site.note, site.note_en), _own(language, site.fee, site.fee_en),
        public_rows.hours_words(language, site.opening_hours) if site.opening_hours not in ("", "24/7") else "",
        _rules(language, site, public_rows.rules_now(seen, site)),
        public_charts.outlook(quarters, forecasts, total, seen.minute),
        public_rows.error_words(language, seen.errors.get(zone.zone)) if forecasts else (),
        days, [_day(language, one.day) for one in days.days] if days else (),
        _permit(language, seen, zone), seen.town, limits(telling.settings), public_doubts.what_links(language), thanks,
        problems, typed[:public_doubts.LONGEST_TEXT])


def _rules(language: Language, site: ParkingSite, holds: InForce) -> list[RuleRow]:
    return [RuleRow(translate(language, FOR_WHOM.get(rule.kind, rule.kind)), public_rows.hours_words(language, rule.hours),
                    _limits(language, rule), rule in holds.rules) for rule in site.rules]


def _limits(language: Language, rule: SiteRule) -> str:
    """For how long, and what it takes: “höchstens 2 Std., mit Parkscheibe”."""
    stay = translate(language, _("at most {time}"), time=words.duration(language, rule.max_stay_min)) if rule.max_stay_min else ""
    parts = (stay, translate(language, _("with a parking disc")) if rule.disc else "",
             translate(language, _("for a fee")) if rule.fee else "")
    return ", ".join(filter(None, parts)) or translate(language, _("no limit"))


def _permit(language: Language, seen: PublicTown, zone: PublicZone) -> PermitView | None:
    found = seen.permits.get(zone.site.permit_zone)
    if found is None:
        return None
    return PermitView(found, public_rows.hours_words(language, found.hours), _fees(language, found, seen),
                      _own(language, found.note, found.note_en))


def _fees(language: str, zone: PermitZone, seen: PublicTown) -> list[PermitFeeRow]:
    """What holds now for each length, and what is to come."""
    today = seen.minute.astimezone(BERLIN).date()
    return [PermitFeeRow(fee.months, permit_words.euro(language, fee.euro), fee.valid_from, fee.valid_from <= today)
            for fee in (*fee_table(zone.fees, today), *fees_to_come(zone.fees, today))]


def _day(language: str, day: date) -> str:
    return format_date(day, "EE d. M." if language == "de" else "EE d MMM", locale="de_DE" if language == "de" else "en_GB")


def _own(language: str, german: str, english: str) -> str:
    return english or german if language == "en" else german
