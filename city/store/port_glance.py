"""What figures ask of storage; see city.store.ports."""

from datetime import datetime
from typing import Protocol

from city.glance import Glance


class GlanceStore(Protocol):
    """One tenant's facts, as far as figures are made of them."""

    def glance(self, since: int, seq: int, ended_since: datetime) -> Glance:
        """What has changed after the revision `since` and the audit's line `seq`. With `since` 0, the first look: every device,
        the commands that are live or have ended from `ended_since` on, all that stands, and the newest of what is over."""
        ...
