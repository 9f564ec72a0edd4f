"""Rules that can rot: who may ask for the time, who may touch a socket, and that generated pages are fresh."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("api", "city", "dashboards", "decoders", "firmware_config", "gateway_bridge", "simulator")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))] + [ROOT / "stadtfunk.py"]
CLOCK_CALLS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time"),
               ("time", "time_ns"), ("time", "sleep")}

WAITS_FOR_ANOTHER_PROCESS = ("simulator/broker.py", "simulator/influxd.py")  # … not for the town's time
LONG = {"api/schemas.py": 450}  # one table of everything that goes over the wire, read by name and not from top to bottom

# Who may use what waits: only the doors that docs/architecture.md names.
DOORS = {
    "socket": ("simulator/broker.py", "simulator/influxd.py", "gateway_bridge/sockets.py", "city/store/influx.py",
               "city/store/influx_queries.py", "gateway_bridge/post.py"),  # … whose waits another thread may end,
    "smtplib": ("gateway_bridge/post.py",),
    "sqlalchemy": ("city/store/",),
    "sqlite3": ("city/store/",),
    "paho": ("gateway_bridge/client.py", "gateway_bridge/connection.py", "simulator/link.py", "simulator/broker.py",
             "gateway_bridge/doctor/broker.py"),
    "grpc": ("gateway_bridge/network_server.py", "gateway_bridge/doctor/services.py",
             "simulator/grpc_api.py",  # the imitation's own API,
             "simulator/provision.py", "simulator/provisioning.py"),  # … and what fills any server's
    "fastapi": ("api/", "simulator/demo.py", "simulator/panel/"),  # … the simulator's own page and API
    "urllib3": ("city/store/influx",),  # influx.py and influx_http.py: what is said, and how it gets there
    "influxdb_client": ("city/store/influx.py", "city/store/influx_access.py"),
    "grafana_client": ("dashboards/provision.py",),
    "niquests": ("dashboards/provision.py", "dashboards/grafana_http.py"),  # what grafana_client speaks through
    "asyncio": ("city/clock.py", "city/store/figure_telling.py", "gateway_bridge/", "api/", "simulator/panel/",
                "simulator/network.py", "simulator/link.py", "simulator/demo.py", "simulator/running.py", "simulator/driving.py",
                "simulator/loading.py", "simulator/udp.py", "simulator/record.py", "simulator/replay.py", "simulator/signals.py",
                "simulator/broker.py", "simulator/provision.py", "simulator/provisioning.py"),
    "subprocess": ("decoders/_sandbox/pool.py", "simulator/broker.py", "simulator/demo.py", "simulator/influxd.py",
                   "dashboards/preview/pictures.py"),  # … a browser that draws our own files,
    "select": ("decoders/_sandbox/pool.py",),
    "resource": ("decoders/_sandbox/worker.py",),
    "signal": ("decoders/_sandbox/", "gateway_bridge/__main__.py", "simulator/signals.py", "simulator/broker.py",
               "simulator/demo.py"),
    "_quickjs": ("decoders/_sandbox/worker.py",),
    "quickjs": (),
    "multiprocessing": (),
}


def where(path):
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def called(path):
    """(module, function) of each call that is written so."""
    funcs = [node.func for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]
    return {(func.value.id, func.attr) for func in funcs if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name)}


def imported(path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_only_the_clock_asks_for_the_time():
    asked = {where(path): called(path) & CLOCK_CALLS for path in SOURCES if where(path) != "city/clock.py"}
    for name in WAITS_FOR_ANOTHER_PROCESS:
        asked[name] -= {("time", "sleep")}
    assert {name: calls for name, calls in asked.items() if calls} == {}


def test_what_waits_is_touched_only_behind_its_door():
    anywhere = ("",)
    beside = [f"{where(path)} imports {name}" for path in SOURCES for name in imported(path)
              if not where(path).startswith(DOORS.get(name.partition(".")[0], anywhere))]
    assert beside == []


def test_a_file_stays_small_enough_to_be_read():
    lines = {where(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: count for name, count in lines.items() if count > LONG.get(name, 400)} == {}


def test_every_module_says_what_it_is():
    assert [where(path) for path in SOURCES if path.stat().st_size and ast.get_docstring(parsed(path)) is None] == []


def test_generated_pages_are_fresh():
    run = subprocess.run([sys.executable, str(ROOT / "scripts/reference"), "--check"], capture_output=True, text=True,
                         check=False, timeout=60)
    assert run.returncode == 0, run.stderr


def test_no_file_names_a_registry_or_carries_a_download_address():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    forbidden = ("files.pythonhosted" + ".org", "registry.npmjs" + ".org", '"resol' + 'ved"')
    guilty = [name for name in listed if name and (ROOT / name).is_file()
              and any(word in (ROOT / name).read_text(encoding="utf-8", errors="ignore") for word in forbidden)]
    assert guilty == []
