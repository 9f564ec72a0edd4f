"""What simulated devices must not forget between two runs, in a file: a real server refuses a DevNonce that it has seen.

It holds the session keys of devices that do not exist, readable by its owner only all the same.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from city.errors import Invalid
from simulator.lorawan import Session
from simulator.makes import Kept

MOST_BYTES = 100_000_000  # 300,000 devices


class _Line(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    joins: int = 0
    join_nonce: int = -1
    dev_addr: int = -1
    nwk_s_key: str = ""
    app_s_key: str = ""
    f_cnt_up: int = 0
    f_cnt_down: int = -1


def load(path: Path) -> dict[str, Kept]:
    """By DevEUI; nothing where there is no such file yet. Raises Invalid."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("too large")
        lines = msgspec.json.decode(path.read_bytes(), type=dict[str, _Line])
        return {eui: _kept(line) for eui, line in lines.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, msgspec.DecodeError, RecursionError) as error:
        raise Invalid("{file} does not hold what devices remember: {what}", field="state", rule="state file", file=path.name,
                      what=str(error)) from error


def save(path: Path, kept: Mapping[str, Kept]) -> None:
    """Whole or not at all. Raises OSError."""
    new = path.with_name(path.name + ".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode({eui: _line(one) for eui, one in sorted(kept.items())}), indent=1))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _line(one: Kept) -> _Line:
    session = one.session
    if session is None:
        return _Line(one.joins, one.join_nonce)
    return _Line(one.joins, one.join_nonce, session.dev_addr, session.nwk_s_key.hex(), session.app_s_key.hex(), one.f_cnt_up,
                 one.f_cnt_down)


def _kept(line: _Line) -> Kept:
    if line.dev_addr < 0:
        return Kept(line.joins, line.join_nonce)
    session = Session(line.dev_addr, bytes.fromhex(line.nwk_s_key), bytes.fromhex(line.app_s_key))
    return Kept(line.joins, line.join_nonce, session, line.f_cnt_up, line.f_cnt_down)
