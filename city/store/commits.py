"""What the bridge reads and writes: all that is known of a batch of devices, and one transaction of facts.

Two bridges may handle one device. What each says is keyed and dated, so the newer word wins in whatever order they
come: a state that was not seen before it is overwritten is merged with, an ended alarm stays ended, a finished command
stays finished.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from msgspec import structs
from sqlalchemy import Connection, and_, bindparam, func, or_, select, update

from city.alarms import Alarm
from city.commands import Command, State
from city.counters import merge
from city.ids import DevEui, TenantId
from city.orders import Resume, SetLevel
from city.places import Device
from city.readings import DeviceState, Lasts
from city.store import rows, tables
from city.store.air import AirFacts
from city.store.database import Database, Insert, counted
from city.store.letters import LetterBounds
from city.store.ports import DeadLetter, Facts, Known, Registered, View
from city.store.registry import REGISTRY, WHOLE
from city.store.scope import INTENTS, REVISION
from city.store.shapes import Shapes
from city.store.steps import Steps


@dataclass(slots=True)
class _Remembered:
    """Devices with their assets, as of one revision of the registry."""

    revision: int
    devices: dict[DevEui, Registered] = field(default_factory=dict)


class Commits:
    """The bridge's half of a Store."""

    def __init__(self, database: Database, shapes: Shapes) -> None:
        self._database, self._shapes = database, shapes
        self._remembered = _Remembered(-1)
        self._seen: dict[DevEui, int] = {}  # the revision of each state that we have read or written last
        self._asking = _Asking(database)
        self._put_state = database.prepared(_put_state(database))
        self._put_command = _put_command(database)
        self._put_applied = _put_applied(database)
        self._put_alarm = _put_alarm(database)
        self._put_letter = _put_letter(database)
        self._air = AirFacts(database)
        self._bounds = LetterBounds()
        self._steps = Steps(database)
        self.made = 0

    def registered(self, devices: Collection[DevEui]) -> Mapping[DevEui, Registered]:
        """Town, device and asset of each of these devices that serves one."""
        with self._database.read() as connection:
            return self._registered(connection, sorted(set(devices)))

    def view(self, devices: Collection[DevEui]) -> View:
        """What is known of these devices; those without an asset are missing from it."""
        with self._database.read() as connection:
            registered = self._registered(connection, sorted(set(devices)))
            known = list(registered)
            found = self._asking.states(connection, known)
            index_of = partial(self._shapes.index, connection)
            states = {eui: rows.state(body, index_of) for eui, (_, body) in found.items()}
            live = self._asking.live(connection, known)
            alarms = self._asking.open_alarms(connection, registered.values())
        self._seen.update((eui, revision) for eui, (revision, _) in found.items())
        return {eui: Known(one, states.get(eui) or DeviceState(eui), tuple(live.get(eui, ())),
                           tuple(alarms.get((one.tenant.id, one.asset.id), ())))
                for eui, one in registered.items()}

    def commit(self, facts: Facts) -> dict[TenantId, int]:
        """Facts that are known already change nothing, not even the revision. States of devices that serve no asset
        any more are passed over."""
        if not (facts.states or facts.commands or facts.alarms or facts.letters or facts.air):
            return {}
        with self._database.write() as connection:
            registered = self._registered(connection, sorted({state.device for state in facts.states}))
            revisions = self._revisions(connection, facts, registered)
            changed, stamped, shapes = self._commit_states(connection, facts.states, registered, revisions)
            changed += _execute(connection, self._put_command,
                                [rows.command_row(item, revisions[item.tenant]) for item in _newest(facts.commands)])
            changed += _execute(connection, self._put_alarm,
                                [rows.alarm_row(item, revisions[item.tenant]) for item in facts.alarms
                                 if not _begun_already(connection, item)])
            _execute(connection, self._put_applied, _applied(facts.commands))
            self._steps.commit(connection, facts.commands)
            self._commit_letters(connection, facts.letters)
            changed += self._air.commit(connection, facts.air, revisions) if facts.air else 0
            if changed:
                _store_revisions(connection, revisions)
        self._shapes.learned(shapes)
        self._seen.update(stamped)
        self.made += 1
        return revisions if changed else {}

    def revisions(self) -> tuple[int, dict[TenantId, int]]:
        """The registry's revision, and each town's."""
        return self._counted(REVISION)

    def intents(self) -> tuple[int, dict[TenantId, int]]:
        """The registry's revision, and how often people have changed what they want of each town."""
        return self._counted(INTENTS)

    def _counted(self, what: str) -> tuple[int, dict[TenantId, int]]:
        with self._database.read() as connection:
            found = connection.execute(_COUNTERS, {"names": [what, REGISTRY]}).all()
        towns = {TenantId(town): value for town, name, value in found if name == what}
        return next((value for town, name, value in found if (town, name) == (WHOLE, REGISTRY)), 0), towns

    def _registered(self, connection: Connection, euis: Sequence[DevEui]) -> dict[DevEui, Registered]:
        if not euis:
            return {}
        revision = counted(connection, WHOLE, REGISTRY)
        remembered = self._remembered
        if remembered.revision != revision:
            remembered = self._remembered = _Remembered(revision)
        missing = [eui for eui in euis if eui not in remembered.devices]
        remembered.devices.update(self._asking.registered(connection, missing))
        return {eui: remembered.devices[eui] for eui in euis if eui in remembered.devices}

    def _revisions(self, connection: Connection, facts: Facts,
                   registered: Mapping[DevEui, Registered]) -> dict[TenantId, int]:
        """The next revision of each tenant concerned; other writers of these tenants wait from here on."""
        concerned = {one.tenant.id for one in registered.values()}
        concerned |= {command.tenant for command in facts.commands} | {alarm.tenant for alarm in facts.alarms}
        concerned |= facts.air.tenants
        counters = tables.counters
        query = select(counters.c.tenant, counters.c.value).where(
            counters.c.tenant.in_(sorted(concerned)), counters.c.name == REVISION)
        held = connection.execute(query.order_by(counters.c.tenant).with_for_update())
        return {row.tenant: row.value + 1 for row in held}

    def _commit_states(self, connection: Connection, states: Iterable[DeviceState],
                       registered: Mapping[DevEui, Registered],
                       revisions: Mapping[TenantId, int]) -> tuple[int, dict[DevEui, int], dict[str, dict[str, int]]]:
        """How many have changed, the revisions of those that are as we have said, and shapes to be learned."""
        wanted = {state.device: state for state in sorted(states, key=lambda state: state.heard_ns)
                  if state.device in registered}
        if not wanted:
            return 0, {}, {}
        index_of, key = partial(self._shapes.index, connection), self._shapes.key
        told: set[DevEui] = set()  # what the database knows of these is still news to whoever says their states
        for eui, body in self._unseen(connection, wanted):
            both = merged(rows.state(body, index_of), wanted[eui])
            if both != wanted[eui]:
                told.add(eui)
            wanted[eui] = both
        tenants = {eui: registered[eui].tenant.id for eui in wanted}
        shapes = self._shapes.keep(connection, (state.last.index for state in wanted.values()))
        values = [{"tenant": tenants[eui], "device": eui, "heard_ns": state.heard_ns,
                   "body": rows.state_body(state, key(state.last.index)), "revision": revisions[tenants[eui]]}
                  for eui, state in sorted(wanted.items())]
        changed = self._put_state.run(connection, values)
        stamped = {eui: revisions[tenants[eui]] for eui in wanted if eui not in told} if changed == len(values) else {}
        return changed, stamped, shapes

    def _unseen(self, connection: Connection, wanted: Mapping[DevEui, DeviceState]) -> list[tuple[DevEui, str]]:
        """The stored states that these would overwrite unseen, or that are newer."""
        stored = self._asking.revisions(connection, list(wanted))
        unseen = [eui for eui, revision, heard_ns in stored
                  if revision != self._seen.get(eui) or heard_ns > wanted[eui].heard_ns]
        return [(eui, body) for eui, (_, body) in self._asking.states(connection, unseen).items()]

    def _commit_letters(self, connection: Connection, letters: Iterable[DeadLetter]) -> None:
        by_id: dict[str, DeadLetter] = {}
        for letter in letters:
            first = by_id.get(letter.id)
            by_id[letter.id] = replace(letter, count=letter.count + first.count) if first else letter
        if _execute(connection, self._put_letter, [rows.letter_row(letter) for _, letter in sorted(by_id.items())]):
            self._bounds.keep(connection, list(by_id.values()))


