"""MAC commands: what a device does and answers, for each request that ChirpStack sends."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.mac import Checked, Gauge, Settings, Told, obey, split
from simulator.region import JOIN, Channel

GAUGE = Gauge(battery=200, snr_db=7.4)
EIGHT = Settings(channels=(*JOIN, *(Channel(hertz, hertz) for hertz in range(867_100_000, 868_000_000, 200_000))), mask=0xFF)


def said(commands: str, settings: Settings = EIGHT, **how):
    return obey(settings, bytes.fromhex(commands), GAUGE, **how)


def test_data_rate_power_and_repetitions_are_taken_together() -> None:
    now = said("03 52 ff00 02")
    assert (now.settings.dr, now.settings.power, now.settings.nb_trans, now.settings.mask) == (5, 2, 2, 0xFF)
    assert now.answers.hex() == "0307"


@pytest.mark.parametrize(("commands", "status"), [
    ("03 52 000f 01", 6),  # channels that are not there
    ("03 52 0000 01", 6),  # none at all
    ("03 72 ff00 01", 5),  # FSK: no channel has it
    ("03 59 ff00 01", 3),  # power 9 does not exist
    ("03 52 ff00 51", 6),  # ChMaskCntl 5 is not used here
])
def test_a_request_that_cannot_be_obeyed_changes_nothing(commands: str, status: int) -> None:
    now = said(commands)
    assert now.answers.hex() == f"03{status:02x}"
    assert now.settings == EIGHT


def test_requests_in_a_row_are_one_and_all_answered_alike() -> None:
    good = said("03 50 0700 01  03 32 3f00 02")
    assert good.answers.hex() == "03070307"
    assert (good.settings.mask, good.settings.dr, good.settings.power, good.settings.nb_trans) == (0x3F, 3, 2, 2)
    bad = said("03 50 00ff 01  03 32 3f00 02")
    assert bad.answers.hex() == "03060306"
    assert bad.settings == EIGHT


def test_all_channels_come_back_by_control_six() -> None:
    assert said("03 50 0000 61", replace(EIGHT, mask=1)).settings.mask == 0xFF


def test_what_fifteen_and_zero_mean_depends_on_the_version() -> None:
    before = replace(EIGHT, dr=3, power=4, nb_trans=3)
    newer = said("03 ff ff00 00", before)
    assert (newer.answers.hex(), newer.settings) == ("0307", before)
    older = said("03 ff ff00 00", before, version="1.0.3")
    assert (older.answers.hex(), older.settings) == ("0301", before)
    assert said("03 34 ff00 00", before, version="1.0.3").settings.nb_trans == 1


def test_a_device_that_chooses_itself_takes_the_mask_only() -> None:
    now = said("03 52 0f00 02", adr=False)
    assert (now.answers.hex(), now.settings) == ("0301", replace(EIGHT, mask=0x0F))


def test_status_tells_battery_and_margin() -> None:
    assert said("06").answers.hex() == "06c807"
    assert obey(EIGHT, b"\x06", Gauge(0, -12.6)).answers.hex() == f"0600{-13 & 0x3F:02x}"
    assert obey(EIGHT, b"\x06", Gauge(255, -99)).answers.hex() == "06ff20"


def test_receive_windows_are_set_and_said_until_a_downlink_comes() -> None:
    now = said("05 23 d2ad84")
    assert (now.settings.rx1_offset, now.settings.rx2_dr, now.settings.rx2_hz) == (2, 3, 869_525_000)
    assert (now.sticky.hex(), now.answers) == ("0507", b"")
    wrong = said("05 7f 000000")
    assert (wrong.sticky.hex(), wrong.settings) == ("0500", EIGHT)
    timing = said("08 00")
    assert (timing.settings.rx1_delay, timing.sticky.hex()) == (1, "08")
    assert said("08 05").settings.rx1_delay == 5


def test_a_channel_is_added_changed_and_taken_away() -> None:
    added = said("07 03 184f84 50", Settings())
    assert added.answers.hex() == "0703"
    assert added.settings.channels[3] == Channel(867_100_000, 867_100_000, 0, 5)
    assert added.settings.mask == 0b1111
    gone = said("07 03 000000 00", added.settings)
    assert (len(gone.settings.channels), gone.settings.mask) == (3, 0b111)


def test_a_device_whose_only_channel_is_taken_away_has_those_for_joining_again() -> None:
    now = said("03 52 0800 01  07 03 000000 00")
    assert now.answers.hex() == "03070703"
    assert now.settings.mask == 0b111


@pytest.mark.parametrize(("commands", "status"), [
    ("07 00 184f84 50", 0),  # one for joining
    ("07 10 184f84 50", 0),  # number 16
    ("07 03 010000 50", 2),  # 100 Hz
    ("07 03 184f84 05", 1),  # the lowest data rate above the highest
    ("07 03 184f84 f0", 1),  # data rate 15
])
def test_a_channel_that_cannot_be_is_refused(commands: str, status: int) -> None:
    now = said(commands, Settings())
    assert (now.answers.hex(), now.settings) == (f"07{status:02x}", Settings())


def test_another_frequency_for_the_answer_needs_a_channel() -> None:
    now = said("0a 01 d2ad84")
    assert now.settings.channels[1] == Channel(868_300_000, 869_525_000)
    assert now.sticky.hex() == "0a03"
    assert said("0a 09 d2ad84").sticky.hex() == "0a01"


def test_the_share_of_the_air_is_limited() -> None:
    now = said("04 07")
    assert (now.settings.max_duty, now.answers.hex()) == (7, "04")


def test_what_the_network_tells_is_handed_on() -> None:
    now = said("02 14 03  0d 00ca9a3b 80")
    assert now.told == (Checked(20, 3), Told(1_000_000_000.5))
    assert now.answers == b""


def test_what_means_nothing_here_is_passed_over_and_the_unknown_ends_it() -> None:
    assert said("09 2d 06").answers.hex() == "06c807"
    assert said("06 20 00 06").answers.hex() == "06c807"
    assert said("06 03 52").answers.hex() == "06c807"


@given(st.binary(max_size=242))
def test_no_commands_break_a_device(commands: bytes) -> None:
    for version in ("1.0.3", "1.0.4"):
        now = obey(EIGHT, commands, GAUGE, version=version)
        assert now.settings.open(now.settings.dr), "there is always a channel for its data rate"
        assert len(now.answers) + len(now.sticky) <= 3 * len(list(split(commands)))
