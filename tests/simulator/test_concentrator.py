"""A gateway's transmitter: what it accepts, what it says otherwise, and that its clock and its budget are exact."""

import pytest

from city.airtime import phy_time_on_air
from city.errors import Invalid
from simulator.concentrator import (
    ADVANCE_US,
    CAPACITY,
    GPS_EPOCH_NS,
    LEAP_NS,
    MOST_DRIFT_PPM,
    PACKET_FORWARDER,
    WRAP,
    Concentrator,
    Item,
)
from simulator.duty import WINDOW_US, Ledger
from simulator.flights import Wave
from tests.simulator.radio_scene import START_NS, Listener, Scene, data_down, down, up

ME = 0x0100_0001
FRAME = data_down(ME)
TOUCHING_US = 1_500 + 40_000 + 1_000  # the least between the end of one frame and the beginning of the next
NS = 1_000_000_000


class Gateway(Scene):
    """One gateway with its transmitter, and an ear that notes when frames arrive."""

    def __init__(self, **options):
        super().__init__(0.0)
        self.sender = Concentrator(self.engine, self.medium, 0, **options)
        self.ear, self.arrived = Listener(), []
        self.ear.hears = lambda *_facts: self.arrived.append(self.engine.now)
        for hz, sf in ((869_525_000, 9), (869_525_000, 12), (868_100_000, 7)):
            self.medium.listen(self.spot(50.0), self.ear, hz, sf, 125_000, None)

    def later(self, us: int) -> int:
        """What the counter will show."""
        return (self.sender.counter(self.engine.now) + us) % WRAP

    def offer(self, us: int | None = None, wave: Wave | None = None, phy: bytes = FRAME) -> str:
        return self.sender.offer([Item(phy, wave or down(), None if us is None else self.later(us))])[0]


def test_a_frame_goes_on_air_when_the_counter_says_so():
    gateway = Gateway()
    assert gateway.offer(1_000_000) == "OK"
    gateway.run()
    begun = gateway.arrived[0] - int(NS * phy_time_on_air(len(FRAME), 9, crc=False))
    assert begun - START_NS == pytest.approx(NS, abs=MOST_DRIFT_PPM * 1000 + 1000)
    assert gateway.sender.totals.tx_emitted == 1


def test_alternatives_are_tried_in_order_and_those_after_the_chosen_one_are_ignored():
    gateway = Gateway()
    first, second, third = (Item(FRAME, down(), gateway.later(us)) for us in (10, 2_000_000, 3_000_000))
    assert gateway.sender.offer([first, second, third]) == ["TOO_LATE", "OK", "IGNORED"]
    assert gateway.sender.offer([first]) == ["TOO_LATE"]
    assert gateway.sender.totals.tx_status == {"OK": 1, "TOO_LATE": 1}
    assert gateway.sender.totals.tx_received == 2
    for number in (0, 17):
        with pytest.raises(Invalid, match=f"not {number}"):
            gateway.sender.offer([first] * number)


def test_what_comes_too_late_or_too_early_is_refused_to_the_microsecond():
    least = 1_500 + 1_000 + 40_000
    assert [Gateway().offer(us) for us in (least - 1, least)] == ["TOO_LATE", "OK"]
    assert [Gateway().offer(us) for us in (ADVANCE_US, ADVANCE_US + 1)] == ["OK", "TOO_EARLY"]
    assert Gateway().offer(-1) == "TOO_EARLY", "the counter will show it again in 71 minutes, as real ones think"


def test_frames_that_touch_collide_in_the_queue_and_on_the_air():
    lasts = round(1e6 * phy_time_on_air(len(FRAME), 9, crc=False))
    gateway = Gateway()
    assert gateway.offer(1_000_000) == "OK"
    for us in (1_000_000, 1_000_000 + lasts + TOUCHING_US, 1_000_000 - lasts - TOUCHING_US):
        assert gateway.offer(us) == "COLLISION_PACKET"
    assert gateway.offer(1_000_000 + lasts + TOUCHING_US + 1) == "OK"
    assert gateway.offer(1_000_000 - lasts - TOUCHING_US - 1) == "OK"
    gateway.run(1.2)
    assert gateway.offer(50_000) == "COLLISION_PACKET", "the last one has left the queue and is on the air"
    assert len(gateway.run().arrived) == 3


