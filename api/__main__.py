"""`stadtfunk api`: the web server as a process of its own."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from api.app import create_app
from city import settings
from city.clock import SystemClock
from city.store.opening import open_store
from city.store.readings import LocalLog

GRACE_S = 5  # for answers under way when we are told to stop; streams of live changes never end by themselves


def main(argv: Sequence[str]) -> int:
    """Serve until told to stop (SIGINT, SIGTERM)."""
    parser = argparse.ArgumentParser(prog="stadtfunk api", description="The web server.")
    parser.add_argument("--config", type=Path, help="settings file (default: ./stadtfunk.toml)")
    config = settings.load(parser.parse_args(argv).config)
    store = open_store(config.database.url.reveal())
    log = LocalLog(Path(config.log.directory), keep_days=config.log.keep_days)
    try:
        server(create_app(store, log, SystemClock(), config), config).run()
    finally:
        log.close()
        store.close()
    return 0


def server(app: object, config: settings.Settings) -> uvicorn.Server:
    """uvicorn as we want it: no banner, behind a proxy only where one is configured."""
    return uvicorn.Server(uvicorn.Config(
        app, host=config.api.host, port=config.api.port, log_level="info", access_log=False, server_header=False,  # type: ignore[arg-type]
        proxy_headers=bool(config.api.public_url), timeout_graceful_shutdown=GRACE_S))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
