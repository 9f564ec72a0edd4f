"""What devices must not forget, in a file."""

import stat
from pathlib import Path

import pytest

from city.errors import Invalid
from simulator import keeping
from simulator.lorawan import Session
from simulator.makes import Kept

KEPT = {"70b3d57ed0000001": Kept(5, 3, Session(0x01020304, bytes(16), bytes(range(16))), 70_000, 12), "70b3d57ed0000002": Kept(2)}


def test_what_was_kept_is_there_again_and_only_for_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    assert keeping.load(file) == {}
    keeping.save(file, KEPT)
    keeping.save(file, KEPT)
    assert keeping.load(file) == KEPT
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "[]", "{\"a\": {\"joins\": \"x\"}}", "[" * 10_000,
                                  "{\"a\": {\"dev_addr\": 1, \"nwk_s_key\": \"zz\"}}"])
def test_a_file_that_is_something_else_is_refused_with_a_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "state.json"
    file.write_text(text)
    with pytest.raises(Invalid, match=r"state\.json"):
        keeping.load(file)
