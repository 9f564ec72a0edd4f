"""What is shown of a running simulation."""

from datetime import timedelta

import msgspec
from rich.console import Console

from simulator.chirpstack import ChirpStack
from simulator.fault_plan import AnyFault
from simulator.faults import Troubled
from simulator.options import shipped
from simulator.scenario import Scenario
from simulator.view import MOST_LINES, describe, look, sentence, table
from tests.simulator.conftest import NIGHT


def towns(seconds: float) -> list[tuple[ChirpStack, Troubled]]:
    """Two towns in a storm, so long after their start."""
    scenario = Scenario.load(shipped()["sturmnacht"]).sized(lamps=30, bays=10)
    made = []
    for seed in (1, 2):
        chirpstack = ChirpStack(scenario, seed=seed, start=NIGHT)
        troubled = Troubled(chirpstack, seed=seed, start=NIGHT)
        troubled.advance(NIGHT + timedelta(seconds=seconds))
        made.append((chirpstack, troubled))
    return made


def test_a_look_adds_all_towns_up_and_names_their_faults() -> None:
    both = towns(50 * 60)
    seen = look(both, 0.0)
    assert (seen.devices, seen.lamps, seen.bays) == (80, 60, 20)
    assert seen.joined <= 80
    assert seen.silent == 2
    dark = sum(not lamp.powered for chirpstack, _ in both for lamp in chirpstack.lamps.values())
    assert 0 < seen.burning <= 60 - dark < 60
    assert seen.gateways == 2 * len(both[0][0].scenario.antennas)
    assert seen.totals["up"] == sum(chirpstack.stats["up"] for chirpstack, _ in both)
    assert "sturmnacht: gateway-down (gateway Standort 1)" in seen.faults
    assert any("cabinet-outage (circuit TA-02)" in fault for fault in seen.faults)


def test_rates_are_by_the_towns_time_and_by_ours_where_that_differs() -> None:
    [(chirpstack, town), _] = towns(60)
    before = look([(chirpstack, town)], 0.0)
    town.advance(NIGHT + timedelta(minutes=11))
    now = look([(chirpstack, town)], 10.0)
    more = now.totals["up"] - before.totals["up"]
    assert f"uplinks {now.totals['up']} ({more / 600:.1f}/s, {more / 10:.0f}/s in real time)" in sentence(now, before)
    same = now._replace(real_s=600.0)
    assert "real time" not in sentence(same, before)
    assert f"({more / 600:.1f}/s)" in sentence(same, before)


def test_the_live_view_shows_it_and_no_endless_list_of_faults() -> None:
    both = towns(50 * 60)
    now = look(both, 0.0)._replace(faults=("duplicates",) * 40)
    shown = Console(width=100)
    with shown.capture() as captured:
        shown.print(table(now, now, "Zwei Städte"))
    text = captured.get()
    assert "Zwei Städte" in text
    assert "joined" in text
    assert text.count("duplicates") == MOST_LINES
    assert "28 more" in text


def test_a_fault_is_described_by_what_it_is_set_to() -> None:
    said = [{"kind": "device-fault", "at": "+1 h", "asset": "bay", "share": 0.5, "fault": "stuck"},
            {"kind": "duplicates", "at": "+1 h"}]
    assert [describe(fault) for fault in msgspec.convert(said, list[AnyFault])] == [
        "device-fault (asset bay, fault stuck, share 0.5)", "duplicates"]