_COUNTERS = select(tables.counters.c.tenant, tables.counters.c.name, tables.counters.c.value).where(
    tables.counters.c.name.in_(bindparam("names", expanding=True)))


class _Asking:
    """The bridge's questions about many devices at once, each one statement, made once."""

    def __init__(self, database: Database) -> None:
        among, states, commands, alarms = database.among, tables.states.c, tables.commands.c, tables.alarms.c
        devices, assets = tables.devices.c, tables.assets.c
        same = and_(devices.tenant == assets.tenant, devices.asset == assets.id)
        self._listed = database.listed
        self._registered = select(tables.assets, devices.dev_eui, devices.model).join(tables.devices, same).where(
            among(devices.dev_eui))
        self._states = select(states.device, states.revision, states.body).where(among(states.device))
        self._revisions = select(states.device, states.revision, states.heard_ns).where(among(states.device))
        self._live = select(tables.commands).where(commands.live, among(commands.device)).order_by(commands.created_at)
        self._open_alarms = select(tables.alarms).where(
            alarms.tenant == bindparam("town"), alarms.ended_at.is_(None), among(alarms.asset))

    def registered(self, connection: Connection, euis: Sequence[DevEui]) -> dict[DevEui, Registered]:
        if not euis:
            return {}
        town_of = {row.id: rows.tenant(row) for row in connection.execute(select(tables.tenants))}
        found = connection.execute(self._registered, self._listed(euis))
        return {row.dev_eui: Registered.of(town_of[row.tenant], Device(row.dev_eui, row.tenant, row.id, row.model),
                                           rows.asset(row)) for row in found}

    def states(self, connection: Connection, euis: Sequence[DevEui]) -> dict[DevEui, tuple[int, str]]:
        """Revision and body by device."""
        if not euis:
            return {}
        found = connection.execute(self._states, self._listed(euis)).all()
        return {eui: (revision, body) for eui, revision, body in found}

    def revisions(self, connection: Connection, euis: Sequence[DevEui]) -> Sequence[rows.R]:
        """(device, revision, heard_ns)."""
        return connection.execute(self._revisions, self._listed(euis)).all()

    def live(self, connection: Connection, euis: Sequence[DevEui]) -> dict[DevEui, list[Command]]:
        found: dict[DevEui, list[Command]] = defaultdict(list)
        for row in connection.execute(self._live, self._listed(euis)):
            found[row.device].append(rows.command(row))
        return found

    def open_alarms(self, connection: Connection,
                    registered: Iterable[Registered]) -> dict[tuple[str, str], list[Alarm]]:
        by_town: dict[TenantId, list[str]] = defaultdict(list)
        for one in registered:
            by_town[one.tenant.id].append(one.asset.id)
        found: dict[tuple[str, str], list[Alarm]] = defaultdict(list)
        for town_id, assets in by_town.items():
            for row in connection.execute(self._open_alarms, {"town": town_id, **self._listed(assets)}):
                found[row.tenant, row.asset].append(rows.alarm(row))
        return found


