"""`stadtfunk dashboards preview DIR`: every panel of every board with what InfluxDB says now, as pages and pictures.

Exit code 1 where InfluxDB refused any query; panels without data are counted and named, and no error.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import Progress

from city import ids
from city.clock import Clock
from city.errors import Invalid
from city.ids import TenantId
from city.settings import Influx, Settings
from city.store.aggregates import settings_of, spans
from city.store.influx import InfluxDB
from city.store.influx_bays import bays_settings
from city.store.influx_http import Limits
from city.store.influx_places import of_platform, of_town
from dashboards.board import LANGUAGES, Board, Language, Text
from dashboards.board import Source as Kind
from dashboards.boards import BOARDS, PLATFORM
from dashboards.preview.asking import Asking, Source
from dashboards.preview.frames import Json
from dashboards.preview.numbers import Where
from dashboards.preview.page import Drawn, Result, Section, board_page, index_page
from dashboards.preview.pictures import browser, take
from dashboards.preview.views import Seen, view
from dashboards.render import dashboard, source_uid

ZONE = "Europe/Berlin"
LIMITS = Limits(connect_s=5.0, read_s=20.0, whole_s=30.0)
PLATFORM_DIRECTORY = "_platform"  # no town is called so
_SUMMARY = Text("{panels} Panels, {empty} ohne Daten, {failed} Fehler, {events} Ereignisse, {took} s",
                "{panels} panels, {empty} without data, {failed} errors, {events} events, {took} s")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the caller wants instead of what the boards say."""

    given: tuple[str, str] | None
    chosen: Mapping[str, Sequence[str]]


def options(parser: argparse.ArgumentParser) -> None:
    """What the command understands."""
    parser.add_argument("directory", type=Path, metavar="DIR", help="where to write; index.html leads to all boards")
    parser.add_argument("--tenant", action="append", default=[], metavar="TOWN",
                        help="only this town; may be repeated; default: every town in the database")
    parser.add_argument("--board", action="append", default=[], metavar="NAME", help="only this board; may be repeated")
    parser.add_argument("--language", choices=LANGUAGES, default="de", help="language of the boards (default de)")
    parser.add_argument("--from", dest="start", metavar="TIME", help="as in Grafana: now-24h, now/d, 2026-11-22T18:00; "
                                                                     "default: as each board says")
    parser.add_argument("--to", dest="end", default="now", metavar="TIME", help="default: now")
    parser.add_argument("--var", action="append", default=[], metavar="NAME=VALUE",
                        help="choose a variable's value, as on top of a board; may be repeated")
    parser.add_argument("--png", action="store_true", help="pictures too, light and dark; needs Chromium")
    parser.add_argument("--influx", metavar="URL", help="default: influx.url")
    parser.add_argument("--bucket", metavar="NAME", help="default: influx.bucket")
    parser.add_argument("--console", metavar="URL", help="address of the console, for links; default: api.public_url")


def run(asked: argparse.Namespace, settings: Settings, towns: Callable[[], Sequence[TenantId]], clock: Clock) -> int:
    """Run the command; `towns` names all there are. Returns the exit code. Raises Invalid, InfluxDown, NoBrowser."""
    influx = replace(settings.influx, url=asked.influx or settings.influx.url, bucket=asked.bucket or settings.influx.bucket)
    if not influx.url:
        raise Invalid("Where is InfluxDB? Say --influx, or set influx.url.", field="influx.url", rule="set")
    if asked.start is None and asked.end != "now":
        raise Invalid("Say --from too: boards count back from now.", field="from", rule="set")
    wish = Wish((asked.start, asked.end) if asked.start else None, chosen(asked.var))
    console = (asked.console or settings.api.public_url).rstrip("/")
    tenants = [ids.tenant_id(text) for text in asked.tenant] or list(towns())
    boards = [board for board in _boards(tenants, console) if not asked.board or board.name in asked.board]
    if not boards:
        raise Invalid("There is no such board.", field="board", rule="known")
    where = Where(asked.language, ZoneInfo(ZONE), clock.now())
    out, err = Console(soft_wrap=True, highlight=False, markup=False), Console(stderr=True, highlight=False, markup=False)
    with ExitStack() as stack, Progress(console=err, transient=True) as progress:
        sources = {uid: stack.enter_context(closing(InfluxDB(one, limits=LIMITS)))
                   for tenant in dict.fromkeys(board.tenant for board in boards) for uid, one in places(influx, tenant).items()}
        next(iter(sources.values())).version()  # whoever does not answer is not asked for each panel
        results = dict[Path, Result]()
        for board in progress.track(boards, description="boards"):
            result = preview(dashboard(board, asked.language), sources, where, wish)
            file = Path(board.tenant or PLATFORM_DIRECTORY) / f"{board.name}.html"
            results[file] = result
            _write(asked.directory / file, board_page(result, where))
            out.print(f"{asked.directory / file}: {summary(result)}")
            for line in complaints(result):
                err.print(f"  {line}")
        titles = [(file.as_posix(), f"{result.board['title']} ({file.parts[0].lstrip('_')})", summary(result, asked.language))
                  for file, result in results.items()]
        _write(asked.directory / "index.html", index_page(titles, where))
        if asked.png:
            for picture in _pictures([asked.directory / file for file in results], err, progress):
                out.print(str(picture))
    out.print(str(asked.directory / "index.html"))
    return 1 if any(result.failed for result in results.values()) else 0