def test_frames_without_a_time_follow_one_another():
    gateway = Gateway()
    assert [gateway.offer() for _ in range(3)] == ["OK"] * 3
    gateway.run()
    lasts = NS * phy_time_on_air(len(FRAME), 9, crc=False)
    assert gateway.arrived[0] - START_NS == pytest.approx(80e6 + lasts, abs=2000)
    gaps = [b - a for a, b in zip(gateway.arrived, gateway.arrived[1:], strict=False)]
    assert gaps == pytest.approx([lasts + TOUCHING_US * 1000] * 2, abs=3000)


def test_a_queue_holds_thirty_two():
    gateway = Gateway()
    said = [gateway.offer(wave=down(sf=7)) for _ in range(CAPACITY + 1)]
    assert said == ["OK"] * CAPACITY + ["QUEUE_FULL"]
    gateway.run(1)
    assert gateway.offer(wave=down(sf=7)) == "OK"


def test_frequencies_and_powers_that_a_gateway_lacks():
    assert Gateway().offer(wave=down(915_000_000)) == "TX_FREQ"
    assert Gateway().offer(wave=down(868_650_000, power=14.0)) == "DUTY_CYCLE_OVERFLOW", "no sub-band allows it"
    assert Gateway().offer(wave=down(868_100_000, power=17.0)) == "DUTY_CYCLE_OVERFLOW", "nor this power"
    forwarder = Gateway(manner=PACKET_FORWARDER)
    assert forwarder.offer(wave=down(power=24.0)) == "TX_POWER"
    assert forwarder.offer(wave=down(868_650_000, power=16.0)) == "OK", "Semtech's keeps no duty cycle"
    assert forwarder.offer(wave=down(power=29.0)) == "OK"
    assert forwarder.sender.loads() == []


@pytest.mark.parametrize(("phy", "wave"), [
    (bytes(256), down()), (FRAME, down(sf=13)), (FRAME, down(sf=1)), (FRAME, Wave(869_525_000, 9, 0, 14.0, down=True))])
def test_frames_that_no_radio_can_make(phy, wave):
    assert Gateway().offer(1_000_000, wave, phy) == "INTERNAL_ERROR"


def test_gps_time_needs_a_satellite_and_is_met():
    gateway = Gateway(gnss=True)
    when = START_NS + 2 * NS
    item = Item(FRAME, down(), gps_ns=when - GPS_EPOCH_NS + LEAP_NS)
    assert gateway.sender.offer([item]) == ["OK"]
    gateway.run()
    assert gateway.arrived[0] - NS * phy_time_on_air(len(FRAME), 9, crc=False) == pytest.approx(when, abs=2000)
    gateway.sender.gnss = False
    assert gateway.sender.offer([item]) == ["GPS_UNLOCKED"]


