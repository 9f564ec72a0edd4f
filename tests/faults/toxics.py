"""Toxiproxy's vocabulary of faults on a TCP connection, one dataclass each. Times in seconds, sizes in bytes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """Every chunk comes `delay` later, ± `jitter`; order is kept."""

    delay: float
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """At most `rate` bytes a second, for each connection."""

    rate: float


@dataclass(frozen=True, slots=True)
class SlowClose:
    """The end of a connection is passed on `delay` later."""

    delay: float


@dataclass(frozen=True, slots=True)
class Timeout:
    """Nothing gets through any more, and what is sent is gone. After `after` the connection is closed; 0: it stays open,
    half dead, until the toxic is removed, and is closed then."""

    after: float = 0.0


@dataclass(frozen=True, slots=True)
class ResetPeer:
    """The next chunk is thrown away and the connection reset (RST), `after` later."""

    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Slicer:
    """Chunks are cut into pieces of `size` ± `variation` bytes, with `delay` between them."""

    size: int
    variation: int = 0
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class LimitData:
    """The connection is closed when `size` bytes have passed."""

    size: int


Toxic = Latency | Bandwidth | SlowClose | Timeout | ResetPeer | Slicer | LimitData
