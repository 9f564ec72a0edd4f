"""Every codec in decoders.devices, found by walking the package."""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from city.errors import BadInput
from city.quantities import Measurement
from decoders import devices
from decoders.codec import Codec, Frame


class UnknownModel(BadInput):
    """No codec bears the model's name."""


@cache
def catalog() -> Mapping[str, Codec]:
    """Codecs by model. Raises ValueError where two files claim one model, so that start-up stops."""
    found: dict[str, Codec] = {}
    for module in pkgutil.iter_modules(devices.__path__, devices.__name__ + "."):
        codec: Codec = importlib.import_module(module.name).CODEC
        if codec.model in found:
            raise ValueError(f"two codecs claim the model {codec.model}")
        found[codec.model] = codec
    return MappingProxyType(dict(sorted(found.items())))


def codec_of(model: str) -> Codec:
    """The codec of a model; raises UnknownModel."""
    codec = catalog().get(model)
    if codec is None:
        raise UnknownModel("There is no codec for the model “{model}”.", model=model)
    return codec


def decode(model: str, frame: Frame) -> list[Measurement]:
    """What the frame says; raises DecodeError or UnknownModel, and nothing else."""
    return codec_of(model).decode_uplink(frame)