def test_the_counter_wraps_and_a_frame_across_the_edge_is_sent():
    gateway = Gateway()
    to_edge = WRAP - gateway.sender.counter(START_NS)
    gateway.run(to_edge / 1e6 * (1 + 1e-5) - 0.5 if to_edge > 1e6 else 0)
    while gateway.sender.counter(gateway.engine.now) < WRAP - 1_000_000:
        gateway.engine.run(gateway.engine.now + NS // 10)
    assert gateway.later(2_000_000) < 2_000_000
    assert gateway.offer(2_000_000) == "OK"
    before = gateway.engine.now
    gateway.engine.run(before + 5 * NS)
    assert gateway.arrived[0] - before == pytest.approx(2 * NS + NS * phy_time_on_air(len(FRAME), 9, crc=False), abs=10_000)


def test_every_gateway_counts_from_elsewhere_and_at_its_own_pace():
    scene = Scene(0.0, 100.0)
    one, two = (Concentrator(scene.engine, scene.medium, index, seed=5) for index in (0, 1))
    assert one.counter(START_NS) != two.counter(START_NS)
    paces = []
    for sender in (one, two):
        shown = (sender.counter(START_NS + 1000 * NS) - sender.counter(START_NS)) % WRAP
        paces.append(shown / 1e9 - 1)
        assert abs(paces[-1]) <= MOST_DRIFT_PPM * 1.01e-6
    assert paces[0] != paces[1]
    assert Concentrator(scene.engine, scene.medium, 0, seed=5).counter(START_NS) == one.counter(START_NS)


def test_an_hours_budget_is_spent_to_the_last_frame_and_comes_back_with_the_hour():
    gateway = Gateway()
    lasts = phy_time_on_air(51, 12, crc=False)
    most = int(36 / lasts)  # 1 % in band M
    wave, phy = down(868_100_000, 12, 16.0), bytes(51)
    for number in range(most):
        gateway.engine.run(START_NS + number * 10 * NS)
        assert gateway.offer(1_000_000, wave, phy) == "OK"
    gateway.engine.run(START_NS + most * 10 * NS)
    assert gateway.offer(1_000_000, wave, phy) == "DUTY_CYCLE_OVERFLOW"
    assert gateway.offer(1_000_000) == "OK", "another sub-band has its own"
    loads = {load.band.letter: load for load in gateway.sender.loads()}
    assert loads["M"].most_us == 36_000_000
    assert loads["M"].used_us == pytest.approx(most * lasts * 1e6, abs=most)
    gateway.engine.run(START_NS + 3597 * NS)
    assert gateway.offer(1_000_000, wave, phy) == "DUTY_CYCLE_OVERFLOW", "part of the first frame is still within the hour"
    gateway.engine.run(START_NS + 3600 * NS)
    assert gateway.offer(1_000_000, wave, phy) == "OK", "as the first ends an hour before this one does"


SECOND = 1_000_000


def test_a_budget_is_exact_at_the_hours_edge():
    for begins, fits in ((WINDOW_US - 1, False), (WINDOW_US, True)):
        ledger = Ledger(36 * SECOND)
        assert ledger.spend(0, 36 * SECOND)
        assert ledger.spend(begins, begins + 1) is fits, "the hour is the one that ends when the frame does"
    assert ledger.spend(WINDOW_US + 1, WINDOW_US + 36 * SECOND), "as much may come as has gone"
    assert ledger.used(WINDOW_US + 36 * SECOND) == 36 * SECOND
    assert not Ledger(36 * SECOND).spend(0, 36 * SECOND + 1)


def test_a_frame_put_in_front_may_not_push_a_planned_one_over_the_limit():
    ledger = Ledger(36 * SECOND)
    assert ledger.spend(100 * SECOND, 130 * SECOND)
    assert not ledger.spend(0, 7 * SECOND)
    assert ledger.spend(0, 6 * SECOND)
    assert ledger.used(130 * SECOND) == 36 * SECOND
    assert ledger.used(115 * SECOND) == 21 * SECOND
    assert ledger.used(WINDOW_US + 3 * SECOND) == 33 * SECOND


def test_statistics_count_what_was_heard_and_said():
    gateway = Gateway()
    gateway.medium.send(gateway.spot(50.0), bytes(23), up(1, 8))
    gateway.run(1)
    for _, received in gateway.received:
        gateway.sender.count(received)
    gateway.offer(100_000)
    gateway.run()
    totals = gateway.sender.totals
    assert (totals.rx_received, totals.rx_ok, totals.tx_received, totals.tx_emitted) == (1, 1, 1, 1)
    assert totals.rx_frequency == {868_300_000: 1}
    assert (totals.rx_rate, totals.tx_rate) == ({(8, 125_000): 1}, {(9, 125_000): 1})
    assert totals.tx_frequency == {869_525_000: 1}
    assert gateway.sender.waiting == 0
