"""/metrics, /healthz and /readyz of the bridge on 127.0.0.1, in threads of their own, so that a loop that stands still can
be seen to. Plain HTTP without anybody's data: whoever may log in on the machine may read it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST

from city.errors import Conflict
from city.health import Readiness
from gateway_bridge.metrics import Metrics

TIMEOUT_S = 10.0
JSON = "application/json; charset=utf-8"

Answer = tuple[HTTPStatus, str, bytes]


@contextmanager
def served(metrics: Metrics, ready: Callable[[], Readiness], port: int) -> Iterator[None]:
    """Serve on 127.0.0.1:`port` while the block runs; not at all where it is 0. Raises Conflict where it is taken."""
    if not port:
        yield
        return
    try:
        server = _Server(port, metrics, ready)
    except (OSError, OverflowError) as error:
        raise Conflict("Metrics cannot be served on 127.0.0.1:{port}: {what}", field="bridge.metrics_port", rule="free",
                       port=port, what=str(error)) from error
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def answer(path: str, metrics: Metrics, ready: Callable[[], Readiness]) -> Answer:
    """What is said at `path`."""
    match path.partition("?")[0]:
        case "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, metrics.text()
        case "/healthz":
            return HTTPStatus.OK, JSON, b'{"alive": true}\n'
        case "/readyz":
            state = ready()
            return (HTTPStatus.OK if state.ready else HTTPStatus.SERVICE_UNAVAILABLE), JSON, described(state)
    return HTTPStatus.NOT_FOUND, JSON, b'{"paths": ["/metrics", "/healthz", "/readyz"]}\n'


def described(state: Readiness) -> bytes:
    """As JSON: `ready`, and the reasons with code, sentence and whether they are why it is not."""
    reasons = [{"code": reason.code, "broken": reason.broken, "sentence": str(reason)} for reason in state.reasons]
    return json.dumps({"ready": state.ready, "reasons": reasons}, ensure_ascii=False).encode() + b"\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, metrics: Metrics, ready: Callable[[], Readiness]) -> None:
        self.metrics, self.ready = metrics, ready
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    timeout = TIMEOUT_S
    server: _Server

    def do_GET(self) -> None:
        status, kind, body = answer(self.path, self.server.metrics, self.server.ready)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "stadtfunk"

    def log_message(self, format: str, *args: object) -> None:
        """A probe every few seconds is nothing to write down."""
