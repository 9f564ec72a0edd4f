"""What each gateway heard: counted where uplinks are kept, told once a step."""

from datetime import timedelta
from typing import Any

import pytest

from city.budget import Spent
from city.errors import StoreDown
from city.ids import GatewayId, TenantId
from city.settings import Bridge, Influx, Mqtt, Settings
from gateway_bridge.listen import Listener
from gateway_bridge.metrics import OTHER
from gateway_bridge.ship_platform import Gateways, duties
from gateway_bridge.tally import KNOWN_FOR, MOST_GATEWAYS, Heard, Tally, gateway_line
from tests.gateway_bridge.samples import encode, topic, up
from tests.gateway_bridge.town import NOW, Instead, Town

ONE, TWO = "0016c001ff10a235", "0016c001ff10a236"
TOWN = TenantId("musterstadt")


def rx(gateway: str, rssi: int, snr: float) -> dict[str, Any]:
    return {"gatewayId": gateway, "uplinkId": 1, "rssi": rssi, "snr": snr, "crcStatus": "CRC_OK"}


def said(heard: Heard) -> dict[str, float]:
    line = (gateway_line(heard, 1) or b"").decode()
    pairs = (pair.split("=") for pair in line.split(" ")[1].split(","))
    return {name: float(value.rstrip("i")) for name, value in pairs}


@pytest.fixture
def tally(town: Town) -> Tally:
    """Of the town's listener."""
    made = Tally()
    town.listener = Listener(town.link, town.store, town.log, town.clock, Bridge(linger_ms=0), town.metrics, turn=town.turn,
                             reader=town.reader, tally=made)
    return made


def told(tally: Tally, seconds: float = 0) -> dict[str, dict[str, float]]:
    return {one.gateway: said(one) for one in tally.take(NOW + timedelta(seconds=seconds))}


async def test_each_gateway_is_told_of_what_it_heard_and_which_it_heard_best(town: Town, tally: Tally) -> None:
    await town.hear("up", up(f_cnt=1, dr=5, rxInfo=[rx(ONE, -110, -3.0), rx(TWO, -90, 8.0)]))
    await town.hear("up", up(f_cnt=2, dr=0, rxInfo=[rx(ONE, -100, 1.0)]))
    found = told(tally)
    assert found[ONE] == {"uplinks": 2, "best": 1, "missed": 0, "rssi": -105, "snr": -1, "sf7": 1, "sf8": 0, "sf9": 0,
                          "sf10": 0, "sf11": 0, "sf12": 1}
    assert found[TWO] == {"uplinks": 1, "best": 1, "missed": 0, "rssi": -90, "snr": 8, "sf7": 1, "sf8": 0, "sf9": 0,
                          "sf10": 0, "sf11": 0, "sf12": 0}
    assert [one.tenant for one in tally.take(NOW)] == [TOWN, TOWN]


@pytest.mark.parametrize(("dr", "sf"), [(0, 12), (1, 11), (2, 10), (3, 9), (4, 8), (5, 7), (6, 7)])
async def test_a_data_rate_counts_under_its_spreading_factor_in_eu868(town: Town, tally: Tally, dr: int, sf: int) -> None:
    await town.hear("up", up(dr=dr, rxInfo=[rx(ONE, -100, 1.0)]))
    found = told(tally)[ONE]
    assert {name for name, count in found.items() if name.startswith("sf") and count} == {f"sf{sf}"}


@pytest.mark.parametrize("dr", [7, 15])
async def test_what_has_no_spreading_factor_counts_as_an_uplink_only(town: Town, tally: Tally, dr: int) -> None:
    await town.hear("up", up(dr=dr, rxInfo=[rx(ONE, -100, 1.0)]))
    found = told(tally)[ONE]
    assert (found["uplinks"], sum(found[f"sf{sf}"] for sf in range(7, 13))) == (1, 0)


async def test_missing_frames_count_at_the_gateway_that_hears_the_device_best(town: Town, tally: Tally) -> None:
    await town.hear("up", up(f_cnt=1, rxInfo=[rx(ONE, -100, 1.0)]))
    await town.hear("up", up(f_cnt=5, rxInfo=[rx(TWO, -100, 1.0), rx(ONE, -110, -9.0)]))
    assert {gateway: found["missed"] for gateway, found in told(tally).items()} == {ONE: 0, TWO: 3}


async def test_a_frame_that_comes_again_is_counted_once_and_a_new_one_beside_it(town: Town, tally: Tally) -> None:
    first, second = (encode(up(f_cnt=count, rxInfo=[rx(ONE, -100, 1.0)])) for count in (1, 2))
    await town.hear("up", first)
    town.link.deliver(topic("up"), first)
    town.link.deliver(topic("up"), second)
    await town.listener.step()
    while town.metrics.balance()["received"] < 3:
        await town.listener.step()
    assert told(tally)[ONE]["uplinks"] == 2
    assert town.metrics.duplicates.value == 1


