"""End-devices against a small network server that was written from the standard."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from city.airtime import DATA_RATES, RX2_HZ
from city.readings import NS
from decoders.codec import Frame
from simulator.device import ADR_ACK_DELAY, ADR_ACK_LIMIT, MOST_WAITING, EndDevice
from simulator.engine import Engine
from simulator.lorawan import Session
from simulator.makes import Credentials, Kept, Make
from tests.simulator.ether import PerfectEther
from tests.simulator.small_server import SmallServer, down

EUI, KEY = "70b3d57ed0000042", bytes(range(16))
FIVE = (867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000)
GROUP = "00fe0001"


class App:
    """Notes what reaches it."""

    def __init__(self) -> None:
        self.started, self.got, self.groups = 0, [], {}

    def start(self):
        self.started += 1

    def receive(self, frame, *, to_group=False):
        self.got.append((frame.port, frame.data))
        self.to_group = to_group
        if frame.port == 52:
            self.groups = {GROUP: (frame.data[:16].hex(), frame.data[16:].hex())}


class World:
    """One device, its server, and what the server sends next: a function of what it heard, for RX1 (or RX2)."""

    def __init__(self, make: Make, kept: Kept | None = None, *, server: SmallServer | None = None, seed: int = 1) -> None:
        self.engine, self.stats = Engine(1_800_000_000 * NS), Counter()
        self.ether, self.app = PerfectEther(self.engine), App()
        self.server = server or SmallServer(cf_list=FIVE)
        if EUI not in self.server.members:
            self.server.know(EUI, KEY)
        self.device = EndDevice(Credentials(EUI, "00" * 8, KEY), make, kept, ether=self.ether, spot="pole", engine=self.engine,
                                rng=Random(seed), stats=self.stats, battery=lambda: 200)
        self.device.attach(self.app, self.app)
        self.ether.network = self.network
        self.deaf, self.answer, self.rx2, self.delay = False, lambda _: None, False, 1

    def network(self, sent, _spot) -> None:
        if self.deaf:
            return
        said = self.server.take(sent.phy)
        joining = isinstance(said, bytes)
        phy = said if joining else said and self.answer(said)
        if phy:
            delay = 5 if joining else self.delay
            if self.rx2:
                self.ether.emit(phy, RX2_HZ, DATA_RATES[0], sent.ended + (delay + 1) * NS)
            else:
                self.ether.emit(phy, sent.hertz, sent.rate, sent.ended + delay * NS)

    def run(self, seconds: float) -> "World":
        self.engine.run(self.engine.now + int(seconds * NS))
        return self

    def on(self) -> "World":
        self.device.power_on()
        return self.run(30)

    def say(self, *payloads: bytes, port: int = 10, pause: float = 30) -> "World":
        for payload in payloads:
            self.device.say(Frame(port, payload))
            self.run(pause)
        return self

    @property
    def heard(self):
        return self.server.heard


A, C = Make(), Make(class_c=True)


@pytest.mark.parametrize("rx2", [False, True])
@pytest.mark.parametrize("version", ["1.0.3", "1.0.4"])
def test_a_device_joins_and_its_frames_are_understood(version: str, rx2: bool) -> None:
    world = World(Make(version=version))
    world.rx2 = rx2
    world.on().say(b"one", b"two")
    assert world.app.started == 1
    assert [(up.port, up.data, up.f_cnt) for up in world.heard] == [(10, b"one", 0), (10, b"two", 1)]
    assert world.server.refused == []
    assert len(world.device.settings.channels) == 8


def test_a_device_that_nobody_answers_asks_again_ever_more_slowly() -> None:
    world = World(A)
    world.deaf = True
    world.device.power_on()
    world.run(3600)
    begun = [one.begun for one in world.ether.sent]
    air = sum(one.ended - one.begun for one in world.ether.sent)
    assert {one.rate.dr for one in world.ether.sent} >= {5, 4, 3}
    assert len({one.hertz for one in world.ether.sent}) == 3
    assert air <= 0.011 * 3600 * NS
    world.run(5 * 3600)
    later = [one for one in world.ether.sent if one.begun > begun[-1]]
    assert sum(one.ended - one.begun for one in later) <= 0.0015 * 5 * 3600 * NS
    nonces = [one.phy[17:19] for one in world.ether.sent]
    assert len(set(nonces)) == len(nonces)
    world.deaf = False
    world.run(7200)
    assert world.device.joined


def test_a_nonce_is_never_used_again_after_a_restart() -> None:
    world = World(Make(version="1.0.4")).on()
    kept = world.device.kept
    world.say(b"x")
    world.device.rejoin()
    world.run(60)
    assert world.app.started == 2
    second = World(Make(version="1.0.4"), kept, server=world.server).on()
    assert second.device.joined
    assert world.server.refused == []
    assert world.server.members[EUI].nonces == {0, 1, 2}


def test_an_old_join_accept_is_refused_by_1_0_4() -> None:
    world = World(Make(version="1.0.4"), Kept(join_nonce=5)).on()
    assert not world.device.joined
    assert world.stats["join accepts refused"] >= 1


@pytest.mark.parametrize(("remembers", "begins"), [(True, 7), (False, 0)])
def test_a_device_with_given_keys_goes_on_counting_if_it_remembers(remembers: bool, begins: int) -> None:
    member = (server := SmallServer()).know(EUI, KEY)
    member.address, member.nwk, member.app = (0x01020304).to_bytes(4, "little"), KEY, KEY[::-1]
    kept = Kept(session=Session(0x01020304, KEY, KEY[::-1]), f_cnt_up=7)
    world = World(Make(otaa=False, remembers=remembers), kept, server=server).on().say(b"hello")
    assert [(up.f_cnt, up.data) for up in world.heard] == [(begins, b"hello")]


def test_whole_counters_pass_65535() -> None:
    world = World(A).on()
    world.device.kept.f_cnt_up = world.server.members[EUI].up = 65_534
    world.server.members[EUI].up -= 1
    world.say(b"a", b"b", b"c")
    assert [up.f_cnt for up in world.heard] == [65_534, 65_535, 65_536]


def test_a_downlink_in_either_window_reaches_the_application_once() -> None:
    for rx2 in (False, True):
        world = World(A).on()
        world.rx2 = rx2
        world.answer = lambda up, world=world: world.server.down(EUI, port=60, data=b"dim", again=up.f_cnt > 0)
        world.say(b"x", b"y")
        assert world.app.got == [(60, b"dim")]
        assert world.stats["downlinks refused"] == 1, "the same counter again is no news"


def test_a_class_a_device_hears_nothing_outside_its_windows_and_class_c_always() -> None:
    for make, heard in ((A, []), (C, [(60, b"now")])):
        world = World(make).on().say(b"x")
        world.ether.emit(world.server.down(EUI, port=60, data=b"now"), RX2_HZ, DATA_RATES[0], world.engine.now + 60 * NS)
        world.run(120)
        assert world.app.got == heard


def test_another_devices_and_a_forged_downlink_are_refused() -> None:
    world = World(C).on()
    phy = world.server.down(EUI, port=60, data=b"x")
    for bad in (phy[:-1] + bytes([phy[-1] ^ 1]), phy[:1] + bytes([phy[1] ^ 1]) + phy[2:]):
        world.ether.emit(bad, RX2_HZ, DATA_RATES[0], world.engine.now + NS)
        world.run(20)
    assert world.app.got == []


def test_a_confirmed_downlink_is_acknowledged_soon_and_once() -> None:
    world = World(C).on().say(b"x")
    at = world.engine.now + 10 * NS
    world.ether.emit(world.server.down(EUI, port=60, data=b"dim", confirmed=True), RX2_HZ, DATA_RATES[0], at)
    world.run(60)
    answers = [up for up in world.heard if up.ack]
    assert [(up.port, up.data) for up in answers] == [(None, b"")]
    assert next(one.begun for one in world.ether.sent if one.begun > at) - at < 8 * NS


@pytest.mark.parametrize(("version", "times"), [("1.0.3", 8), ("1.0.4", 1)])
def test_a_confirmed_uplink_is_repeated_as_the_version_says(version: str, times: int) -> None:
    world = World(Make(version=version, confirms=True)).on()
    count = len(world.ether.sent)
    world.say(b"hello", pause=600)
    frames = [one.phy for one in world.ether.sent[count:]]
    assert frames == frames[:1] * times
    assert world.stats["unconfirmed"] == 1
    assert world.server.copies == times - 1
    if version == "1.0.3":
        assert world.device.settings.dr < 5, "every second repetition is slower"


def test_an_acknowledgement_ends_the_repetitions() -> None:
    world = World(Make(confirms=True)).on()
    count = len(world.ether.sent)
    world.ether.network = lambda sent, _: (world.server.take(sent.phy) if world.stats["repetitions"] < 2 else world.ether.emit(
        world.server.down(EUI, ack=True), sent.hertz, sent.rate, sent.ended + NS))
    world.say(b"hello", pause=600)
    assert len(world.ether.sent) - count == 3
    assert world.stats["unconfirmed"] == 0


def test_the_network_sets_repetitions_which_end_with_a_downlink() -> None:
    world = World(A).on()
    world.answer = lambda up: world.server.down(EUI, options=bytes.fromhex("0352ff0003")) if up.f_cnt == 0 else None
    world.say(b"a", b"b")
    assert world.server.copies == 4, "the answer and the second frame three times each"
    assert (world.device.settings.dr, world.device.settings.power, world.device.settings.nb_trans) == (5, 2, 3)
    assert world.ether.sent[-1].dbm == 12
    assert [up.options.hex() for up in world.heard] == ["", "0307", ""]


def test_answers_of_commands_are_said_and_sticky_ones_until_a_downlink_comes() -> None:
    world = World(A).on()
    commands = bytes.fromhex("0502d2ad84" + "06")
    world.answer = lambda up: world.server.down(EUI, options=commands) if up.f_cnt == 0 else (
        world.server.down(EUI, port=60, data=b"x") if up.port == 12 else None)
    world.say(b"a")
    world.say(b"b", b"c", port=11)
    world.say(b"d", port=12)
    world.say(b"e")
    said = [up.options.hex() for up in world.heard if up.port]
    assert said[0] == ""
    assert "0507" in "".join(up.options.hex() for up in world.heard[1:2])
    assert all("0507" in up.options.hex() for up in world.heard if up.port in (11, 12))
    assert sum("06c8" in up.options.hex() for up in world.heard) == 1, "the status is said once"
    assert said[-1] == ""


def test_more_answers_than_a_header_holds_are_a_payload_on_port_0() -> None:
    world = World(A).on()
    world.answer = lambda up: world.server.down(EUI, port=0, data=bytes.fromhex("06" * 7)) if up.f_cnt == 0 else None
    world.say(b"a")
    answer = world.heard[1]
    assert (answer.port, answer.options) == (0, b"")
    assert answer.data == bytes.fromhex("06c808" * 7)


def test_the_delay_that_the_network_sets_is_kept() -> None:
    world = World(A, server=SmallServer(rx_delay=5, offset=2, rx2_dr=3))
    world.on()
    assert (world.device.settings.rx1_delay, world.device.settings.rx1_offset, world.device.settings.rx2_dr) == (5, 2, 3)
    world.delay = 5
    world.ether.network = lambda sent, _: (world.server.take(sent.phy), world.ether.emit(
        world.server.down(EUI, port=60, data=b"x"), sent.hertz, DATA_RATES[3], sent.ended + 5 * NS))
    world.say(b"a")
    assert world.app.got == [(60, b"x")]


def test_a_silent_network_makes_a_device_come_nearer_step_by_step() -> None:
    world = World(Make(version="1.0.4")).on()
    world.answer = lambda up: world.server.down(EUI, options=bytes.fromhex("0352ff0001")) if up.f_cnt == 0 else None
    world.say(b"first")
    world.answer = lambda _: None
    before = len(world.heard)
    world.say(*[b"x"] * (ADR_ACK_LIMIT + 8 * ADR_ACK_DELAY), pause=200)
    asked = [up.asks for up in world.heard[before:]]
    assert asked.index(True) in (ADR_ACK_LIMIT - 1, ADR_ACK_LIMIT)
    assert world.device.settings.power == 0
    assert world.device.settings.dr == 0
    rates = [one.rate.dr for one in world.ether.sent]
    assert rates[-1] == 0
    assert sorted(rates[-300:], reverse=True) == rates[-300:]
    world.answer = lambda _: world.server.down(EUI, ack=False)
    world.say(b"y", b"z")
    assert not world.heard[-1].asks


def test_the_share_of_each_band_is_kept() -> None:
    world = World(A).on()
    for _ in range(400):
        world.device.say(Frame(10, bytes(50)))
        world.run(1)
    end = world.engine.now
    for low, high in ((868_000_000, 868_600_000), (865_000_000, 868_000_000)):
        air = sum(one.ended - one.begun for one in world.ether.sent if low <= one.hertz < high and one.ended <= end)
        assert 0 < air <= 0.0105 * (end - world.ether.sent[0].begun) + NS // 5
    assert world.stats["given up"] > 0
    waiting = world.device._queue
    assert waiting is not None
    assert len(waiting) <= MOST_WAITING


def test_the_network_may_close_the_air_further() -> None:
    world = World(A).on()
    world.answer = lambda up: world.server.down(EUI, options=bytes.fromhex("040c")) if up.f_cnt == 0 else None
    world.say(b"a", pause=3600)
    count = len(world.ether.sent)
    for _ in range(20):
        world.say(bytes(50), pause=180)
    air = sum(one.ended - one.begun for one in world.ether.sent[count:-1])
    assert air <= 3600 * NS / 2**12 * 1.1


def test_what_is_too_long_for_the_data_rate_is_counted_and_the_next_goes_out() -> None:
    world = World(A).on()
    world.device.settings = replace(world.device.settings, dr=0)
    world.say(bytes(52), b"short", pause=300)
    assert [up.data for up in world.heard] == [b"short"]
    assert world.stats["too long"] == 1


def test_a_group_is_heard_with_its_own_keys_and_counter_and_never_answered() -> None:
    world = World(C).on().say(b"x")
    nwk, app, address = bytes(16), bytes(range(1, 17)), bytes.fromhex(GROUP)[::-1]
    early = down(nwk, app, address, 1, port=60, data=b"early")
    world.ether.emit(early, RX2_HZ, DATA_RATES[0], world.engine.now + NS)
    world.run(10)
    world.ether.emit(world.server.down(EUI, port=52, data=nwk + app), RX2_HZ, DATA_RATES[0], world.engine.now + NS)
    world.run(30)
    count = len(world.ether.sent)
    for counter, data in ((7, b"dim"), (7, b"dim"), (6, b"old"), (9, b"off")):
        world.ether.emit(down(nwk, app, address, counter, port=60, data=data), RX2_HZ, DATA_RATES[0], world.engine.now + NS)
        world.run(10)
    world.ether.emit(down(nwk, app, address, 10, port=60, data=b"no", confirmed=True), RX2_HZ, DATA_RATES[0],
                     world.engine.now + NS)
    world.run(10)
    assert world.app.got[1:] == [(60, b"dim"), (60, b"off")]
    assert world.app.to_group
    assert (world.stats["multicast"], world.stats["multicast refused"]) == (2, 3)
    assert len(world.ether.sent) == count


def test_pending_data_is_fetched_without_waiting_for_the_next_report() -> None:
    world = World(A).on()
    world.answer = lambda up: world.server.down(EUI, port=60, data=bytes([up.f_cnt]), pending=up.f_cnt < 2)
    world.say(b"a", pause=120)
    assert world.app.got == [(60, b"\0"), (60, b"\1"), (60, b"\2")]


def test_without_power_nothing_is_said_or_heard() -> None:
    world = World(C).on()
    world.device.say(Frame(10, b"lost"))
    world.device.power_off()
    world.run(60)
    world.ether.emit(world.server.down(EUI, port=60, data=b"x"), RX2_HZ, DATA_RATES[0], world.engine.now + NS)
    world.run(60)
    world.device.say(Frame(10, b"lost too"))
    assert world.app.got == []
    world.device.power_on()
    world.run(60)
    assert world.app.started == 2


def test_the_time_is_asked_for_after_joining() -> None:
    world = World(Make(asks_time=True))
    world.answer = lambda up: world.server.down(EUI, options=bytes.fromhex("0d00ca9a3b80")) if b"\x0d" in up.options else None
    world.on().say(b"x")
    assert [told.gps_s for told in world.device.told] == [1_000_000_000.5]


def test_the_same_seed_gives_the_same_frames() -> None:
    one, other, third = (World(A, seed=seed).on().say(b"a", b"b").ether.sent for seed in (1, 1, 2))
    assert [(x.phy, x.hertz, x.begun) for x in one] == [(x.phy, x.hertz, x.begun) for x in other]
    assert [(x.hertz, x.begun) for x in one] != [(x.hertz, x.begun) for x in third]
