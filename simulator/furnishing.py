"""What people would long have done in a town that a demo begins with: feeders have names, a street goes dark late at night,
the market is lit longer at weekends."""

from collections import Counter
from datetime import datetime

from city.groups import Group, Target
from city.ids import CalendarId, GroupId, ProgramId
from city.multicast import LEAST_MEMBERS, GroupWish
from city.places import Circuit
from city.programs import HALBNACHT, TEILNACHT, Anchor, Calendar, Moment, Program, Rule, Step, clock
from city.store.ports import TenantStore

ACTOR = "demo"
RADIO_GROUPS = 20  # of zones; the largest ones
WEEKEND = Program(ProgramId("wochenende"), "Wochenende", Step(Moment(Anchor.SUNSET), 100),
                  (Step(clock(0, 30), 50, 60), Step(clock(6), 100)))
LATE = Calendar(CalendarId("innenstadt"), "Innenstadt", HALBNACHT, (
    Rule(WEEKEND.id, weekdays=frozenset({5, 6})), Rule(WEEKEND.id, holidays=True)))
QUIET = GroupId("laternenring")


def furnish(town: TenantStore, now: datetime) -> None:
    """Programs, calendars, groups and feeders; what the town has of its own stays."""
    kept = town.programming()
    for circuit in town.circuits():
        if not circuit.name:
            number = "".join(letter for letter in circuit.id if letter.isdigit()) or "0"
            town.put_circuit(Circuit(circuit.tenant, circuit.id, f"Schaltschrank {number}", f"DE00099999{int(number):023d}"))
    if kept.assignments or WEEKEND.id in kept.programs:
        return
    town.put_program(WEEKEND)
    town.put_calendar(LATE)
    lamps = town.luminaires()
    if lamps:
        town.assign(Target("zone", lamps[0].zone), LATE.id, ACTOR, now)
    for zone, members in Counter(lamp.zone for lamp in lamps).most_common(RADIO_GROUPS):
        if members >= LEAST_MEMBERS:
            town.put_group_wish(GroupWish(Target("zone", zone), ACTOR, now))
    ringed = frozenset(lamp.id for lamp in lamps if lamp.lantern_ring)
    if ringed:
        town.put_group(Group(town.tenant.id, QUIET, "Straßen mit Laternenring", ringed))
        town.assign(Target("group", QUIET), CalendarId(str(TEILNACHT)), ACTOR, now)
