"""Coverage-guided fuzzing of every native codec, to be run by hand for hours:

    python bench/fuzz.py [--model vendor/model] [--corpus DIR] [atheris or libFuzzer options, e.g. -max_total_time=3600]

The first byte of an input picks the model, the second one of its ports (or any port), the rest is the frame. Broken is:
an exception that is no DecodeError; an uplink whose explanation differs from its reading or leaves bytes out; a value of
the wrong type or not finite; a downlink that reads as an order which is not written as a frame that reads the same. The
vectors of all models are written into the corpus first. Needs `pip install -e '.[fuzz]'`.
"""

import argparse
import sys
from collections.abc import Sequence
from math import isfinite
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["decoders", "city"]):
    from city.errors import CityError, DecodeError, Refused
    from decoders import vectors
    from decoders.catalog import catalog, vectors_path
    from decoders.codec import Codec, Frame, TracedFrame

    catalog()  # imports the codecs: what is imported later is not watched, and the search blind


class Broken(Exception):
    """A law does not hold; libFuzzer keeps the input."""


def main(argv: Sequence[str]) -> None:
    """Never returns by itself: libFuzzer ends the process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(catalog()), help="one model; without it, all")
    parser.add_argument("--corpus", type=Path, default=Path("fuzz-corpus"), help="where inputs are kept (fuzz-corpus)")
    arguments, rest = parser.parse_known_args(argv)
    codecs = [codec for codec in catalog().values() if arguments.model in (None, codec.model)]
    seed(codecs, arguments.corpus)
    atheris.Setup([sys.argv[0], str(arguments.corpus), *rest], lambda data: check(codecs, data))
    atheris.Fuzz()


def seed(codecs: Sequence[Codec], corpus: Path) -> None:
    """Every frame of the vectors as an input."""
    corpus.mkdir(parents=True, exist_ok=True)
    for number, codec in enumerate(codecs):
        known = vectors.load(vectors_path(codec.model))
        for at, vector in enumerate((*known.uplinks, *known.downlinks)):
            if vector.frame is not None and vector.frame.port in _ports(codec):
                head = bytes([number, _ports(codec).index(vector.frame.port) % 256])
                (corpus / f"{codec.model.replace('/', '-')}-{at}").write_bytes(head + vector.frame.data)


def check(codecs: Sequence[Codec], data: bytes) -> None:
    """Raises Broken, or whatever the codec should not have raised."""
    if len(data) < 2:
        return
    codec = codecs[data[0] % len(codecs)]
    ports = _ports(codec)
    frame = Frame(ports[data[1] % len(ports)], data[2:244])
    _uplink(codec, frame)
    _downlink(codec, frame)


def _uplink(codec: Codec, frame: Frame) -> None:
    traced = TracedFrame(frame.port, frame.data)
    said, explained = _reading(codec, frame), _reading(codec, traced)
    if said != explained:
        raise Broken(f"{codec.model} {frame}: read as {said}, explained as {explained}")
    if isinstance(said, str):
        return
    if b"".join(field.data for field in traced.trace) != frame.data:
        raise Broken(f"{codec.model} {frame}: the explanation leaves bytes out")
    for one in said:
        if one.quantity.typed(one.value) != one.value or not (isinstance(one.value, bool | str) or isfinite(one.value)):
            raise Broken(f"{codec.model} {frame}: says {one}")
    if len(codec.keepable(frame)) != len(frame.data):
        raise Broken(f"{codec.model} {frame}: what may be kept has another length")


def _downlink(codec: Codec, frame: Frame) -> None:
    try:
        order = codec.decode_downlink(frame)
    except DecodeError:
        return
    try:
        written = codec.encode_downlink(order)
    except Refused:
        return  # a frame may say what we do not order
    if codec.decode_downlink(written) != order:
        raise Broken(f"{codec.model} {frame}: {order} is written as {written}")


def _reading(codec: Codec, frame: Frame):  # noqa: ANN202
    try:
        return codec.decode_uplink(frame)
    except DecodeError as error:
        return f"{error.reason}: {error}"
    except CityError as error:
        raise Broken(f"{codec.model} {frame}: raises {error.reason}") from error


def _ports(codec: Codec) -> tuple[int, ...]:
    return tuple(sorted({*codec.uplink_ports, *codec.downlink_ports, 0, 224}))


if __name__ == "__main__":
    main(sys.argv[1:])
