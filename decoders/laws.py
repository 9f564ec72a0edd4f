"""What every codec must keep, whatever its vectors say. Tests run these with more bytes than `check` does."""

from collections.abc import Sequence, Set
from random import Random

from city.errors import DecodeError, UnknownPort
from city.quantities import DEVICE_DEBUG, DEVICE_ECHO, Measurement
from decoders.codec import Codec, Frame
from decoders.vectors import Finding, Uplink, Vectors, reads_of

_OPAQUE = (DEVICE_DEBUG, DEVICE_ECHO)
LONGEST = 51  # bytes that the slowest data rate carries


def all_laws(codec: Codec, vectors: Vectors, *, seed: int = 1, frames: int = 2000) -> list[Finding]:
    """What does not hold of: the vectors' frames and all their beginnings, `frames` of random bytes, unknown ports."""
    findings = [*beginnings(codec, vectors), *round_trips(codec, vectors)]
    random = Random(seed)
    ports = sorted({*codec.uplink_ports, *codec.downlink_ports})
    tried = [Frame(random.choice(ports), random.randbytes(random.randint(0, LONGEST))) for _ in range(frames)]
    findings += [found for frame in tried if (found := only_decode_errors(codec, frame))]
    return findings + [found for port in range(256) if (found := unknown_port(codec, port))]


def only_decode_errors(codec: Codec, frame: Frame) -> Finding | None:
    """Any bytes on any port are read, or raise DecodeError and nothing else, either way."""
    about = f"{frame.port}:{frame.data.hex()}"
    for decode in (codec.decode_uplink, codec.decode_downlink):
        try:
            decode(frame)
        except DecodeError:
            continue
        except Exception as error:  # whatever it is, it breaks the law
            return Finding(about, f"raises {type(error).__name__}: {error}")
    return None


def beginnings(codec: Codec, vectors: Vectors) -> list[Finding]:
    """A frame that was cut short raises DecodeError, unless the cut frame is a vector itself, or the vector says that it
    may end there, or all it says is bytes kept as they are."""
    known = {(vector.frame.port, vector.frame.data) for vector in vectors.uplinks if vector.reads is not None}
    findings = [_cut(codec, vector, length, known) for vector in vectors.uplinks for length in range(len(vector.frame.data))]
    downlinks = [vector.frame for vector in vectors.downlinks if vector.frame is not None]
    cut = [Frame(frame.port, frame.data[:length]) for frame in downlinks for length in range(len(frame.data))]
    return [found for found in (*findings, *(only_decode_errors(codec, frame) for frame in cut)) if found]


def _cut(codec: Codec, vector: Uplink, length: int, known: Set[tuple[int, bytes]]) -> Finding | None:
    frame = Frame(vector.frame.port, vector.frame.data[:length])
    about = f"{vector.says}, cut to {length} bytes"
    try:
        said = codec.decode_uplink(frame)
    except DecodeError:
        return Finding(about, "fails, though may_end allows it") if length in vector.may_end else None
    except Exception as error:  # whatever it is, it breaks the law
        return Finding(about, f"raises {type(error).__name__}: {error}")
    if length in vector.may_end or (frame.port, frame.data) in known or is_opaque(said):
        return None
    return Finding(about, f"reads {reads_of(said)}, but is no vector, and may_end does not list it")


def is_opaque(said: Sequence[Measurement]) -> bool:
    """Bytes that are kept as they are have no end of their own."""
    return bool(said) and all(one.quantity in _OPAQUE for one in said)


def round_trips(codec: Codec, vectors: Vectors) -> list[Finding]:
    """What a canonical uplink says can be said again by the simulated device, and means the same."""
    canonical = [vector for vector in vectors.uplinks if vector.reads is not None and vector.canonical]
    return [Finding(vector.says, problem) for vector in canonical if (problem := _again(codec, vector.frame))]


def unknown_port(codec: Codec, port: int) -> Finding | None:
    """A port that the codec does not announce is UnknownPort, either way."""
    for decode, ports in ((codec.decode_uplink, codec.uplink_ports), (codec.decode_downlink, codec.downlink_ports)):
        if port in ports:
            continue
        try:
            decode(Frame(port, bytes(8)))
        except UnknownPort:
            continue
        except Exception as error:  # whatever it is, it breaks the law
            return Finding(f"FPort {port}", f"raises {type(error).__name__}, not UnknownPort")
        return Finding(f"FPort {port}", "is read though the codec does not announce it")
    return None


def _again(codec: Codec, frame: Frame) -> str:
    try:
        said = codec.decode_uplink(frame)
        written = codec.encode_uplink(frame.port, said)
        first, second = reads_of(said), reads_of(codec.decode_uplink(written))
    except Exception as error:  # a codec under construction raises anything; it is a finding, not a crash
        return f"cannot be written again: {type(error).__name__}: {error}"
    return "" if first == second else f"is written as {written.data.hex()}, which reads {second} and not {first}"
