"""What an order to some lamps costs before it is given: frames, lamps, seconds until the last one obeys, and the same by
single messages. By multicast groups where confirmed ones fit exactly, else one by one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from api.library import codecs_for
from city.airtime import DATA_RATES, RX2_DR, Estimate
from city.budget import USED_SHARE, WINDOW, Budget, down_band
from city.casting import Air, Net, cover, priced
from city.errors import Refused, Unsupported
from city.ids import AssetId, DevEui, GatewayId
from city.losses import between, learnt
from city.multicast import RadioGroup, nets_of
from city.orders import LevelNotice, Order, SetLevel
from city.places import Device, Luminaire, Site
from city.quantities import RADIO_DOWNLINK_SF
from city.reach import by_neighbours, gateways_of
from city.readings import DeviceState
from city.reporting import reports_within_s, silence_after_s
from city.store.ports import TenantStore
from decoders.codec import Codec

SCRIPT_ORDER = 8  # bytes that an order by a town's own script is taken to have


def price(town: TenantStore, lamps: Iterable[Luminaire], level: int | None = None, *, now: datetime, share: float = USED_SHARE,
          rx2_dr: int = RX2_DR) -> Estimate:
    """What it costs to tell these lamps a level (None: as programmed) now. `share`: of the lawful time on air that orders
    may use, of which this town's own of the last hour are known, and not what others send by the same gateways; `rx2_dr`: the
    data rate of class C where nothing was sent yet. How much of it is lost is learnt from what was told before (city.losses).
    Raises Unsupported where none of them has a controller that dims."""
    chosen = list(lamps)
    air = _Air.of(town, chosen, rx2_dr)
    if not air.devices:
        raise Unsupported("No lamp here has a controller that can dim it.", field="level", rule="can dim")
    spread = air.report_s
    reach = air.reach_of
    tried, budget, band = town.tried(), Budget(share, town.spent(now - WINDOW)), down_band()
    frames = Air(air.payload(level), air.sf, share, learnt(tried), verify_s=silence_after_s(spread), report_s=spread)
    return priced(cover(air.devices, air.nets), reach, frames, hears=by_neighbours(reach, air.sites), losses=between(tried),
                  waits=lambda gateway, seconds: budget.wait_s(gateway, band, seconds, now))


@dataclass(frozen=True, slots=True)
class _Air:
    devices: frozenset[DevEui]
    codecs: Sequence[Codec]
    states: Mapping[DevEui, DeviceState]
    groups: Sequence[RadioGroup]
    nets: Sequence[Net]
    sites: Mapping[DevEui, Site]
    rx2_dr: int

    @classmethod
    def of(cls, town: TenantStore, lamps: Collection[Luminaire], rx2_dr: int) -> "_Air":
        by_asset = {device.asset: device for device in town.devices()}
        codecs = codecs_for(town, by_asset.values())
        able = [device for lamp in lamps if (device := _dimming(by_asset, lamp.id, codecs)) is not None]
        groups = town.radio_groups()
        nets = nets_of(groups, town.radio_members()) if groups else []
        return cls(frozenset(device.dev_eui for device in able), [codecs[model] for model in {one.model for one in able}],
                   town.states(), groups, nets, {by_asset[lamp.id].dev_eui: lamp.site for lamp in lamps if lamp.id in by_asset},
                   rx2_dr)

    def payload(self, level: int | None) -> int:
        """Bytes of the longest order among the models."""
        return max(_size(codec, 100 if level is None else level) for codec in self.codecs)

    @property
    def sf(self) -> int:
        """The slowest spreading factor that is used for them; else for any device of the town, since all share RX2's; else
        RX2's as the network server is set."""
        own = [state for device in self.devices if (state := self.states.get(device)) is not None]
        for states in (own, self.states.values()):
            used = [factor for state in states if isinstance(factor := state.value(RADIO_DOWNLINK_SF), int)]
            used += [DATA_RATES[group.dr].sf for group in self.groups if group.dr < len(DATA_RATES)]
            if used:
                return max(used)
        return DATA_RATES[min(max(self.rx2_dr, 0), 5)].sf

    @property
    def report_s(self) -> float:
        """Within how many seconds the last of them reports."""
        heard = [len(reach) for reach in self.reach_of.values()]
        gateways = max(round(sum(heard) / len(heard)), 1) if heard else 1
        notices = all(_says(codec, LevelNotice(60, 60)) for codec in self.codecs)
        configs = [state.config for device in self.devices if (state := self.states.get(device)) is not None] or [{}]
        alike = {frozenset(config.items()): config for config in configs}  # of ten thousand lamps, few differ
        return max(reports_within_s(config, len(self.devices), notices=notices, gateways=gateways) for config in alike.values())

    @property
    def reach_of(self) -> Mapping[DevEui, Sequence[GatewayId]]:
        """The gateways that reach a lamp; the one that heard it last sends to it alone."""
        found = {device: state for device in self.devices if (state := self.states.get(device)) is not None}
        return {device: tuple(dict.fromkeys([*([state.gateway] if state.gateway else []), *gateways_of(state)]))
                for device, state in found.items()}


def _size(codec: Codec, level: int) -> int:
    """Bytes of an order of a level; a model that holds no level for an hour, or only switches, has others as long."""
    for order in (SetLevel(level, 60), SetLevel(level), SetLevel(100)):
        try:
            return len(codec.encode_downlink(order).data)
        except Refused:
            continue
    return SCRIPT_ORDER


def _says(codec: Codec, order: Order) -> bool:
    try:
        codec.encode_downlink(order)
    except Refused:
        return False
    return True


def _dimming(devices: Mapping[AssetId, Device], lamp: AssetId, codecs: Mapping[str, Codec]) -> Device | None:
    device = devices.get(lamp)
    codec = codecs.get(device.model) if device is not None else None
    return device if codec is not None and codec.abilities.dims else None
