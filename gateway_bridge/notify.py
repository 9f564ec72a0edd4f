"""The loop that tells people of incidents: what is to be written is decided (city.notices), kept, sent, and kept as sent.

A message is stored before it is sent and again after, so that a crash in between sends it once more rather than never; its
id lets the receiver notice. A receiver that does not answer is asked ever more slowly, and once in a step, so that it holds
nobody else up for longer than its few seconds. Of several bridges the one that steers tells.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from city.clock import Clock
from city.errors import Invalid, LeaseLost, NotFound, Undelivered
from city.ids import AssetId
from city.incidents import Cause, Incident
from city.notice_text import Told, letter, payload, subject
from city.notices import About, Channel, Delivery, Way, after_attempt, dropped, tell, trial
from city.places import Tenant
from city.store.ports import Lease, Store, TenantStore
from gateway_bridge.post import Post
from gateway_bridge.waiting import unbroken

EVERY_S = 15.0
REMEMBERED = timedelta(days=14)  # of what a channel was told
MOST_AT_ONCE = 20  # messages to one town's channels in one step
MOST_TOLD = 2000

_log = logging.getLogger(__name__)


class Notifier:
    """Tells all towns' channels."""

    def __init__(self, store: Store, clock: Clock, post: Post, lease: Callable[[], tuple[bool, Lease | None]], *,
                 public_url: str = "") -> None:
        self._store, self._clock, self._post, self._lease, self._url = store, clock, post, lease, public_url.rstrip("/")

    async def step(self) -> int:
        """Write what is to be told and send what is due; returns how many messages were sent or could not be. Raises
        StoreDown."""
        ours, lease = self._lease()
        if not ours:
            return 0
        done = 0
        for town in await asyncio.to_thread(self._store.tenants):
            try:
                done += await unbroken(asyncio.to_thread(self._tell, town, lease))
            except LeaseLost as error:
                _log.warning("%s", error)
                break
        return done

    def _tell(self, town: Tenant, lease: Lease | None) -> int:
        store, now = self._store.tenant(town.id), self._clock.now()
        channels = {one.id: one for one in store.channels()}
        if not channels:
            return 0
        before = store.deliveries(since=now - REMEMBERED, limit=MOST_TOLD)
        incidents = store.incidents(limit=MOST_TOLD)
        written = self._written(store, list(channels.values()), incidents, before, now)
        self._store.put_deliveries(town.id, written, lease=lease)
        due = [one for one in (*written, *before) if one.live and (one.next_at is None or one.next_at <= now)]
        return self._send(town, store, sorted(due, key=lambda one: one.at), channels, {one.id: one for one in incidents}, lease)

    def _send(self, town: Tenant, store: TenantStore, due: Sequence[Delivery], channels: Mapping[str, Channel],
              known: Mapping[str, Incident], lease: Lease | None) -> int:
        done, refusing = 0, set[str]()
        for item in due:
            if item.channel in refusing or done == MOST_AT_ONCE:
                continue
            after = self._sent(store, item, channels.get(item.channel), known, self._clock.now())
            self._store.put_deliveries(town.id, [after], lease=lease)
            done += 1
            if after.live:
                refusing.add(item.channel)
        return done

    def _written(self, store: TenantStore, channels: Sequence[Channel], incidents: Sequence[Incident],
                 before: Sequence[Delivery], now: datetime) -> list[Delivery]:
        named = {name for item in before for name, _ in item.incidents}
        past = [one for one in store.incidents(open_only=False, limit=500) if one.id in named and not one.open]
        acts = store.acts([one.id for one in incidents])
        written: list[Delivery] = []
        for channel in channels:
            mine = [item for item in before if item.channel == channel.id]
            written += tell(channel, (*incidents, *past), acts, mine, now)
            asked = trial(channel, mine, now)
            written += [] if asked is None else [asked]
        return written

    def _sent(self, store: TenantStore, item: Delivery, channel: Channel | None, known: Mapping[str, Incident],
              now: datetime) -> Delivery:
        if channel is None or (channel.off and item.about is not About.TRIAL):
            return dropped(item, "The channel is switched off.")
        told = [_named(store, known.get(name) or store.incident(name)) for name, _ in item.incidents[:100]]
        page = f"{self._url}/{item.tenant}/betrieb/stoerungen" if self._url else ""
        try:
            self._hand_over(item, channel, told, page, store.tenant.name, now)
        except (Undelivered, Invalid) as error:
            _log.warning("channel %s of %s: %s", channel.id, item.tenant, error)
            return after_attempt(item, now, error=str(error))
        return after_attempt(item, now)

    def _hand_over(self, item: Delivery, channel: Channel, told: Sequence[Told], page: str, town: str, now: datetime) -> None:
        if channel.way is Way.MAIL:
            self._post.mail(channel.address, subject(item, told, channel, town), letter(item, told, channel, page), id=item.id,
                            at=now)
        else:
            self._post.hook(channel.address, payload(item, told, channel, page), secret=channel.secret, id=item.id, at=now)


def _named(store: TenantStore, one: Incident) -> Told:
    if one.cause is not Cause.ASSET:
        return Told(one, one.subject)
    try:
        return Told(one, store.asset(AssetId(one.subject)).name or one.subject)
    except NotFound:
        return Told(one, one.subject)
