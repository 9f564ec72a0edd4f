"""When a resident on a slow phone first sees something of the parking page: Chromium behind throttled lines.

    python -m bench.paint [--times 5] [--write docs/performance.md]

Chromium's own throttling (DevTools protocol, Network.emulateNetworkConditions) waits so long before each answer and then lets
so many bytes a second through; it knows no handshakes. So a line is named by the waiting that it stands for: of a line with a
round trip of 300 ms, two (connection, request) or, with TLS 1.3, three round trips. Nothing can be seen before that waiting and
the page's bytes have passed. What the machine itself needs for a page of one word is measured in the same run: what is beyond
both is ours. The fastest visit of a line is the one that other programs of the machine disturbed least.
Each has an empty cache. Needs Chromium and Playwright.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

from bench._page import measured, put
from bench.residents import PATHS, ZONES, served

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PHONE_WIDE, PHONE_HIGH = 360, 780  # pixels of style sheets
FIRST_WINDOW = 14_600  # bytes that a server sends before it has been answered: ten segments (RFC 6928)
SEEN = """
() => new Promise(told => {
  const tell = () => {
    const paint = performance.getEntriesByName('first-contentful-paint')[0]
    if (!paint) return false
    const page = performance.getEntriesByType('navigation')[0]
    const others = performance.getEntriesByType('resource')
    const before = others.filter(one => one.responseEnd <= paint.startTime)
    told({paint: paint.startTime, bytes: page.transferSize, others: before.length,
          all: page.transferSize + others.reduce((sum, one) => sum + one.transferSize, 0), count: 1 + others.length})
    return true
  }
  if (!tell()) new PerformanceObserver(tell).observe({type: 'paint', buffered: true})
})
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A throttled line: milliseconds before each answer, bytes a second down and up; 0 bytes a second: as fast as it goes."""

    name: str
    wait_ms: float
    down: int
    up: int

    def limit_ms(self, size: int) -> float:
        """Before this, nothing of a page of so many bytes can be seen."""
        return self.wait_ms + (size / self.down * 1000 if self.down else 0)


@dataclass(frozen=True, slots=True)
class Visit:
    """First contentful paint (ms from the start), bytes of the page alone and of everything, headers included; how many
    requests beside the page had been answered before that paint, and how many there were in all."""

    paint_ms: float
    page_bytes: int
    all_bytes: int
    before: int
    requests: int


WORD, WORD_PAGE = Line("a page of one word, from no server", 0, 0, 0), "data:text/html,<p>x"
LINES = (
    Line("not throttled", 0, 0, 0),
    Line("3G of WebPageTest (1.6 Mbit/s, round trip 300 ms): connection and request", 600, 200_000, 96_000),
    Line("the same with TLS 1.3: one round trip more", 900, 200_000, 96_000),
    Line("“Fast 3G” of Chrome's DevTools (1.44 Mbit/s, 562.5 ms a request)", 562.5, 180_000, 84_375),
    Line("“Slow 3G” of Chrome's DevTools (400 kbit/s, 2,000 ms a request)", 2000, 50_000, 50_000),
)


def main(argv: Sequence[str]) -> int:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(prog="bench.paint", description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="visits by each line; the middle one counts")
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="stadtfunk-bench-") as name, served(Path(name) / "api", keeps=True) as port:
        found = visits(f"http://127.0.0.1:{port}{PATHS[0]}", chosen.times)
    text = page(found)
    print(text)
    if chosen.write:
        put(chosen.write, "paint", text)
    return 0


def visits(address: str, times: int) -> list[tuple[Line, list[Visit]]]:
    """So many visits by each line, in turns, so that a busy moment of the machine meets all of them."""
    program = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if program is None:
        raise SystemExit("bench: Chromium is not installed")
    found: list[tuple[Line, list[Visit]]] = [(line, []) for line in (WORD, *LINES)]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        visited(browser, WORD_PAGE, WORD)  # the browser itself has to get up
        for _ in range(times):
            for line, seen in found:
                seen.append(visited(browser, WORD_PAGE if line is WORD else address, line))
        browser.close()
    return found


def visited(browser: Browser, address: str, line: Line) -> Visit:
    """One visit with an empty cache."""
    context = browser.new_context(viewport={"width": PHONE_WIDE, "height": PHONE_HIGH}, device_scale_factor=3,
                                  is_mobile=True, locale="de-DE")
    one = context.new_page()
    session = context.new_cdp_session(one)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", {"offline": False, "latency": line.wait_ms,
                                                      "downloadThroughput": line.down or -1, "uploadThroughput": line.up or -1})
    one.goto(address, wait_until="load", timeout=120_000)
    said = one.evaluate(SEEN)
    context.close()
    return Visit(said["paint"], said["bytes"], said["all"], said["others"], said["count"])


def page(found: Sequence[tuple[Line, list[Visit]]]) -> str:
    """The section of the page."""
    own = min(visit.paint_ms for visit in found[0][1])
    every = [visit for _, seen in found for visit in seen]
    size, total, requests = (max(getattr(visit, name) for visit in every) for name in ("page_bytes", "all_bytes", "requests"))
    rows = "\n".join(row(line, seen, own) for line, seen in found)
    window = "fits into" if size <= FIRST_WINDOW else "is more than"
    return f"""## First paint (`bench.paint`)

{measured()} The residents' page of a town of {ZONES} zones, its cache empty, on a phone of {PHONE_WIDE} px; style and what
chooses light or dark stand in the page itself. The page is {size / 1000:.1f} kB with its headers and {window} a
server's first ten segments ({FIRST_WINDOW / 1000:.1f} kB), so it needs no round trip more; with all that follows it is
{total / 1000:.1f} kB in {requests} requests.
*Limit*: the waiting of the line and the page's bytes; nobody can be faster. Asked: 1,000 ms on a 3G line with 300 ms.

| line | first contentful paint: fastest | middle | limit | ratio | beyond limit and one word | answered before it |
|---|---|---|---|---|---|---|
{rows}

*Ratio*: fastest to limit. *Beyond*: what is left without the limit and the page of one word. *Answered before it*:
requests beside the page itself; what is fetched in parallel holds nothing up.
"""


def row(line: Line, seen: Sequence[Visit], own: float) -> str:
    """A line of the table; `own`: what browser and machine need for a page of one word."""
    fastest, limit = min(visit.paint_ms for visit in seen), line.limit_ms(max(visit.page_bytes for visit in seen))
    middle = median(visit.paint_ms for visit in seen)
    told = (f"{limit:,.0f} ms", f"{fastest / limit:.2f}") if limit else ("–", "–")
    beyond = "–" if line is WORD else f"{fastest - limit - own:,.0f} ms"
    return (f"| {line.name} | {fastest:,.0f} ms | {middle:,.0f} ms | {told[0]} | {told[1]} | {beyond} | "
            f"{max(visit.before for visit in seen)} |")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
