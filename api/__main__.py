"""`stadtfunk api`: the web server as a process of its own."""

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.serving import Bounded, Guest, Server
from city import settings
from city.clock import SystemClock
from city.store.opening import open_store
from city.store.readings import open_log

GRACE_S = 5  # for answers under way when we are told to stop


def main(argv: Sequence[str]) -> int:
    """Serve until told to stop (SIGINT, SIGTERM)."""
    parser = argparse.ArgumentParser(prog="stadtfunk api", description="The web server.")
    parser.add_argument("--settings", "--config", type=Path, metavar="FILE", help="settings (default: stadtfunk.toml)")
    config = settings.load(parser.parse_args(argv).settings)
    store = open_store(config.database.url.reveal())
    log = open_log(config.log)
    gc.freeze()  # what is imported stays; and tens of thousands of lamps at once are no sign of garbage
    gc.set_threshold(50_000, 20, 50)
    try:
        server(create_app(store, log, SystemClock(), config), config).run()
    finally:
        log.close()
        store.close()
    return 0


def server(app: FastAPI, config: settings.Settings, *, signals: bool = True) -> Server:
    """uvicorn as we want it: quiet, trusting a proxy only where one is configured, and quick to stop. Without `signals`
    it is somebody's guest: silent, and Ctrl-C is its host's, who sets `should_exit`."""
    made = Server if signals else Guest
    return made(uvicorn.Config(
        app, host=config.api.host, port=config.api.port, log_level="info" if signals else "warning", access_log=False,
        http=Bounded, server_header=False, proxy_headers=bool(config.api.public_url), timeout_graceful_shutdown=GRACE_S))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
