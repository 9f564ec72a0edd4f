"""Within how much time lamps that are told together report what they do: all at once, hardly any would be heard."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from city.errors import Invalid
from city.orders import LevelNotice, from_json, kept_as
from city.quantities import RADIO_DR
from city.reach import gateways_of
from city.reporting import RATES, notice_for
from city.store.ports import Known
from decoders.catalog import catalog
from gateway_bridge.confirm import encoded

_NOTICE = kept_as(LevelNotice(0, 0))


def to_be_told(members: Sequence[Known], model: str, size: int) -> tuple[LevelNotice, list[Known]] | None:
    """The notice that members of a group should have that will have `size` of them, and those that have confirmed another
    one, or none; None for a model without one."""
    notice = _notice(members, size)
    if notice is None or encoded(catalog()[model], notice) is None:
        return None
    return notice, [found for found in members if not _suits(found.state.config.get(_NOTICE), notice)]


def _notice(members: Sequence[Known], size: int) -> LevelNotice | None:
    """Within how much time the members of a group should report, by how they are heard."""
    if not members:
        return None
    heard = sum(len(gateways_of(found.state)) for found in members) / len(members)
    rates = Counter(12 - dr for found in members if isinstance(dr := found.state.value(RADIO_DR), int) and 0 <= dr <= 5)
    return notice_for(size, gateways=max(round(heard), 1), rates=rates or RATES)


def _suits(kept: str | None, wanted: LevelNotice) -> bool:
    """Whether what a lamp has confirmed is near enough: telling it anew costs more than a few seconds."""
    seconds = _seconds(kept) if kept is not None else None
    return seconds is not None and 0.75 * wanted.random_seconds <= seconds <= 3 * wanted.random_seconds


@lru_cache(maxsize=256)
def _seconds(kept: str) -> int | None:
    try:
        order = from_json(kept)
    except Invalid:
        return None
    return order.random_seconds if isinstance(order, LevelNotice) else None