def merged(known: DeviceState, said: DeviceState) -> DeviceState:
    """One state from two that do not know of each other: the newer of each value, the rest from the newer state."""
    older, newer = (known, said) if said.heard_ns >= known.heard_ns else (said, known)
    last = {**dict(older.last.items()), **{name: value for name, value in newer.last.items()
                                           if (other := older.last.get(name)) is None or value.at_ns >= other.at_ns}}
    same = older.session == newer.session
    window = merge(older.window, newer.window) if same else newer.window
    return structs.replace(newer, last=Lasts.of(last), config={**older.config, **newer.config} if same else newer.config,
                           f_cnt=window.newest, missed=window.missed, holes=window.holes, counted_ns=window.began_ns)


def _begun_already(connection: Connection, alarm: Alarm) -> bool:
    """Whether another bridge has begun the same alarm: its own stands, and ends when either sees the end."""
    if not alarm.open:
        return False
    table = tables.alarms.c
    same = (table.tenant == alarm.tenant, table.asset == alarm.asset, table.kind == alarm.kind.value)
    other = select(table.id).where(*same, table.ended_at.is_(None), table.id != alarm.id).limit(1)
    return connection.execute(other).first() is not None


def _execute(connection: Connection, statement: Insert, values: list[dict[str, object]]) -> int:
    """How many rows the statement has changed."""
    return max(connection.execute(statement, values).rowcount, 0) if values else 0


