"""A device's session and its frame counter, and what an entry of the log says again. Pure."""

from msgspec import structs

from city.counters import begin, seen
from city.reach import Reach, reached
from city.readings import NO_CONFIG, DeviceState, Entry, from_ns
from city.store.ports import Known
from decoders.catalog import catalog
from gateway_bridge.events import Event, Uplink


def heard(state: DeviceState, event: Event) -> DeviceState:
    """The state of a device that has been heard."""
    return structs.replace(state, application_id=event.application_id or state.application_id,
                           heard_ns=max(state.heard_ns, event.at_ns))


def begun(state: DeviceState, session: str, model: str, at_ns: int, f_cnt: int) -> DeviceState:
    """The state in a new session. What a model forgets when it joins is not confirmed any more, and so is told again."""
    codec = catalog().get(model)
    forgets = codec is not None and codec.abilities.forgets_settings and state.session not in ("", session)
    window = begin(state.window, at_ns, f_cnt)
    return structs.replace(state, session=session, config=NO_CONFIG if forgets else state.config, f_cnt=window.newest,
                           missed=window.missed, holes=window.holes, counted_ns=window.began_ns)


def in_session(state: DeviceState, up: Uplink, model: str) -> DeviceState:
    """The state with the session and its counter after this uplink. One older than what is known is a straggler."""
    straggler = up.at_ns < state.heard_ns and state.session != ""
    gateway = state.gateway if straggler or up.gateway is None else up.gateway
    heard_ns = state.heard_ns if straggler else max(state.heard_ns, up.at_ns)
    application, reach = up.application_id or state.application_id, state.reach if straggler else _reach(state, up)
    f_cnt, holes, missed, counted_ns = up.f_cnt, state.holes, state.missed, state.counted_ns
    if up.dev_addr != state.session:
        state = structs.replace(state, application_id=application, heard_ns=heard_ns, gateway=gateway, reach=reach)
        return state if straggler else begun(state, up.dev_addr, model, up.at_ns, up.f_cnt)
    if holes or f_cnt != state.f_cnt + 1:
        window = seen(state.window, f_cnt, up.at_ns, straggler=straggler)
        f_cnt, holes, missed, counted_ns = window.newest, window.holes, window.missed, window.began_ns
    return DeviceState(state.device, application, state.session, f_cnt, heard_ns, gateway, missed, state.last, state.config,
                       holes, counted_ns, reach)


def _reach(state: DeviceState, up: Uplink) -> Reach:
    if up.ears:
        return reached(state.reach, up.ears, up.at_ns)
    if up.gateway is None or up.rssi is None or up.snr is None:
        return state.reach
    return reached(state.reach, ((up.gateway, up.rssi, up.snr),), up.at_ns)


def replayed(known: Known, entry: Entry) -> Known:
    """What is known of a device after an entry of the log that its state may not have yet; twice is as once."""
    times = {index: from_ns(at_ns) for index, _, at_ns in entry.odd}
    said = [structs.replace(item, at=times.get(index)) for index, item in enumerate(entry.said)]
    state = structs.replace(known.state, last=known.state.last.after(said, entry.at_ns)[0])
    session, _, number = entry.key.rpartition(":")
    if session == state.session and number.isdecimal():
        straggler = entry.at_ns < state.heard_ns
        window = seen(state.window, int(number), entry.at_ns, straggler=straggler)
        state = structs.replace(state, f_cnt=window.newest, missed=window.missed, holes=window.holes,
                                counted_ns=window.began_ns)
    return structs.replace(known, state=structs.replace(state, heard_ns=max(state.heard_ns, entry.at_ns)))
