"""A zone dimmed by its multicast group: from the wish for a group over the keys in the lamps to lamps that obey together."""

from dataclasses import replace
from datetime import timedelta

import pytest

from city.casting import REPEATS
from city.commands import Priority, State
from city.errors import Invalid
from city.groups import Target
from city.ids import OverrideId
from city.imports import COLUMNS, parse
from city.lighting import override
from city.multicast import GroupWish, Membership
from city.orders import MulticastGroup, SetLevel
from city.settings import Chirpstack, Secret
from decoders.catalog import catalog
from gateway_bridge.metrics import Metrics
from gateway_bridge.steer import Steerer
from tests.journeys.conftest import Platform
from tests.journeys.multicast import Beside

ZONE = Target("zone", "Altstadt")
SETTINGS = Chirpstack(group_secret=Secret("a secret of this town's groups, long enough"), rx2_dr=3)


class Town(Platform):
    """A platform whose bridge may use the network server's API."""

    def __init__(self, directory, **options):
        super().__init__(directory, lamps=60, bays=0, **options)
        self.network = Beside(self.chirpstack)
        self.restart_bridge()

    def restart_bridge(self):
        self.steerer = Steerer(self.link, self.store, self.clock, self.settings.bridge, Metrics(), self.network,
                               turn=self.steerer._turn, reader=self.reader, chirpstack=SETTINGS)

    def want_groups(self, target=ZONE, generation=1):
        self.town.put_group_wish(GroupWish(target, "anna", self.clock.now(), generation))

    def dim(self, level, target=ZONE, minutes=60):
        now = self.clock.now()
        wish = override(id=OverrideId(f"wish-{now.isoformat()}-{target}"), tenant=self.scenario.tenant.id, targets=[target],
                        level=level, until=now + timedelta(minutes=minutes),
                        actor="anna", now=now)
        self.town.add_override(wish)
        return wish

    def lamps_of(self, zone="Altstadt"):
        return [lamp for lamp in self.town.luminaires() if lamp.zone == zone]

    def levels(self, zone="Altstadt"):
        return {round(self.chirpstack.lamps[lamp.id].level) for lamp in self.lamps_of(zone)}

    def orders(self, kind=SetLevel):
        return [command for command in self.town.commands(limit=10_000) if isinstance(command.order, kind)]

    def states(self):
        return {member.state for member in self.town.radio_members()}

    def groups(self):
        """Ours at the network server."""
        return [group for group in self.chirpstack.registry.groups if group.name.startswith("stadtfunk ")]

    @property
    def told_alone(self):
        return len(self.link.published)