def _newest(commands: Iterable[Command]) -> list[Command]:
    """The commands in one fixed order, so that two writers never wait for each other in a circle."""
    return sorted(commands, key=lambda item: (item.tenant, item.id, item.changed_at or item.created_at))


def _applied(commands: Iterable[Command]) -> list[dict[str, object]]:
    return [{"tenant": item.tenant, "device": item.device, "command": item.id, "at": item.changed_at or item.created_at}
            for item in _newest(commands) if item.state is State.APPLIED and isinstance(item.order, SetLevel | Resume)]


def _store_revisions(connection: Connection, revisions: Mapping[TenantId, int]) -> None:
    counters = tables.counters
    for tenant, value in revisions.items():
        own = (counters.c.tenant == tenant, counters.c.name == REVISION)
        connection.execute(update(counters).where(*own).values(value=value))


def _put_state(database: Database) -> Insert:
    table, insert = tables.states, database.insert(tables.states)
    new = insert.excluded
    return insert.on_conflict_do_update(
        index_elements=["tenant", "device"],
        set_={"heard_ns": new.heard_ns, "body": new.body, "revision": new.revision}, where=table.c.body != new.body)


def _put_command(database: Database) -> Insert:
    table, insert = tables.commands, database.insert(tables.commands)
    new, old = insert.excluded, table.c
    newer = new.changed_at > old.changed_at
    differs = or_(new.state != old.state, new.attempts != old.attempts, new.note != old.note)
    changing = ("order_json", "origin", "priority", "expires_at", "state", "live", "changed_at", "sent_at", "attempts",
                "holds_until", "note", "cast", "quiet_until", "revision")
    return insert.on_conflict_do_update(
        index_elements=["tenant", "id"], set_={name: new[name] for name in changing},
        where=and_(or_(old.live, ~new.live), or_(newer, and_(new.changed_at == old.changed_at, differs))))


def _put_applied(database: Database) -> Insert:
    insert = database.insert(tables.applied)
    new = insert.excluded
    return insert.on_conflict_do_update(
        index_elements=["tenant", "device"], set_={"command": new.command, "at": new.at},
        where=new.at > tables.applied.c.at)


def _put_alarm(database: Database) -> Insert:
    """It ends once, may get graver until then, and who acknowledged it is not the bridge's to say."""
    insert = database.insert(tables.alarms)
    new, old = insert.excluded, tables.alarms.c
    return insert.on_conflict_do_update(
        index_elements=["tenant", "id"],
        set_={"ended_at": new.ended_at, "severity": new.severity, "facts": new.facts, "revision": new.revision},
        where=and_(old.ended_at.is_(None), or_(new.ended_at.is_not(None), new.severity > old.severity)))


def _put_letter(database: Database) -> Insert:
    """The same letter at another time is one more; at the same time it is the same."""
    insert = database.insert(tables.letters)
    new, old = insert.excluded, tables.letters.c
    later = func.max(old.received_at, new.received_at) if database.sqlite \
        else func.greatest(old.received_at, new.received_at)
    return insert.on_conflict_do_update(
        index_elements=["id"], where=old.received_at != new.received_at,
        set_={"times": old.times + new.times, "received_at": later, "reason": new.reason, "detail": new.detail,
              "tenant": func.coalesce(new.tenant, old.tenant)})
