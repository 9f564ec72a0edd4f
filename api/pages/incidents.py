"""The inbox of incidents, one incident, and the channels that are told of them. All of it works as plain forms."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from api.audit import record
from api.channeling import SEVERITY_NAMES, Wanted, made, time_text
from api.deps import Acting, Asking, Engineering, Now, Operating, Viewing, platform
from api.i18n import day_time, explain, language_of, translate
from api.incident_views import MOST, IncidentView, counted, inbox, one_view
from api.pages import incident_words as words
from api.pages import labels
from api.pages.addresses import Pairs, address, paths
from api.pages.console import may
from api.pages.contexts import Link, Problem
from api.pages.incident_contexts import AlarmLine, ChannelsPage, IncidentPage, IncidentRow, IncidentsPage
from api.pages.render import PageRoute, back, html, page_of
from city.alarms import Alarm, Severity
from city.errors import Refused
from city.incidents import Cause, Deed
from city.notices import Channel
from city.places import Asset, Luminaire
from city.store.ports import Role, TenantStore

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MAX_TYPED = 2000
Typed = Annotated[str, Form(max_length=MAX_TYPED)]
Short = Annotated[str, Form(max_length=500)]
MOST_ALARMS, MOST_DELIVERIES = 100, 50


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


@router.get(paths("alarms")[0])
@router.get(paths("alarms")[1])
def incidents(request: Request, town: Viewing, who: Asking, severity: Annotated[str, Query(max_length=20)] = "",
              show: Annotated[str, Query(max_length=20)] = "") -> Response:
    """What is wrong, by its cause: what nobody has seen first."""
    language, closed = language_of(request), show == "closed"
    views = inbox(town, show_closed=closed)
    least = SEVERITY_NAMES.get(severity)
    wanted = [view for view in views if least is None or view.incident.severity >= least]
    rows = [_row(language, town, view) for view in wanted[:MOST]]
    tenant = str(town.tenant.id)
    page = page_of(request, who, town.tenant)
    return html(request, IncidentsPage(
        page, rows, len(wanted), _filters(language, tenant, views, least, show), _shows(language, tenant, severity, closed),
        closed, least is not None, may(who, Role.OPERATOR), may(who, Role.ENGINEER), f"/api/v1/tenants/{tenant}/events"))


@router.get(paths("incident")[0])
@router.get(paths("incident")[1])
def incident(request: Request, town: Viewing, who: Asking, incident: str) -> Response:
    """One incident: its proof, what it stands for, what was done about it."""
    return _one(request, town, who, incident)


@router.post(paths("incident-act")[0])
@router.post(paths("incident-act")[1])
def act(request: Request, town: Operating, who: Acting, at: Now, incident: str, deed: Short = "", text: Typed = "",
        to: Short = "") -> Response:
    """Acknowledge, give it to somebody, note something, close it; then back to where one came from."""
    language = language_of(request)
    known = {one.value: one for one in Deed}
    try:
        chosen = known.get(deed)
        if chosen is None:
            raise Refused("The request cannot be read.", field="deed", rule="form")
        record(town, who, at, f"{chosen.value} incident", f"incident {incident[:64]}", text)
        town.act(incident, chosen, text, who.name, at)
    except Refused as error:
        if error.field != "text":
            raise
        return _one(request, town, who, incident, typed=text, problems=(Problem(f"text-{deed}", explain(language, error)),))
    tenant = str(town.tenant.id)
    if to == "inbox":
        return back(address(language, "alarms", tenant=tenant))
    return back(address(language, "incident", tenant=tenant, incident=incident))


@router.post(paths("acknowledge")[0])
@router.post(paths("acknowledge")[1])
def acknowledge(request: Request, town: Operating, who: Acting, at: Now, alarm: str) -> Response:
    """Somebody has taken notice of one alarm."""
    record(town, who, at, "acknowledge alarm", alarm)
    town.acknowledge_alarm(alarm, who.name, at)
    return back(address(language_of(request), "alarms", tenant=str(town.tenant.id)))


@router.get(paths("channels")[0])
@router.get(paths("channels")[1])
def channels(request: Request, town: Engineering, who: Asking, change: Annotated[str, Query(max_length=64)] = "") -> Response:
    """Who is told of incidents, and what was told lately."""
    known = next((one for one in town.channels() if one.id == change), None)
    return _channels(request, town, who, _wanted(known) if known is not None else Wanted("", language=language_of(request)),
                     changes=known.id if known is not None else "")


@router.post(paths("channels")[0])
@router.post(paths("channels")[1])
def put_channel(request: Request, town: Engineering, who: Acting, at: Now, change: Short = "", name: Short = "",
                way: Short = "mail", address_: Annotated[str, Form(alias="address", max_length=500)] = "",
                severity: Short = "major", secret: Short = "", language: Short = "de", quiet_from: Short = "",
                quiet_until: Short = "", repeat: Annotated[int, Form()] = 0, off: Short = "") -> Response:
    """A new channel, or a changed one; the form again with what is wrong at its field."""
    wanted = Wanted(name, way, address_, severity, secret, language, quiet_from, quiet_until, 10, repeat, off == "yes")
    try:
        known = town.channel(change) if change else None
        channel = made(wanted, town.tenant.id, known, actor=who.name, now=at,
                       private=platform(request).settings.notices.allow_private)
        record(town, who, at, "change channel" if known else "add channel", f"channel {channel.id}", channel.name)
        town.put_channel(channel)
    except Refused as error:
        problem = Problem(error.field or "name", explain(language_of(request), error))
        return _channels(request, town, who, wanted, changes=change, problems=(problem,), status=422)
    if known is None and channel.secret:
        return _channels(request, town, who, Wanted("", language=language_of(request)), secret=channel.secret)
    return back(address(language_of(request), "channels", tenant=str(town.tenant.id)))


@router.post(paths("channel-remove")[0])
@router.post(paths("channel-remove")[1])
def remove_channel(request: Request, town: Engineering, who: Acting, at: Now, channel: str) -> Response:
    """Nobody is told by it any more."""
    record(town, who, at, "remove channel", f"channel {channel[:64]}")
    town.remove_channel(channel)
    return back(address(language_of(request), "channels", tenant=str(town.tenant.id)))


@router.post(paths("channel-trial")[0])
@router.post(paths("channel-trial")[1])
def try_channel(request: Request, town: Engineering, who: Acting, at: Now, channel: str) -> Response:
    """Have a message sent on trial."""
    record(town, who, at, "try channel", f"channel {channel[:64]}")
    town.try_channel(channel, at)
    return back(address(language_of(request), "channels", tenant=str(town.tenant.id)))


def _one(request: Request, town: TenantStore, who: Asking, id: str, *, typed: str = "",
         problems: tuple[Problem, ...] = ()) -> Response:
    language, view = language_of(request), one_view(town, id)
    owned: list[Asset] = [*town.luminaires(), *town.bays()]
    assets = {asset.id: asset for asset in owned}
    now = platform(request).clock.now()
    lines = [_line(language, town, alarm, assets.get(alarm.asset), now) for alarm in view.alarms[:MOST_ALARMS]]
    return html(request, IncidentPage(page_of(request, who, town.tenant), _row(language, town, view), lines,
                                      may(who, Role.OPERATOR), typed, problems), status=422 if problems else 200)


def _row(language: str, town: TenantStore, view: IncidentView) -> IncidentRow:
    one, tenant = view.incident, str(town.tenant.id)
    kind = one.kinds[0] if one.kinds else None
    return IncidentRow(view, words.sentence(language, view), words.proof(language, one.facts, kind),
                       words.bars(language, one.facts, kind), words.more(language, view),
                       "" if view.loose else address(language, "incident", tenant=tenant, incident=one.id),
                       _about(language, tenant, view), next((alarm.id for alarm in view.alarms), "") if view.loose else "")


def _about(language: str, tenant: str, view: IncidentView) -> str:
    """The page that shows what it concerns."""
    one = view.incident
    if view.model:
        vendor, _slash, name = view.model.partition("/")
        return address(language, "model", tenant=tenant, vendor=vendor, name=name)
    if isinstance(view.asset, Luminaire):
        return address(language, "lamp", tenant=tenant, asset=str(view.asset.id))
    if one.cause in (Cause.CIRCUIT_OUT, Cause.CIRCUIT_BY_DAY, Cause.CIRCUIT_DARK):
        return address(language, "console", [("circuit", one.subject)], tenant=tenant)
    return ""


def _line(language: str, town: TenantStore, alarm: Alarm, asset: Asset | None, now: datetime) -> AlarmLine:
    href = address(language, "lamp", tenant=str(town.tenant.id), asset=str(alarm.asset)) if isinstance(asset, Luminaire) else ""
    return AlarmLine(labels.alarm(language, alarm.kind), words.proof(language, alarm.facts, alarm.kind),
                     asset.name or str(alarm.asset) if asset else str(alarm.asset), href, day_time(language, alarm.began_at, now),
                     day_time(language, alarm.ended_at, now) if alarm.ended_at else "")


def _filters(language: str, tenant: str, views: list[IncidentView], least: Severity | None, show: str) -> list[Link]:
    counts = counted(views)
    kept: Pairs = [("show", show)] if show else []
    links = [Link(f"{translate(language, _('All'))} ({len(views)})", address(language, "alarms", kept or None, tenant=tenant),
                  least is None)]
    for severity in (Severity.WARNING, Severity.MAJOR, Severity.CRITICAL):
        number = sum(count for other, count in counts.items() if other >= severity)
        word = translate(language, words.SEVERITIES[severity])
        text = word if severity is Severity.CRITICAL else translate(language, _("from “{word}” on"), word=word)
        links.append(Link(f"{text} ({number})", address(language, "alarms", [("severity", severity.name.lower()), *kept],
                                                        tenant=tenant), least is severity))
    return links


def _shows(language: str, tenant: str, severity: str, closed: bool) -> list[Link]:
    kept: Pairs = [("severity", severity)] if severity in SEVERITY_NAMES else []
    return [Link(translate(language, _("Open")), address(language, "alarms", kept or None, tenant=tenant), not closed),
            Link(translate(language, _("Closed")), address(language, "alarms", [*kept, ("show", "closed")], tenant=tenant),
                 closed)]


def _wanted(known: Channel) -> Wanted:
    begin, end = (time_text(known.quiet[0]), time_text(known.quiet[1])) if known.quiet else ("", "")
    return Wanted(known.name, known.way.value, known.address, known.severity.name.lower(), "", known.language, begin, end,
                  known.at_once, int(known.repeat.total_seconds() // 60), known.off)


def _channels(request: Request, town: TenantStore, who: Asking, form: Wanted, *, changes: str = "", secret: str = "",
              problems: tuple[Problem, ...] = (), status: int = 200) -> Response:
    known = town.channels()
    settings = platform(request).settings.notices
    return html(request, ChannelsPage(
        page_of(request, who, town.tenant), known, town.deliveries(limit=MOST_DELIVERIES), {one.id: one.name for one in known},
        form, changes, secret, bool(settings.smtp_host), problems), status=status)
