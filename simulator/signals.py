"""Ctrl-C and SIGTERM as an event."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stopping() -> Iterator[asyncio.Event]:
    """An event that is set when somebody wants the process to end; only inside a running loop."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for name in SIGNALS:
        with contextlib.suppress(NotImplementedError):  # Windows: KeyboardInterrupt does it there
            loop.add_signal_handler(name, stop.set)
    try:
        yield stop
    finally:
        for name in SIGNALS:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(name)
