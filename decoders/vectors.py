"""A model's vectors: frames from the maker's documents with what they mean, as a TOML file beside the codec.

    source = "ACME SL-100 manual v1.3, §4.2"
    [[uplink]]
    says = "dimmed to 40 %, drawing 31.5 W"
    port = 1
    hex = "28 013b"
    reads = { "lamp.level" = 40, "lamp.power@dali-9" = 31.5 }    # all that is said; or: fails = "Truncated"
    [[downlink]]
    says = "dim to 40 %"
    order = { SetLevel = { level = 40 } }                        # "none" stands for None; or: fails = "Unsupported"
    port = 10
    hex = "28"

`may_end = [4, 8]` lists the shorter lengths at which the frame may end too.
`canonical = false` marks a frame that is read, but not what we (or our simulated device) would write for it.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from city.errors import CityError
from city.orders import Order
from city.quantities import Measurement, Value
from city.readings import series
from decoders.codec import Codec, Frame

Reads = Mapping[str, Value]


class VectorsError(ValueError):
    """The vectors file itself is wrong."""


@dataclass(frozen=True, slots=True)
class Uplink:
    """A frame, and what it reads or why it fails."""

    says: str
    frame: Frame
    reads: Reads | None
    fails: str
    canonical: bool
    may_end: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Downlink:
    """An order and its frame, or why one of them fails."""

    says: str
    frame: Frame | None
    order: Order | None
    fails: str
    canonical: bool


@dataclass(frozen=True, slots=True)
class Vectors:
    """All vectors of one model, and the document they come from."""

    source: str
    uplinks: tuple[Uplink, ...]
    downlinks: tuple[Downlink, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold."""

    about: str
    problem: str


def load(path: Path) -> Vectors:
    """The vectors in a file; raises VectorsError."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return Vectors(str(table["source"]), tuple(map(_uplink, table.get("uplink", []))),
                       tuple(map(_downlink, table.get("downlink", []))))
    except (OSError, ValueError, KeyError, TypeError, CityError) as error:
        raise VectorsError(f"{path.name}: {type(error).__name__}: {error}") from error


def run(codec: Codec, vectors: Vectors) -> list[Finding]:
    """What of the vectors the codec does not fulfil."""
    findings = [(vector.says, _check_uplink(codec, vector)) for vector in vectors.uplinks]
    findings += [(vector.says, _check_downlink(codec, vector)) for vector in vectors.downlinks]
    return [Finding(says, problem) for says, problem in findings if problem]


def reads_of(measurements: Iterable[Measurement]) -> dict[str, Value]:
    """Measurements as the vectors file writes them: by name, or name@channel."""
    return {series(said.quantity, said.channel): said.value for said in measurements}


def _check_uplink(codec: Codec, vector: Uplink) -> str:
    try:
        got = reads_of(codec.decode_uplink(vector.frame))
    except Exception as error:  # a codec under construction raises anything; it is a finding, not a crash
        return "" if type(error).__name__ == vector.fails else f"raises {type(error).__name__}: {error}"
    if vector.reads is None:
        return f"should fail with {vector.fails}, but reads {got}"
    wrong = [f"{name}: {_shown(got, name)} instead of {_shown(vector.reads, name)}"
             for name in sorted({*got, *vector.reads}) if got.get(name) != vector.reads.get(name)]
    return "; ".join(wrong)


def _check_downlink(codec: Codec, vector: Downlink) -> str:
    try:
        if vector.frame is not None:
            order = codec.decode_downlink(vector.frame)
            if vector.fails or order != vector.order:
                return f"{vector.frame.data.hex()} reads as {order}"
        if vector.order is not None and vector.canonical:
            frame = codec.encode_downlink(vector.order)
            if vector.fails or frame != vector.frame:
                return f"is written as {frame.port}:{frame.data.hex()}"
    except Exception as error:  # a codec under construction raises anything; it is a finding, not a crash
        return "" if type(error).__name__ == vector.fails else f"raises {type(error).__name__}: {error}"
    return ""


def _shown(reads: Reads, name: str) -> str:
    return repr(reads[name]) if name in reads else "nothing"


def _uplink(table: Mapping[str, Any]) -> Uplink:
    _only(table, {"says", "port", "hex", "reads", "fails", "canonical", "may_end"})
    if ("reads" in table) == ("fails" in table):
        raise VectorsError(f"“{table['says']}” needs either reads or fails")
    return Uplink(str(table["says"]), _frame(table), table.get("reads"), str(table.get("fails", "")),
                  bool(table.get("canonical", True)), tuple(map(int, table.get("may_end", []))))


def _downlink(table: Mapping[str, Any]) -> Downlink:
    _only(table, {"says", "port", "hex", "order", "fails", "canonical"})
    order = _order(table["order"]) if "order" in table else None
    return Downlink(str(table["says"]), _frame(table) if "hex" in table else None, order,
                    str(table.get("fails", "")), bool(table.get("canonical", True)))


def _frame(table: Mapping[str, Any]) -> Frame:
    return Frame(int(table["port"]), bytes.fromhex(table["hex"]))


def _order(table: Mapping[str, Any]) -> Order:
    (name, fields), = table.items()
    order: Order = msgspec.convert({"type": name, **_plain(fields)}, Order)
    return order


def _plain(value: Any) -> Any:  # noqa: ANN401 - a TOML value has any shape
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if value == "none" else value


def _only(table: Mapping[str, Any], names: set[str]) -> None:
    if strange := table.keys() - names:
        raise VectorsError(f"unknown keys {', '.join(sorted(strange))}")
