"""CBOR: one configuration, one encoding; anything else is a DecodeError."""

from contextlib import suppress

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from city.errors import DecodeError, OutOfRange, UnknownVersion
from city.orders import AlarmLimits, Position
from firmware_config.cbor import MAX_BYTES, decode, encode
from firmware_config.profile import DeviceConfig
from tests.examples import examples
from tests.firmware_config.strategies import configs, programs


def test_the_bytes_are_as_rfc_8949_says():
    config = DeviceConfig(600, None, 30, AlarmLimits(max_power=120, min_power_factor=0.85), Position(50.1, -8.5))
    assert encode(config).hex() == (
        "a5" "00" "01"                     # map of 5; version 1
        "01" "190258"                      # status interval 600
        "03" "181e"                        # fallback 30
        "04" "85" "f6" "1878" "f6" "f6" "1855"
        "05" "82" "1a1ddca740" "3a0510ff3f")


def test_the_largest_fits_the_smallest_frame():
    largest = DeviceConfig(86_400, 86_400, 100, AlarmLimits(1999, 2000, 499, 500, 1.0), Position(-90, -180))
    assert len(encode(largest)) == 46 < MAX_BYTES[1]


@given(programs)
@settings(deadline=None, max_examples=examples(50), suppress_health_check=[HealthCheck.too_slow])
def test_decoding_undoes_encoding_with_a_program_too(config):
    assert decode(encode(config)) == config
    assert encode(config)[1:3] == bytes([0, 2 if config.programs else 1])


@given(programs.map(encode), st.data())
@settings(deadline=None, max_examples=examples(50), suppress_health_check=[HealthCheck.too_slow])
def test_a_program_with_one_flipped_bit_is_another_one_or_refused(data, draw):
    bit = draw.draw(st.integers(0, len(data) * 8 - 1))
    other = bytearray(data)
    other[bit // 8] ^= 1 << bit % 8
    with suppress(DecodeError):
        assert encode(decode(bytes(other))) == other


@given(configs)
def test_decoding_undoes_encoding(config):
    assert decode(encode(config)) == config


@given(st.binary(max_size=60))
def test_any_bytes_raise_only_decode_errors(data):
    with suppress(DecodeError):
        assert encode(decode(data)) == data


@given(configs.map(encode), st.data())
def test_one_flipped_bit_is_another_configuration_or_refused(data, draw):
    bit = draw.draw(st.integers(0, len(data) * 8 - 1))
    other = bytearray(data)
    other[bit // 8] ^= 1 << bit % 8
    with suppress(DecodeError):
        assert encode(decode(bytes(other))) == other


@pytest.mark.parametrize(("data", "error"), [
    (bytes.fromhex("a1001801"), DecodeError),  # 1 in two bytes
    (bytes.fromhex("bf0001ff"), DecodeError),  # indefinite map
    (bytes.fromhex("a2031e0001"), DecodeError),  # keys in another order
    (bytes.fromhex("a20001000100"), DecodeError),  # the same key twice
    (bytes.fromhex("a1000100"), DecodeError),  # something behind it
    (cbor2.dumps({0: 1, 9: 4}), DecodeError),
    (cbor2.dumps({0: 1, "a": 4}), DecodeError),
    (cbor2.dumps({0: 1, 5: [1]}), DecodeError),
    (cbor2.dumps({0: 1, 5: [None, 1]}), DecodeError),
    (cbor2.dumps({0: 1, 4: [[1], 1, 1, 1, 1]}), DecodeError),
    (cbor2.dumps({0: 1, 1: 600.0}), DecodeError),
    (cbor2.dumps({0: True}), DecodeError),
    (cbor2.dumps({0: 2}), DecodeError),  # a version with a program that has none
    (cbor2.dumps({0: 1, 8: [1, 1]}), DecodeError),
    (cbor2.dumps({0: 2, 8: [13, 1]}), OutOfRange),
    (cbor2.dumps({0: 2, 9: [[1]]}), OutOfRange),
    (cbor2.dumps({0: 3}), UnknownVersion),
    (cbor2.dumps({}), UnknownVersion),
    (cbor2.dumps({0: 1, 1: 59}), OutOfRange),
    (cbor2.dumps({0: 1, 3: 101}), OutOfRange),
    (b"", DecodeError),
    (bytes(52), DecodeError),
])
def test_what_is_not_the_one_encoding_is_refused(data, error):
    with pytest.raises(error) as caught:
        decode(data)
    assert str(caught.value)
