"""What the platform asks of storage about faults: incidents, what people did about them, whom to tell, what was learnt."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from city.alarms import Alarm
from city.expected import Learnt
from city.ids import TenantId
from city.incidents import Act, Deed, Incident
from city.notices import Channel, Delivery

if TYPE_CHECKING:
    from city.store.ports import Lease


class TenantFaults(Protocol):
    """One tenant's incidents and channels."""

    def incidents(self, *, open_only: bool = True, limit: int = 1000) -> Sequence[Incident]:
        """The newest first."""
        ...
    def incident(self, id: str) -> Incident: ...
    def acts(self, incidents: Collection[str]) -> Mapping[str, Sequence[Act]]:
        """What was done about each of these, in order."""
        ...
    def act(self, id: str, deed: Deed, text: str, actor: str, now: datetime) -> Act:
        """Add what a person does about an incident. Raises Invalid for a text that is too long, or missing where the deed
        needs one, Conflict where too much was written about it already."""
        ...
    def incident_alarms(self, id: str, limit: int = 200) -> Sequence[Alarm]:
        """The alarms at an incident's assets since it began, the newest first."""
        ...
    def learnt(self) -> Learnt:
        """What lamps of each type really draw."""
        ...
    def channels(self) -> Sequence[Channel]: ...
    def channel(self, id: str) -> Channel: ...
    def put_channel(self, channel: Channel) -> None:
        """Raises Conflict where the town has too many."""
        ...
    def remove_channel(self, id: str) -> None: ...
    def try_channel(self, id: str, now: datetime) -> None:
        """Have the bridge send a trial message."""
        ...
    def deliveries(self, *, live_only: bool = False, since: datetime | None = None, limit: int = 200) -> Sequence[Delivery]:
        """The newest first."""
        ...


class Faults(Protocol):
    """What the bridge writes. With a lease each raises LeaseLost, and then nothing is written."""

    def put_incidents(self, tenant: TenantId, incidents: Iterable[Incident], *, lease: "Lease | None" = None) -> None: ...
    def put_learnt(self, tenant: TenantId, learnt: Learnt, *, lease: "Lease | None" = None) -> None: ...
    def inspection(self, tenant: TenantId) -> bytes | None:
        """What was remembered of the town's lamps."""
        ...
    def put_inspection(self, tenant: TenantId, body: bytes, now: datetime, *, lease: "Lease | None" = None) -> None: ...
    def put_deliveries(self, tenant: TenantId, deliveries: Iterable[Delivery], *, lease: "Lease | None" = None) -> None:
        """Add or change them; the oldest beyond what is kept are forgotten."""
        ...
