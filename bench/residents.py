"""How many residents one process of the web server can answer, while the bridge beside it takes uplinks.

    python -m bench.residents [--seconds 10] [--uplinks 500] [--write docs/performance.md]

wrk asks for the residents' page and its JSON, in seven of ten requests with the ETag of the answer before. The same is asked of
the ordinary road (no answer is kept) and of the barest ASGI application there is, in the same run: the ratios are what holds on
other machines. Needs wrk and mosquitto.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench._load.lamps import Lamps, write_records
from bench._load.loader import tools
from bench._load.processes import Running, free_port, until
from bench._load.servers import mosquitto
from bench._page import measured, put
from bench._peers.ours import Setup, Town, ours
from city.ids import AssetId, TenantId, ZoneId
from city.imports import ImportRow
from city.parking_facts import Count, ZoneFact
from city.parking_places import TownParking
from city.places import Restriction, Site, Tenant
from city.store.opening import open_store
from city.store.port_parking import ParkingFound
from city.store.ports import Store

ROOT = Path(__file__).resolve().parents[1]
ZONES, CONNECTIONS = 12, 32
PATHS = ("/stadt/parken", "/api/v1/tenants/stadt/parking")
WARM_S = 2
LUA = """
local paths = {"%s", "%s"}
local tags = {}
local turn = 0
request = function()
  turn = turn + 1
  local path = paths[turn %% 2 + 1]
  local headers = {["Accept-Encoding"] = "gzip"}
  if turn %% 10 < 7 and tags[1] then headers["If-None-Match"] = tags[1] .. ", " .. (tags[2] or tags[1]) end
  return wrk.format("GET", path, headers)
end
response = function(status, headers, body)
  local tag = headers["ETag"] or headers["etag"]
  if tag and tag ~= tags[1] and tag ~= tags[2] then tags[2] = tags[1]; tags[1] = tag end
end
done = function(summary, latency, requests)
  local failed = summary.errors
  local all = failed.connect + failed.read + failed.write + failed.status + failed.timeout
  io.write(string.format("RESULT %%d %%d %%d %%d %%d\\n", summary.requests, summary.duration, latency:percentile(50),
                         latency:percentile(99), all))
end
"""
BARE = """
import sys
import uvicorn
BODY = b"x" * int(sys.argv[2])
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(BODY)).encode())]})
        await send({"type": "http.response.body", "body": BODY})
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What wrk says of one run: answers a second, milliseconds that half and 99 of 100 of them took at most, failures."""

    name: str
    per_s: float
    p50_ms: float
    p99_ms: float
    failed: int


def main(argv: Sequence[str]) -> int:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(prog="bench.residents", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--uplinks", type=int, default=500, help="a second, at the bridge, while residents ask")
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args(argv)
    if shutil.which("wrk") is None:
        raise SystemExit("bench: wrk is not installed")
    with tempfile.TemporaryDirectory(prefix="stadtfunk-bench-") as name:
        runs, sizes = measure(Path(name), chosen.seconds, chosen.uplinks)
    text = page(runs, sizes, chosen.uplinks)
    print(text)
    if chosen.write:
        put(chosen.write, "residents", text)
    return 0


def measure(directory: Path, seconds: int, uplinks: int) -> tuple[list[Run], dict[str, int]]:
    """All runs, one after the other, and how many bytes each address gives (packed)."""
    (directory / "ask.lua").write_text(LUA % PATHS)
    with served(directory / "api", keeps=True) as port:
        sizes = {path: size(port, path) for path in PATHS}
        runs = [asked("finished answers", port, directory, seconds)]
        with busy_bridge(directory, uplinks, seconds):
            runs.append(asked(f"finished answers, the bridge takes {uplinks} uplinks/s", port, directory, seconds))
    with served(directory / "slow", keeps=False) as port:
        runs.append(asked("ordinary road", port, directory, seconds))
    with bare(directory / "bare", max(sizes.values())) as port:
        runs.append(asked("bare ASGI application, answers of the same size", port, directory, seconds))
    return runs, sizes


def page(runs: Sequence[Run], sizes: dict[str, int], uplinks: int) -> str:
    """The section of the page."""
    bare_run = runs[-1]
    rows = "\n".join(f"| {run.name} | {run.per_s:,.0f} | {run.p50_ms:.1f} ms | {run.p99_ms:.1f} ms | {run.failed} | "
                     f"{run.per_s / bare_run.per_s:.2f} |" for run in runs)
    told = ", ".join(f"{path} {count / 1000:.1f} kB" for path, count in sizes.items())
    return f"""## Residents (`bench.residents`)