@pytest.fixture
def town(tmp_path):
    made = []

    def make(**options):
        made.append(Town(tmp_path, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


async def with_groups(town, *targets):
    """The town with confirmed groups for these targets, and calm again."""
    await town.run(700, step=20)
    for target in targets or (ZONE,):
        town.want_groups(target)
    for _ in range(20):
        await town.run(60)
        if town.states() == {Membership.CONFIRMED} and not any(
                one.state.live for one in town.town.commands(limit=1000)):
            break
    assert town.states() == {Membership.CONFIRMED}
    return town


async def test_a_zone_is_told_by_three_frames_and_every_lamp_obeys_and_is_known_to(town):
    made = await with_groups(town())
    alone, lamps = made.told_alone, made.lamps_of()
    wish = made.dim(40)
    await made.run(14)
    assert made.levels() == {40}
    await made.run(80)
    assert made.network.calls["cast"] == REPEATS
    assert made.told_alone == alone  # nobody had to be told alone
    orders = [one for one in made.orders() if one.origin == f"override:{wish.id}"]
    assert len(orders) == len(lamps)
    assert {(one.state, one.attempts) for one in orders} == {(State.APPLIED, 1)}
    (run,) = made.town.casts()
    assert (run.lamps, run.sent, run.measured.by_cast, run.measured.alone) == (len(lamps), REPEATS, len(lamps), 0)
    assert run.estimate.frames == REPEATS * run.estimate.gateways
    spent = made.town.spent(made.start)
    assert sum(one.seconds for one in spent) < 60
    await made.run(600)  # looking again changes nothing
    assert made.network.calls["cast"] == REPEATS
    assert made.told_alone == alone


async def test_keys_lie_in_the_lamps_and_at_the_network_server_and_nowhere_else(town, tmp_path):
    made = await with_groups(town())
    (group,) = made.groups()
    for lamp in made.lamps_of():
        assert made.chirpstack.lamps[lamp.id].groups[group.mc_addr] == (group.mc_nwk_s_key, group.mc_app_s_key)
    assert len(group.devices) == len(made.lamps_of())
    made.store.close()
    made.log.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for key in (group.mc_nwk_s_key, group.mc_app_s_key):
        assert key.encode() not in kept
        assert key.upper().encode() not in kept
        assert bytes.fromhex(key) not in kept


async def test_a_group_with_a_lamp_that_shall_do_something_else_is_not_told(town):
    made = await with_groups(town())
    first = made.lamps_of()[0]
    made.dim(70, Target("lamp", first.id))
    await made.run(30)
    made.network.calls.clear()
    for lamp in made.lamps_of()[1:]:
        made.dim(40, Target("lamp", lamp.id))
    await made.run(120)
    assert "cast" not in made.network.calls
    assert {round(made.chirpstack.lamps[lamp.id].level) for lamp in made.lamps_of()[1:]} == {40}
    assert round(made.chirpstack.lamps[first.id].level) == 70


async def test_a_lamp_that_is_given_another_order_while_rounds_go_out_keeps_it(town):
    made = await with_groups(town())
    made.dim(40)
    await made.run(3)
    first = made.lamps_of()[0]
    made.dim(70, Target("lamp", first.id))
    await made.run(90)
    assert round(made.chirpstack.lamps[first.id].level) == 70
    assert {round(made.chirpstack.lamps[lamp.id].level) for lamp in made.lamps_of()[1:]} == {40}


async def test_light_for_safetys_sake_goes_first_and_by_the_group_too(town):
    made = await with_groups(town())
    made.dim(40)
    await made.run(40)
    now = made.clock.now()
    made.town.add_override(override(id=OverrideId("emergency"), tenant=made.scenario.tenant.id, targets=[ZONE], level=100,
                                    until=now + timedelta(hours=1), actor="anna", now=now, emergency=True))
    await made.run(12)
    assert made.levels() == {100}
    assert {one.priority for one in made.orders() if one.origin == "override:emergency"} == {Priority.SAFETY}
    assert made.town.casts(limit=1)[0].priority is Priority.SAFETY


async def test_a_newer_wish_overtakes_the_rounds_of_an_older_one(town):
    made = await with_groups(town())
    made.dim(40)
    await made.run(4)
    made.dim(60)
    await made.run(60)
    assert made.levels() == {60}


async def test_lamps_that_hear_no_round_are_told_alone_once_silence_has_shown_it(town):
    made = await with_groups(town())
    made.chirpstack.carrier._loss = 0.9  # while the rounds go out
    made.dim(40)
    await made.run(20)
    made.chirpstack.carrier._loss = 0.0
    await made.run(300)
    assert made.levels() == {40}
    orders = [one for one in made.orders() if one.cast]
    assert {one.state for one in orders} == {State.APPLIED}
    assert any(one.attempts > 1 for one in orders)


async def test_a_bridge_that_starts_again_goes_on_with_groups_keys_and_casts(town):
    made = town()
    await made.run(700, step=20)
    made.want_groups()
    await made.run(8)
    made.restart_bridge()
    for _ in range(10):
        await made.run(60)
    assert made.states() == {Membership.CONFIRMED}
    assert len(made.groups()) == 1
    told = len(made.orders(MulticastGroup))
    assert told == len(made.lamps_of())
    made.dim(40)
    await made.run(2)
    made.restart_bridge()
    await made.run(100)
    assert made.levels() == {40}
    (run,) = made.town.casts()
    assert run.measured is not None
    assert made.network.calls["cast"] == REPEATS
    assert len(made.orders(MulticastGroup)) == told


async def test_without_the_api_lamps_are_told_alone_and_groups_again_when_it_is_back(town):
    made = await with_groups(town())
    made.network.away = True
    made.dim(40)
    await made.run(120)
    assert made.levels() == {40}
    assert {one.state for one in made.orders() if one.cast} == {State.APPLIED}
    made.network.away = False
    made.network.calls.clear()
    made.dim(60)
    await made.run(60)
    assert made.levels() == {60}
    assert made.network.calls["cast"] == REPEATS


async def test_a_group_that_somebody_removed_at_the_network_server_is_made_again(town):
    made = await with_groups(town())
    (group,) = made.groups()
    made.chirpstack.registry.groups.pop(group.id)
    made.dim(40)
    await made.run(120)
    assert made.levels() == {40}
    (again,) = made.groups()
    assert (again.mc_addr, again.mc_app_s_key) == (group.mc_addr, group.mc_app_s_key)


async def test_other_keys_make_everybody_a_member_anew(town):
    made = await with_groups(town())
    (before,) = made.town.radio_groups()
    made.want_groups(generation=2)
    for _ in range(6):
        await made.run(60)
    (after,) = made.town.radio_groups()
    assert after.dev_addr != before.dev_addr
    assert made.states() == {Membership.CONFIRMED}
    made.dim(40)
    await made.run(20)
    assert made.levels() == {40}


async def test_a_lamp_that_moves_to_another_zone_hears_its_old_group_only_until_it_has_other_keys(town):
    made = await with_groups(town(), ZONE, Target("zone", "Mühlenviertel"))
    lamp = made.lamps_of()[0]
    device = made.town.device_of(lamp.id)
    line = {"asset": lamp.id, "kind": "lamp", "name": lamp.name, "latitude": str(lamp.site.latitude),
            "longitude": str(lamp.site.longitude), "zone": "Mühlenviertel", "circuit": lamp.circuit or "",
            "dev_eui": device.dev_eui, "model": device.model, "power_w": "40"}
    text = ",".join(COLUMNS) + "\n" + ",".join(line.get(name, "") for name in COLUMNS) + "\n"
    rows, problems = parse(text.encode(), set(catalog()))
    assert problems == []
    made.town.import_rows(rows)
    for _ in range(8):
        await made.run(60)
    assert made.states() == {Membership.CONFIRMED}
    assert sum(member.device == device.dev_eui for member in made.town.radio_members()) == 1
    made.dim(40)
    await made.run(30)
    assert round(made.chirpstack.lamps[lamp.id].level) != 40
    assert {round(made.chirpstack.lamps[one.id].level) for one in made.lamps_of()} == {40}


async def test_groups_that_nobody_wants_any_more_are_removed(town):
    made = await with_groups(town())
    made.town.remove_group_wish(ZONE)
    await made.run(30)
    assert made.groups() == []
    assert made.town.radio_groups() == []
    assert made.town.radio_members() == []


async def test_the_end_of_a_wish_lets_the_whole_zone_go_together(town):
    made = await with_groups(town())
    made.dim(40, minutes=5)
    await made.run(200)
    made.network.calls.clear()
    await made.run(200)
    assert made.levels() == {100}
    assert made.network.calls.get("cast", 0) in (0, REPEATS)


def test_a_secret_that_is_too_short_is_refused(town):
    made = town()
    with pytest.raises(Invalid, match="32"):
        Steerer(made.link, made.store, made.clock, made.settings.bridge, Metrics(), made.network,
                chirpstack=replace(SETTINGS, group_secret=Secret("short")))
