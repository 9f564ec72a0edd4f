"""Every codec in decoders.devices, found by walking the package; names that begin with _ are parts of codecs."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
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
    for module in pkgutil.iter_modules(devices.__path__):
        if module.name.startswith("_"):
            continue
        codec: Codec = importlib.import_module(f"{devices.__name__}.{module.name}").CODEC
        if codec.model in found:
            raise ValueError(f"two codecs claim the model {codec.model}")
        if module.name != stem(codec.model):
            raise ValueError(f"{codec.model} belongs into {stem(codec.model)}.py, not {module.name}.py")
        found[codec.model] = codec
    return MappingProxyType(dict(sorted(found.items())))


def codec_of(model: str, directory: Path | None = None) -> Codec:
    """The codec of a model, from our own devices or from a file in `directory`; raises UnknownModel."""
    codec = catalog().get(model) if directory is None else _load(directory / f"{stem(model)}.py")
    if codec is None:
        raise UnknownModel("There is no codec for the model “{model}”.", model=model)
    return codec


def vectors_path(model: str, directory: Path | None = None) -> Path:
    """Where a model's vectors stand: beside its codec."""
    return (directory or Path(devices.__path__[0])) / f"{stem(model)}.toml"


def stem(model: str) -> str:
    """The name of a model's files: `acme/sl-100` is `acme_sl100`."""
    return model.replace("-", "").replace("/", "_")


def decode(model: str, frame: Frame) -> list[Measurement]:
    """What the frame says; raises DecodeError or UnknownModel, and nothing else."""
    return codec_of(model).decode_uplink(frame)


def _load(path: Path) -> Codec | None:
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    codec: Codec = module.CODEC
    return codec