async def test_what_is_no_device_of_a_town_or_heard_by_nobody_is_not_counted(town: Town, tally: Tally) -> None:
    await town.hear("up", up(eui="70b3d57ed00000ff", rxInfo=[rx(ONE, -100, 1.0)]), eui="70b3d57ed00000ff")
    await town.hear("up", up(rxInfo=[]))
    await town.hear("up", up(f_cnt=9, rxInfo=[rx(ONE, -100, 1.0)], time="2031-07-18T09:34:15+00:00"))
    assert told(tally) == {}


async def test_a_frame_that_cannot_be_read_was_heard(town: Town, tally: Tally) -> None:
    await town.hear("up", up(b"\xff", rxInfo=[rx(ONE, -100, 1.0)]))
    assert town.metrics.dead_letters.total() == 1
    assert told(tally)[ONE]["uplinks"] == 1


async def test_a_gateway_that_falls_silent_is_told_of_with_zeros_for_a_day(town: Town, tally: Tally) -> None:
    await town.hear("up", up(rxInfo=[rx(ONE, -100, 1.0)]))
    assert told(tally)[ONE]["uplinks"] == 1
    silent = told(tally, 60)[ONE]
    assert (silent["uplinks"], "rssi" in silent) == (0, False)
    assert ONE in told(tally, KNOWN_FOR.total_seconds())
    assert told(tally, KNOWN_FOR.total_seconds() + 1) == {}


async def test_any_number_of_gateways_makes_a_limited_number_of_series(town: Town, tally: Tally) -> None:
    for number in range(MOST_GATEWAYS + 5):
        town.link.deliver(topic("up"), encode(up(f_cnt=number, rxInfo=[rx(f"{number:016x}", -100, 1.0)])))
    while town.metrics.balance()["stored"] < MOST_GATEWAYS + 5:
        await town.listener.step()
    found = told(tally)
    assert len(found) == MOST_GATEWAYS + 1
    assert found[OTHER]["uplinks"] == 5


async def test_a_mean_that_cannot_be_is_left_out(town: Town, tally: Tally) -> None:
    await town.hear("up", up(rxInfo=[rx(ONE, -2_000_000_000, 1e300)]))
    assert not {"rssi", "snr"} & told(tally)[ONE].keys()


def test_the_fullest_sub_band_within_the_hour_is_what_counts() -> None:
    spent = [Spent(GatewayId(ONE), "P", NOW - timedelta(minutes=50), 36.0), Spent(GatewayId(ONE), "M", NOW, 9.0),
             Spent(GatewayId(ONE), "P", NOW - timedelta(hours=2), 300.0), Spent(GatewayId(TWO), "P", NOW, 90.0),
             Spent(GatewayId(TWO), "?", NOW, 900.0)]
    assert duties(spent, NOW) == pytest.approx({ONE: 25.0, TWO: 25.0})  # M: 9 of 36 s; P: 36 and 90 of 360 s
    assert duties([], NOW) == {}


@pytest.mark.parametrize(("steers", "per_town", "share", "expected"), [
    (True, True, "", ("musterstadt", f"gateway,gateway={ONE},tenant=musterstadt ", "duty=2.5")),
    (True, False, "", ("", f"gateway,gateway={ONE},tenant=musterstadt ", "duty=2.5")),
    (False, True, "g", ("musterstadt", f"gateway,bridge=b1,gateway={ONE},tenant=musterstadt ", "")),
])
async def test_gateways_are_told_of_to_their_towns_place(town: Town, tally: Tally, steers: bool, per_town: bool, share: str,
                                                         expected: tuple[str, str, str]) -> None:
    class Spending(Instead):
        def all_spent(self, _since: object) -> list[Spent]:
            return [Spent(GatewayId(ONE), "P", NOW, 9.0)]

    await town.hear("up", up(rxInfo=[rx(ONE, -100, 1.0)]))
    settings = Settings(influx=Influx(url="http://h:1", per_town=per_town), mqtt=Mqtt(client_id="b1", share=share))
    gateways = Gateways(tally, Spending(town.store), settings, lambda: steers)
    [(place, [line])] = gateways.tells(NOW, NOW)
    assert (place, line.decode().startswith(expected[1]), ("duty" in line.decode(), expected[2] in line.decode())) \
        == (expected[0], True, (bool(expected[2]), True))


async def test_gateways_are_told_of_while_the_city_database_is_down(town: Town, tally: Tally) -> None:
    class Down(Instead):
        def all_spent(self, _since: object) -> list[Spent]:
            raise StoreDown("no")

    await town.hear("up", up(rxInfo=[rx(ONE, -100, 1.0)]))
    [(_, [line])] = Gateways(tally, Down(town.store), Settings(), lambda: True).tells(NOW, NOW)
    assert b" uplinks=1i" in line
    assert b"duty" not in line


async def test_what_is_taken_while_uplinks_come_is_counted_once(town: Town, tally: Tally) -> None:
    total = 0.0
    for number in range(20):
        await town.hear("up", up(f_cnt=number, rxInfo=[rx(ONE, -100, 1.0)]))
        total += told(tally, number)[ONE]["uplinks"] if number % 3 == 0 else 0
    assert total + told(tally)[ONE]["uplinks"] == 20


