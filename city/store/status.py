"""How the local log is, for people and for metrics."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogStatus:
    """One look at the local log. Counts are since this process opened it, unless they say otherwise."""

    head: int  # the newest position
    oldest_day: str  # of its entries, as 2026-01-31; empty where there are none
    days: int  # from the oldest to the newest
    files: int  # that hold them
    bytes: int  # in the log's directory, without what has been set aside
    free_bytes: int  # of its file system, for this process
    fsyncs: int  # by this process
    last_commit_ms: float  # how long the last append took to become durable; 0.0 before the first
    broken: str = ""  # why nothing can be appended any more until the process starts again; empty: it can
    set_aside: tuple[str, ...] = ()  # damaged files in quarantine, of all times
    findings: tuple[str, ...] = ()  # what was found to be damaged, the newest last
    lost: int = 0  # positions that were found to be unreadable
    dropped_unshipped: int = 0  # positions that were dropped before every sink had them
