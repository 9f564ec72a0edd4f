"""How far a town's lamps have been told the programs that their controllers hold: they are told through the day, a few by a
few (city.rationing). For JSON routes and pages alike."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from city.airtime import DATA_RATES
from city.errors import Invalid
from city.ids import DevEui, GatewayId
from city.orders import Setting, kept_as
from city.places import Luminaire
from city.rationing import lasts, per_slot
from city.settings import Settings
from city.store.ports import ConfigWish, TenantStore
from decoders.catalog import catalog
from firmware_config import profile
from firmware_config.holding import Wishes
from firmware_config.profile import DeviceConfig

_PARTS = ("SunCalendar", "Holidays", "Profile", "DimTask")


@dataclass(frozen=True, slots=True)
class Told:
    """`lamps`: whose controllers shall hold their programs. Of these, those that `hold` all of it, as far as they have
    confirmed, and those that have `begun`. `frames`: settings still to be told. `left`: how long that takes if all goes well, of
    lamps that listen all the time; the others are told after their own uplinks."""

    lamps: int = 0
    hold: int = 0
    begun: int = 0
    frames: int = 0
    left: timedelta = timedelta()

    @property
    def waiting(self) -> int:
        """Lamps that have confirmed nothing of it yet."""
        return self.lamps - self.hold - self.begun


def told(town: TenantStore, wishes: Mapping[DevEui, ConfigWish], settings: Settings, now: datetime, *,
         local: frozenset[str] = frozenset()) -> Told:
    """As of tonight's programs. `wishes`: what people have set by hand."""
    nights, states = Wishes(town.programming(), now, local), town.states()
    lamps = {lamp.id: lamp for lamp in town.luminaires()}
    stands, frames, paced = Counter[str](), 0, Counter[GatewayId | None]()
    for device in town.devices():
        lamp, codec = lamps.get(device.asset), catalog().get(device.model)
        own = _config(wishes.get(device.dev_eui))
        if lamp is None or codec is None or (own is not None and own.programs) or not _holds(nights, lamp, device.model):
            continue
        wish, state = nights.wish(lamp, device.model, own), states.get(device.dev_eui)
        lacks = [] if wish is None else [one for one in wish.missing(state.config if state else {}) if _of_a_program(one)]
        names = [name for name in (wish.texts if wish is not None else ()) if name.partition(":")[0] in _PARTS]
        stands["hold" if not lacks else "begun" if len(lacks) < len(names) else "waiting"] += 1
        frames += len(lacks)
        if codec.device_class != "A" and state is not None:
            paced[state.gateway] += len(lacks)
    sf = DATA_RATES[min(settings.chirpstack.rx2_dr, len(DATA_RATES) - 1)].sf
    each = per_slot(min(settings.bridge.airtime_percent / 100, 1.0), sf)
    return Told(sum(stands.values()), stands["hold"], stands["begun"], frames, lasts(paced, each))


def _holds(nights: Wishes, lamp: Luminaire, model: str) -> bool:
    found = nights.compiled(lamp, model)
    return found is not None and found.holds


def _config(wish: ConfigWish | None) -> DeviceConfig | None:
    try:
        return None if wish is None else profile.from_json(wish.wanted)
    except Invalid:
        return None


def _of_a_program(setting: Setting) -> bool:
    return kept_as(setting).partition(":")[0] in _PARTS
