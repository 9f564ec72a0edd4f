"""The loop that pushes towns' zones to a ParkAPI (generic source): the same zones, through the same gate, as everybody may know
them here. What is pushed when, city.parkapi_push decides.

Of several bridges the one that steers pushes. What a town has pushed is remembered by the process; the next one asks ParkAPI
once which of the town's sites it has, so that what is public no more is removed there, too.
"""

import asyncio
import base64
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from urllib.parse import quote

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from city.clock import Clock
from city.errors import NotFound, Undelivered
from city.exports.parkapi import Item, Source, site
from city.ids import TenantId
from city.parkapi_push import (
    AT_ONCE,
    Feed,
    Target,
    Verdict,
    due,
    every,
    failed,
    judged,
    known,
    listed_uids,
    rested,
    taken,
    targets,
)
from city.parking_display import ZoneRules
from city.public_parking import public_zones
from city.settings import Settings
from city.store.ports import Lease, Store, TenantStore
from gateway_bridge.post import Resolve, addresses_of, exchange
from gateway_bridge.waiting import unbroken

EVERY_S = 5.0
AT_A_TIME = 4  # towns, so that one slow answer does not make the others late
MOST_LISTED = 4 * 2**20  # bytes
SITES = "/api/admin/v1/parking-sites"
_log = logging.getLogger(__name__)


