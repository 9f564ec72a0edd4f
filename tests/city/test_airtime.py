"""Time on air as the reference computed it, and estimates that follow from it."""

import pytest

from city.airtime import CHANNELS, DATA_RATES, FSK, RX2_HZ, band_of, estimate, phy_time_on_air, time_on_air


@pytest.mark.parametrize(("payload", "sf", "ms"), [(3, 7, 46.3), (3, 9, 164.9), (3, 10, 288.8), (4, 12, 1155.1), (10, 9, 185.3)])
def test_downlinks_of_the_reference(payload, sf, ms):
    assert time_on_air(payload, sf) * 1000 == pytest.approx(ms, abs=0.1)


@pytest.mark.parametrize(("payload", "sf", "ms"), [(0, 7, 46.3), (10, 7, 61.7), (51, 12, 2793.5), (10, 12, 1482.8)])
def test_uplinks_of_the_reference(payload, sf, ms):
    assert time_on_air(payload, sf, crc=True) * 1000 == pytest.approx(ms, abs=0.1)


def test_a_thousand_lamps_one_by_one_take_minutes_and_twelve_hours_worth_waits_for_the_budget():
    assert estimate(1000, 4, 9).last_s == pytest.approx(165, abs=3)
    assert estimate(1000, 4, 12).last_s > 3 * 3600
    assert estimate(1000, 4, 9, gateways=4).last_s < estimate(1000, 4, 9).last_s / 3


def test_nothing_to_do_takes_no_time():
    assert estimate(0, 4, 9).last_s == 0


TABLE = {  # chirpstack.md §5.4: ms of uplinks of 13, 23, 33 and 64 bytes, and of downlinks of 16 and 17
    7: (46.3, 61.7, 71.9, 118.0, 46.3, 46.3), 8: (82.4, 113.2, 133.6, 215.6, 82.4, 92.7),
    9: (164.9, 205.8, 246.8, 390.1, 164.9, 164.9), 10: (288.8, 370.7, 452.6, 698.4, 288.8, 329.7),
    11: (577.5, 823.3, 987.1, 1560.6, 659.5, 659.5), 12: (1155.1, 1482.8, 1810.4, 2793.5, 1155.1, 1155.1)}


@pytest.mark.parametrize("sf", TABLE)
def test_frames_last_as_long_as_the_reference_says(sf):
    up = [phy_time_on_air(length, sf, crc=True) for length in (13, 23, 33, 64)]
    down = [phy_time_on_air(length, sf, crc=False) for length in (16, 17)]
    assert [1000 * seconds for seconds in up + down] == pytest.approx(TABLE[sf], abs=0.1)


def test_other_modulations_last_as_long_as_their_formulas_say():
    assert phy_time_on_air(13, 7, bandwidth=250_000, crc=True) == phy_time_on_air(13, 7, crc=True) / 2
    assert phy_time_on_air(13, FSK, crc=True) == pytest.approx(0.00384)  # 24 bytes at 50 kbit/s
    beacon = phy_time_on_air(17, 9, crc=False, preamble=10, header=False)
    assert beacon == pytest.approx(0.152576)  # LoRaWAN 1.0.4: EU868's beacon, implicit header, ten symbols of preamble
    assert phy_time_on_air(23, 7, crc=True, coding_rate=4) > phy_time_on_air(23, 7, crc=True)
    slow = phy_time_on_air(51, 12, bandwidth=250_000, crc=True)  # symbols of 16.4 ms need the optimization too
    assert slow == phy_time_on_air(51, 12, crc=True) / 2


@pytest.mark.parametrize(("frequency", "power", "letter", "permille"), [
    (863_000_000, 16, "K", 1), (867_100_000, 16, "L", 10), (868_599_999, 16, "M", 10), (868_800_000, 14, "N", 1),
    (869_525_000, 29, "P", 100), (869_850_000, 9, "Q", 1000), (869_850_000, 16, "Q", 10)])
def test_a_frequency_and_a_power_have_their_sub_band(frequency, power, letter, permille):
    band = band_of(frequency, power)
    assert band is not None
    assert (band.letter, band.permille) == (letter, permille)


@pytest.mark.parametrize(("frequency", "power"), [(868_650_000, 14), (870_000_000, 5), (868_100_000, 17), (869_525_000, 30)])
def test_between_the_sub_bands_and_above_their_power_nobody_may_send(frequency, power):
    assert band_of(frequency, power) is None


def test_channels_lie_where_their_bands_allow_them_and_data_rates_grow():
    assert {band_of(channel).letter for channel in CHANNELS} == {"L", "M"}
    assert band_of(RX2_HZ, 29).permille == 100
    assert [rate.dr for rate in DATA_RATES] == list(range(8))
    speeds = [rate.bit_s for rate in DATA_RATES]
    assert speeds == sorted(speeds)