def preview(board: Json, sources: Mapping[str, Source], where: Where, wish: Wish) -> Result:
    """All that there is to see of a board, as its JSON says. Raises Invalid where the wished time is none."""
    asking = Asking(board, sources, where, wish.given, wish.chosen, ticks=time.perf_counter)
    events, asked = asking.events()

    def drawn(panel: Json) -> Drawn:
        answers = tuple(asking.panel(panel))
        title = asking.words(str(panel.get("title") or ""))
        return Drawn(panel, title, answers, view(panel, answers, Seen(where, asking.range_of(panel), events)))

    sections = tuple(Section(title, collapsed, tuple(drawn(panel) for panel in panels))
                     for title, collapsed, panels in _sections(board) if panels)
    return Result(board, asking.range, tuple(asking.choices), tuple(events),
                  tuple(f"{one.ref}: {one.error}" for one in asked if one.error), sections)


def places(influx: Influx, tenant: TenantId | None) -> dict[str, Influx]:
    """Where the data sources of a town (None: of the platform) lead, by their UIDs."""
    if tenant is None:
        return {source_uid(None, Kind.PLATFORM): of_platform(influx)}
    own = of_town(influx, tenant)
    hours, days = (settings_of(span, own) for span in spans(own))
    return {source_uid(tenant, Kind.RAW): own, source_uid(tenant, Kind.HOURS): hours, source_uid(tenant, Kind.DAYS): days,
            source_uid(tenant, Kind.BAYS): bays_settings(own)}


def chosen(said: Sequence[str]) -> dict[str, list[str]]:
    """Values for variables, from NAME=VALUE. Raises Invalid."""
    found: dict[str, list[str]] = {}
    for text in said:
        name, given, value = text.partition("=")
        if not given or not name.isidentifier():
            raise Invalid("“{text}” is not NAME=VALUE.", field="var", rule="NAME=VALUE", text=text[:60])
        found.setdefault(name, []).append(value)
    return found


def summary(result: Result, language: Language = "en") -> str:
    """What came out, in one line."""
    took = sum(asked.took.total_seconds() for one in result.panels for asked in one.asked)
    return _SUMMARY(language).format(panels=len(result.panels), empty=result.empty, failed=result.failed,
                                     events=len(result.events), took=f"{took:.1f}".replace(".", "," if language == "de" else "."))


def complaints(result: Result) -> Iterator[str]:
    """What a person should look at: errors, and panels that showed nothing or not all."""
    yield from result.event_errors
    yield from (f"${choice.name}: {choice.error}" for choice in result.choices if choice.error)
    for one in result.panels:
        title = one.title or str(one.panel.get("type"))
        yield from (f"{title}: {asked.error}" for asked in one.asked if asked.error)
        yield from (f"{title}: not drawn as in Grafana: {note}" for note in one.view.notes)
        if one.view.kind == "nothing" and not any(asked.error for asked in one.asked):
            yield f"{title}: no data"


def _boards(tenants: Sequence[TenantId], console: str) -> list[Board]:
    return [*(make(tenant, console=console) for tenant in tenants for make in BOARDS), PLATFORM(console=console)]


def _sections(board: Json) -> Iterator[tuple[str, bool, list[Json]]]:
    """Rows with their panels; a collapsed row has them inside."""
    title, collapsed, panels = "", False, list[Json]()
    for one in board.get("panels") or ():
        if one.get("type") == "row":
            yield title, collapsed, panels
            title, collapsed, panels = str(one.get("title") or ""), bool(one.get("collapsed")), list(one.get("panels") or ())
        else:
            panels.append(one)
    yield title, collapsed, panels


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _pictures(pages: Sequence[Path], err: Console, progress: Progress) -> Iterator[Path]:
    program = browser()
    if program is None:
        err.print("No pictures: no Chromium is installed (Debian: apt install chromium). The pages are complete.")
        return
    for page in progress.track(pages, description="pictures"):
        yield from take(program, page)