class Pusher(Collector):
    """Pushes the towns that have a source. Belongs to one loop."""

    def __init__(self, store: Store, clock: Clock, settings: Settings, lease: Callable[[], tuple[bool, Lease | None]],
                 resolve: Resolve | None = None) -> None:
        """Raises Invalid for settings that cannot be used."""
        self._store, self._clock, self._lease, self._resolve = store, clock, lease, resolve or addresses_of
        self._settings, self._targets = settings, targets(settings.parkapi)
        self._feeds: dict[str, Feed] = {}
        self._pushes: dict[tuple[str, str], int] = {}

    async def step(self) -> int:
        """Push what is due; returns of how many towns. Raises StoreDown."""
        if not self._lease()[0]:
            self._feeds.clear()  # another bridge pushes: what ParkAPI has is not known here any more
            return 0
        now = self._clock.now()
        waiting = [one for one in self._targets if (at := self.feed(one.town).next_at) is None or at <= now]
        for start in range(0, len(waiting), AT_A_TIME):
            await unbroken(self._together(waiting[start:start + AT_A_TIME]))
        return len(waiting)

    def feed(self, town: str) -> Feed:
        """What is remembered of a town's pushes."""
        return self._feeds.get(town, Feed())

    def collect(self) -> Iterator[Metric]:
        """For Prometheus."""
        pushes = CounterMetricFamily("stadtfunk_parkapi_pushes", "pushes to the ParkAPI", labels=["tenant", "outcome"])
        for (town, outcome), count in sorted(self._pushes.items()):
            pushes.add_metric([town, outcome], count)
        sites = GaugeMetricFamily("stadtfunk_parkapi_sites", "zones at the ParkAPI", labels=["tenant", "state"])
        age = GaugeMetricFamily("stadtfunk_parkapi_age_seconds", "time since ParkAPI took a push", labels=["tenant"])
        now = self._clock.now()
        for town, feed in sorted(self._feeds.copy().items()):
            numbers = sum(one.numbers for one in feed.sent.values())
            for state, count in (("told", numbers), ("withheld", len(feed.sent) - numbers), ("refused", len(feed.refused))):
                sites.add_metric([town, state], count)
            if feed.pushed_at is not None:
                age.add_metric([town], (now - feed.pushed_at).total_seconds())
        yield from (pushes, sites, age)

    def describe(self) -> Iterable[Metric]:
        """Without asking."""
        return ()

    async def _together(self, several: Sequence[Target]) -> None:
        await asyncio.gather(*(asyncio.to_thread(self._push, one) for one in several))

    def _push(self, target: Target) -> None:
        feed, now = self.feed(target.town), self._clock.now()
        try:
            feed, verdict = self._told(target, feed, now)
        except Undelivered as error:
            verdict = Verdict(str(error))
        except NotFound:
            verdict = Verdict("There is no such town here.", helpless=True)
        if verdict.trouble:
            after = failed(feed, verdict, now)
            if after.trouble != self.feed(target.town).trouble:
                _log.warning("ParkAPI: %s (source %s): %s", target.town, target.source, verdict.trouble)
        else:
            after = rested(feed, now, every(self._settings.parkapi))
        self._say_refused(target, self.feed(target.town).refused, after.refused)
        self._feeds[target.town] = after
        key = target.town, "failed" if verdict.trouble else "taken"
        self._pushes[key] = self._pushes.get(key, 0) + 1

    def _told(self, target: Target, feed: Feed, now: datetime) -> tuple[Feed, Verdict]:
        """The feed as far as it got, and why no further."""
        items = sites_of(self._store.tenant(TenantId(target.town)), now, self._settings)
        if feed.pushed_at is None and not feed.sent:
            feed = self._remembered(target, feed)
        sending, gone = due(items, feed, now)
        for start in range(0, len(sending), AT_ONCE):
            some = sending[start:start + AT_ONCE]
            verdict = judged(*self._ask(target, "POST", f"{SITES}/upsert-list", {"items": some}))
            if verdict.trouble:
                return feed, verdict
            feed = taken(feed, some, (), verdict.refused, now)
        for uid in gone:
            status, body = self._ask(target, "DELETE", f"{SITES}/by-uid/{quote(uid, safe='')}")
            if status != 404 and (verdict := judged(status, body)).trouble:
                return feed, verdict
            feed = taken(feed, (), (uid,), {}, now)
        return feed, Verdict()

    def _remembered(self, target: Target, feed: Feed) -> Feed:
        """The feed with what an earlier process has pushed. Without a list nothing is removed there, and that is said."""
        status, body = self._ask(target, "GET", f"{SITES}?source_uid={quote(target.source, safe='')}&limit=1000")
        if status != 200:
            _log.info("ParkAPI: %s: it answered %d when asked which sites it has", target.town, status)
            return feed
        return known(feed, listed_uids(body, target.town))

    def _ask(self, target: Target, method: str, path: str, body: Mapping[str, Sequence[Item]] | None = None) -> tuple[int, bytes]:
        parkapi = self._settings.parkapi
        word = base64.b64encode(f"{target.source}:{target.password.reveal()}".encode()).decode()
        headers = {"Authorization": f"Basic {word}", "Accept": "application/json", "User-Agent": "stadtfunk",
                   **({"Content-Type": "application/json"} if body is not None else {})}
        data = b"" if body is None else msgspec.json.encode(body)
        return exchange(method, parkapi.url.rstrip("/") + path, data, headers, private=parkapi.allow_private,
                        resolve=self._resolve, most=MOST_LISTED)

    def _say_refused(self, target: Target, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        for uid, why in after.items():
            if before.get(uid) != why:
                _log.warning("ParkAPI: it did not take the site %s of %s: %s", uid, target.town, why)


def sites_of(town: TenantStore, now: datetime, settings: Settings) -> list[Item]:
    """A town's zones as a generic source is sent them; the same zones, through the same gate, as its own pages show."""
    sites, said = town.parking_sites(), town.parking_town()
    zones = public_zones(town.zones(), town.zone_facts(), sites, said, town.forecast_errors(), now,
                         ZoneRules.of(settings.parking))
    base = settings.api.public_url.rstrip("/")
    source = Source(town.tenant, said, {one.code: one for one in town.permit_zones()}, town.parking_said_at(),
                    f"{base}/{town.tenant.id}/parken" if base else "")
    return [site(zone, source) for zone in zones]