{measured()} One process of uvicorn, a town of {ZONES} zones, {CONNECTIONS} connections; wrk, broker, loader and bridge run on
the same cores. Packed: {told}. Asked: 2,000 answers a second and 99 of 100 within 25 ms while the bridge takes {uplinks} uplinks
a second.

| | answers/s | half within | 99 of 100 within | failed | of the bare application |
|---|---|---|---|---|---|
{rows}
"""


def asked(name: str, port: int, directory: Path, seconds: int) -> Run:
    """wrk, for so long."""
    for duration in (WARM_S, seconds):
        done = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{duration}s", "-s", str(directory / "ask.lua"),
                               f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True, timeout=seconds + 60)
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", done.stdout)
    if found is None:
        raise SystemExit(f"bench: wrk said {done.stdout[-500:]}")
    requests, took_us, p50, p99, failed = map(int, found.groups())
    return Run(name, requests / took_us * 1e6, p50 / 1000, p99 / 1000, failed)


@contextmanager
def served(directory: Path, *, keeps: bool) -> Iterator[int]:
    """`stadtfunk api` over a town; `keeps`: finished answers are kept. Yields its port."""
    directory.mkdir(parents=True)
    store = open_store(f"sqlite:///{directory / 'city.db'}")
    furnish(store)
    store.close()
    port = free_port()
    environ = {"STADTFUNK_DATABASE_URL": f"sqlite:///{directory / 'city.db'}", "STADTFUNK_LOG_DIRECTORY": str(directory / "log"),
               "STADTFUNK_API_PORT": str(port), "STADTFUNK_API_KEEP_ANSWERS": "yes" if keeps else "no", "PYTHONPATH": str(ROOT)}
    with Running([sys.executable, "-m", "stadtfunk", "api"], directory, environ) as running:
        until(lambda: size(port, PATHS[0]) > 0, "the web server", 60, 0.2, running)
        yield port


@contextmanager
def bare(directory: Path, body: int) -> Iterator[int]:
    port = free_port()
    with Running([sys.executable, "-c", BARE, str(port), str(body)], directory) as running:
        until(lambda: size(port, "/") > 0, "the bare application", 30, 0.2, running)
        yield port


@contextmanager
def busy_bridge(directory: Path, rate: int, seconds: int) -> Iterator[None]:
    """A bridge that takes so many uplinks a second meanwhile."""
    lamps = Lamps(1000)
    count = rate * (seconds + WARM_S + 3)
    records = directory / "events"
    write_records(records, lamps.events(count, datetime.now(UTC)))
    town = Town.built(lamps, directory / "town")
    with mosquitto(directory / "broker") as port:
        subject = ours("bridge", town, Setup()).start(directory / "bridge", port)
        loader = threading.Thread(target=lambda: tools(directory).publish(port, records, count, rate=rate,
                                                                          times=directory / "times"))
        loader.start()
        yield
        loader.join()
        subject.wait(count)
        subject.end()


def furnish(store: Store) -> None:
    """A town with zones that are known well, evaluated now."""
    now = datetime.now(UTC)
    store.put_tenant(Tenant(TenantId("stadt"), "Musterstadt", Site(51.0, 8.1)))
    town = store.tenant(TenantId("stadt"))
    zones = [ZoneId(f"zone-{number}") for number in range(ZONES)]
    town.import_rows([ImportRow(line, AssetId(f"B{line}"), "bay", f"Platz {line}", Site(51.0, 8.1), zone, None, None, "", None,
                                "", Restriction.NONE) for line, zone in enumerate(zones, start=1)])
    town.put_parking_town(TownParking(operator="Musterstadt", contact="parken@example.org"), "bench", now)
    store.put_parking(TenantId("stadt"), ParkingFound(zones=[
        ZoneFact(zone, {"": Count(24, 7, 17, "few"), "disabled": Count(2, 1, 1, "full")}, now, now, "falling", 8.1, 51.0)
        for zone in zones]))


def size(port: int, path: str) -> int:
    """Bytes of an answer as it is sent; 0 as long as there is none."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept-Encoding": "gzip"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return len(answer.read())
    except OSError:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
