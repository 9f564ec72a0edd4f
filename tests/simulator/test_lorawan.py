"""Frames against published vectors (ChirpStack's own tests, LoRaWAN 1.0.x) and against themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import lorawan
from simulator.lorawan import Data, JoinAccept, JoinRequest, MType, Session

KEY = bytes(range(1, 17))
SESSION = Session(0x01020304, KEY, KEY[::-1])


def test_a_join_request_is_the_published_one() -> None:
    phy = lorawan.write_join_request(JoinRequest("01" * 8, "02" * 8, 771), KEY)
    assert phy.hex() == "00" + "01" * 8 + "02" * 8 + "0303" + "09b97b32"
    assert lorawan.read_join_request(phy) == JoinRequest("01" * 8, "02" * 8, 771)
    assert lorawan.is_whole(phy, KEY)
    assert not lorawan.is_whole(phy, KEY[::-1])


def test_the_published_join_accept_is_read_and_written() -> None:
    phy = bytes.fromhex("2023cf335489aae3183c0be0baa8dee5f3")
    said = lorawan.read_join_accept(phy, KEY)
    assert said is not None
    assert (said.join_nonce, said.net_id, said.dev_addr) == (65793, 0x020202, 0x01020304)
    assert lorawan.read_join_accept(phy, KEY[::-1]) is None
    plain = lorawan.aes(KEY, phy[1:])
    assert plain[-4:].hex() == "3449f212"
    raw = JoinAccept(65793, 0x020202, 0x01020304, plain[10] >> 4 & 7, plain[10] & 15, plain[11] & 15)
    assert lorawan.write_join_accept(raw, KEY) == phy


def test_the_published_confirmed_uplink_is_written_and_read() -> None:
    frame = Data(True, 0x01020304, 0, 10, bytes([1, 2, 3, 4]), bytes([6, 115, 7]), confirmed=True)
    phy = lorawan.write(frame, SESSION)
    assert phy.hex() == "80040302010300000673070ae264d4f7e117d2c0"
    assert lorawan.read(phy, SESSION, 0) == frame
    assert lorawan.mtype(phy) is MType.CONFIRMED_UP


def test_the_published_session_keys_are_derived() -> None:
    session = lorawan.session_of(bytes([1, 2, 3, 4, 5, 6, 7, 8] * 2), JoinAccept(65536, 0x010203, 0), 258)
    assert session.nwk_s_key.hex() == "df53c35f3034ccced0ff354c70de04df"
    assert session.app_s_key.hex() == "927b9c911183cffe4cb2ff4b75545f6d"


def test_keys_are_never_shown() -> None:
    assert KEY.hex() not in repr(SESSION)
    assert "\\x" not in repr(SESSION)


@given(st.booleans(), st.booleans(), st.integers(0, 2**32 - 1), st.one_of(st.none(), st.integers(1, 255)),
       st.binary(max_size=222), st.binary(max_size=15), st.booleans())
def test_whatever_is_written_is_read_as_it_was(up, confirmed, f_cnt, f_port, payload, options, flag) -> None:
    frame = Data(up, SESSION.dev_addr, f_cnt, f_port, payload if f_port else b"", options, confirmed, adr=flag,
                 asks=flag and up, ack=flag, pending=flag and not up)
    phy = lorawan.write(frame, SESSION)
    assert lorawan.read(phy, SESSION, f_cnt) == frame
    assert lorawan.read(phy, SESSION, f_cnt ^ 0x10000) is None


@given(st.binary(max_size=260))
def test_whatever_is_on_the_air_is_read_or_nothing(phy: bytes) -> None:
    assert lorawan.read(phy, SESSION, 0) is None
    assert lorawan.read_join_accept(phy, KEY) is None
    lorawan.read_join_request(phy)
    lorawan.header(phy)


def test_a_broken_bit_is_noticed() -> None:
    phy = lorawan.write(Data(True, SESSION.dev_addr, 7, 1, b"hello"), SESSION)
    for bit in range(8 * len(phy)):
        broken = bytearray(phy)
        broken[bit // 8] ^= 1 << bit % 8
        assert lorawan.read(bytes(broken), SESSION, 7) is None


def test_commands_in_both_places_are_refused() -> None:
    with pytest.raises(ValueError, match="not in both"):
        lorawan.write(Data(True, 1, 0, 0, b"\x02", b"\x02"), SESSION)


@pytest.mark.parametrize(("last", "on_air", "whole"), [
    (-1, 0, 0), (-1, 7, 7), (0, 1, 1), (65_535, 0, 65_536), (65_534, 65_535, 65_535), (70_000, 4463, 69_999 + 65_536),
])
def test_the_whole_counter_rises_by_as_little_as_it_can(last: int, on_air: int, whole: int) -> None:
    assert lorawan.whole_counter(last, on_air) == whole


def test_frequencies_come_with_the_accept() -> None:
    accept = JoinAccept(1, 2, 3, 1, 3, 5, (867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000))
    phy = lorawan.write_join_accept(accept, KEY)
    assert len(phy) == 33
    assert lorawan.read_join_accept(phy, KEY) == accept
