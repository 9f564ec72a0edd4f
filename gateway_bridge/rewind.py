"""Asking the running bridge to send again what InfluxDB should have already: a file beside the local log.

Only the bridge moves its cursor. Whoever wants it further back leaves a request there; the bridge takes it before its next
batch, or when it starts.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from city.errors import StoreDown

FILE, BAYS_FILE = "ship-again.json", "ship-bays-again.json"  # of all but single bays, and of these
MAX_BYTES = 4096

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rewind:
    """To `position` of the log, for one cursor."""

    cursor: str
    position: int


class Rewinds:
    """The request in a directory, if there is one; each shipper has a file of its own. Methods raise StoreDown where the
    directory cannot be used."""

    def __init__(self, directory: Path, file: str = FILE) -> None:
        self._path = directory / file

    def ask(self, rewind: Rewind) -> None:
        """Leave it; it replaces an older one."""
        draft = self._path.with_suffix(".new")
        try:
            draft.write_text(json.dumps({"cursor": rewind.cursor, "position": rewind.position}), encoding="utf-8")
            draft.replace(self._path)
        except OSError as error:
            raise _unusable(error) from error

    def asked(self) -> Rewind | None:
        """What is asked for; None where nothing is, or nothing that can be read: then it is said, and removed."""
        try:
            with self._path.open("rb") as file:
                text = file.read(MAX_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(error) from error
        found = _read(text)
        if found is None:
            _log.warning("%s is no request to ship again; it is removed.", self._path)
            self.done()
        return found

    def done(self) -> None:
        """It has been done."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise _unusable(error) from error



def _read(text: bytes) -> Rewind | None:
    try:
        said = json.loads(text)
        found = Rewind(said["cursor"], said["position"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    is_one = isinstance(found.cursor, str) and type(found.position) is int and 0 <= found.position < 2**63
    return found if is_one else None


def _unusable(error: OSError) -> StoreDown:
    return StoreDown("The local log cannot be used: {what}", what=str(error))
