"""The models that a town's devices may be of: ours, the town's own scripts, and those that nobody has described yet."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from city.errors import NotFound
from city.places import AssetKind, Device
from city.scripts import Script
from city.store.ports import TenantStore
from decoders import scripted
from decoders.catalog import catalog
from decoders.codec import ANY_PORT, Codec


@dataclass(frozen=True, slots=True)
class ModelView:
    """One model as the town sees it.

    `script` is None for a native model. `devices` is how many of the town are of it, `documents` where its layout is
    published ("" for a script), `leaves_open` what is not known or not mapped. `off` says why a script does not run.
    """

    codec: Codec
    script: Script | None
    devices: int

    @property
    def model(self) -> str:
        return self.codec.model

    @property
    def native(self) -> bool:
        """Whether it comes with stadtfunk."""
        return self.script is None

    @property
    def title(self) -> str:
        return self.codec.title or self.codec.model

    @property
    def name(self) -> str:
        """Maker and device, the maker said once."""
        vendor = self.codec.vendor
        return self.title if not vendor or self.title.casefold().startswith(vendor.casefold()) else f"{vendor} {self.title}"

    @property
    def any_port(self) -> bool:
        """Whether the FPort of its reports means nothing."""
        return self.codec.uplink_ports == ANY_PORT

    @property
    def asset(self) -> AssetKind:
        return self.codec.asset

    @property
    def directions(self) -> tuple[str, ...]:
        """"up", and "down" where it can be told something."""
        takes = bool(self.codec.downlink_ports) if self.script is None else bool(self.script.mapping.orders)
        return ("up", "down") if takes else ("up",)

    @property
    def documents(self) -> str:
        return self.codec.source if self.script is None else ""

    @property
    def leaves_open(self) -> tuple[str, ...]:
        return self.codec.leaves_open

    @property
    def off(self) -> str:
        return self.script.off if self.script else ""

    @property
    def heartbeat(self) -> timedelta:
        return self.codec.heartbeat

    @property
    def changed_at(self) -> datetime | None:
        return self.script.changed_at if self.script else None


def models(town: TenantStore) -> list[ModelView]:
    """Every native model and every script of the town, by name."""
    counts = Counter(device.model for device in town.devices())
    ours = [ModelView(codec, None, counts[model]) for model, codec in catalog().items()]
    own = [ModelView(scripted.quiet(script), script, counts[script.model]) for script in town.scripts()]
    return sorted([*ours, *own], key=lambda view: view.model)


def model_of(town: TenantStore, model: str) -> ModelView:
    """One model; raises NotFound where neither we nor the town have it."""
    count = sum(device.model == model for device in town.devices())
    codec = catalog().get(model)
    if codec is not None:
        return ModelView(codec, None, count)
    script = town.script(model)
    return ModelView(scripted.quiet(script), script, count)


def undescribed(town: TenantStore) -> dict[str, int]:
    """Models of the town's devices that nobody has described, and how many devices each has."""
    known = catalog().keys() | {script.model for script in town.scripts()}
    counts = Counter(device.model for device in town.devices())
    return {model: count for model, count in sorted(counts.items()) if model not in known}


def codecs_for(town: TenantStore, devices: Iterable[Device]) -> Mapping[str, Codec]:
    """The codecs of these devices' models, those of scripts without anything that runs; scripts are only asked for
    where a model is none of ours."""
    ours = catalog()
    strange = {device.model for device in devices} - ours.keys()
    own = [codec for model in strange if (codec := _quiet(town, model)) is not None]
    return {**ours, **{codec.model: codec for codec in own}} if own else ours


def devices_of(town: TenantStore, model: str) -> Sequence[Device]:
    """The town's devices of a model."""
    return [device for device in town.devices() if device.model == model]


def _quiet(town: TenantStore, model: str) -> Codec | None:
    try:
        return scripted.quiet(town.script(model))
    except NotFound:
        return None
