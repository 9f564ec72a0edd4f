"""A LoRaWAN end-device: joins, counts, listens, repeats, adapts its data rate (TS001-1.0.4; 1.0.3 where they differ).

`EndDevice` is the radio module on the pole or in the kerb. Above it is an application that says frames and gets frames;
below it the air (`Ether`). It runs on virtual time only: each wait is an action of the engine, and one that belongs to a
former life of the device (`_life`) finds that it is over.

One uplink: wait until a channel's band is free → send → RX1 → RX2 → heard, repeated or given up. A class C device listens
with RX2's parameters whenever it does nothing else.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from random import Random

from city.airtime import DATA_RATES, DataRate, phy_time_on_air
from city.readings import NS
from decoders.codec import Frame
from simulator import hearing, lorawan, mac
from simulator.answers import Answers
from simulator.engine import Engine
from simulator.flights import Spot, Wave
from simulator.hearing import Multicast
from simulator.lorawan import Data, Header, JoinAccept, JoinRequest, MType
from simulator.mac import Gauge, Settings
from simulator.makes import Application, Credentials, Ether, Kept, Make, Member, is_confirmed
from simulator.region import HIGHEST_DR, JOIN, Channel, eirp_dbm, rx1_dr
from simulator.share import Share, join_pause_s

JOIN_RX1_S, RX2_AFTER_RX1_S = 5, 1
EARLY_NS = 5_000_000  # a window opens a little before the frame that it waits for
SYMBOLS = 12  # … and closes where no preamble was found after so many
ADR_ACK_LIMIT, ADR_ACK_DELAY = 64, 32  # RP002-1.0.4 §2.4.1
TRIES = 8  # of a confirmed uplink in 1.0.3; 1.0.4 repeats it as often as any other
ANSWER_WITHIN_S = (0.5, 3.0)  # of a confirmed downlink; LoRaMac-node's CLASS_B_C_RESP_TIMEOUT is 8 s
PAUSE_S = (1.0, 3.0)  # ACK_TIMEOUT, before a repetition
MOST_WAITING = 16  # frames of the application; the oldest gives way


@dataclass(slots=True)
class _Uplink:
    """A frame on its way: the same bytes at each attempt."""

    phy: bytes
    confirmed: bool = False
    left: int = 0
    channel: Channel = JOIN[0]
    done: bool = False


class EndDevice:
    """One device. Between calls it is always in one of: off, joining, idle, or busy with one uplink."""

    __slots__ = ("_answers", "_app", "_asks", "_battery", "_engine", "_ether", "_first_join_ns", "_heard",
                 "_life", "_multicast", "_must", "_on", "_queue", "_rng", "_rx2_ns", "_share", "_snr", "_stats",
                 "_stretch", "_unanswered", "_uplink", "_waking", "kept", "make", "settings", "spot", "told", "who")

    def __init__(self, who: Credentials, make: Make, kept: Kept | None = None, *, ether: Ether, spot: Spot, engine: Engine,
                 rng: Random, stats: Counter[str], ppm: float = 0.0, battery: Callable[[], int] | None = None) -> None:
        """`ppm`: how much too slow its clock is; `battery`: what DevStatusAns says, by default that it needs none. `stats`
        is shared and counts what happens."""
        self.who, self.make, self.kept = who, make, kept or Kept()
        self._ether, self.spot, self._engine, self._rng, self._stats = ether, spot, engine, rng, stats
        self._stretch, self._battery = 1 + ppm / 1e6, battery
        self._app: Application | None = None
        self._multicast: Multicast | None = None
        self._share = Share()
        self.settings = Settings()
        self.told: tuple[mac.Told | mac.Checked, ...] = ()
        self._answers, self._snr, self._heard = Answers(), 0.0, False
        self._asks = self._must = False  # an acknowledgement is due; something is to be said without the application
        self._unanswered = self._rx2_ns = self._waking = 0
        self._uplink: _Uplink | None = None
        self._queue: deque[Frame] | None = None
        self._life, self._on, self._first_join_ns = 0, False, 0

    def attach(self, app: Application, member: Member | None = None) -> None:
        """The application above; as a `member` of multicast groups, where it may be one."""
        self._app, self._multicast = app, Multicast(member) if member else None

    @property
    def joined(self) -> bool:
        """Whether it has a session."""
        return self._on and self.kept.session is not None

    def power_on(self) -> None:
        """Power comes: go on where it stood, if that has been kept; else join, or begin with the given keys."""
        self._life += 1
        self._on, self._first_join_ns = True, self._engine.now
        self.settings, self.told, self._unanswered, self._waking = Settings(), (), 0, 0
        kept, remembers = self.kept, self.make.remembers and self.kept.session is not None
        if not remembers:
            kept.f_cnt_up, kept.f_cnt_down = 0, -1
        if remembers or not self.make.otaa:
            self._begin()
        else:
            kept.session = None
            self._join(self._life)

    def power_off(self) -> None:
        """Power goes: nothing is said or heard any more."""
        self._life += 1
        self._on, self._queue, self._uplink, self._asks = False, None, None, False
        self._ether.hush(self.spot)

    def rejoin(self) -> None:
        """It restarts, and joins anew if it is one that joins."""
        self.power_off()
        if self.make.otaa:
            self.kept.session = None
        self._engine.after(self._rng.uniform(2, 12), self._restart, self._life)

    def say(self, frame: Frame) -> None:
        """Send this as soon as the air may be used; what waits too long is given up for what is newer."""
        if not self.joined:
            return
        queue = self._queue = self._queue or deque()
        if len(queue) >= MOST_WAITING:
            queue.popleft()
            self._stats["given up"] += 1
        queue.append(frame)
        self._go_on()

    # -- joining

    def _restart(self, life: int) -> None:
        if life == self._life:
            self.power_on()

    def _join(self, life: int) -> None:
        """One request. Data rates from the fastest to the slowest, each twice (TS001-1.0.4 §6.2.5: vary them)."""
        if life != self._life:
            return
        kept, who = self.kept, self.who
        # 1.0.4 counts; 1.0.3 wants chance, and an odd factor gives each of the 65,536 values once, too
        nonce = kept.joins & 0xFFFF if self.make.version == "1.0.4" else kept.joins * 40_503 + 7 & 0xFFFF
        self.settings = replace(self.settings, dr=HIGHEST_DR - kept.joins // 2 % (HIGHEST_DR + 1))
        kept.joins += 1
        self._stats["join requests"] += 1
        self._uplink = _Uplink(lorawan.write_join_request(JoinRequest(who.join_eui, who.dev_eui, nonce), who.app_key))
        self._transmit(life)

    def _join_again(self, uplink: _Uplink) -> None:
        """The longer nobody answers, the less of the air it may use."""
        rate = DATA_RATES[self.settings.dr]
        airtime_s = phy_time_on_air(len(uplink.phy), rate.sf, bandwidth=rate.bandwidth, crc=True)
        pause_s = join_pause_s(airtime_s, self._engine.now - self._first_join_ns)
        self._engine.after(pause_s * self._rng.uniform(1.0, 1.5), self._join, self._life)

    def _accepted(self, accept: JoinAccept, nonce: int) -> None:
        self.settings = mac.after_joining(accept.frequencies, self.settings.dr, accept.rx_delay, accept.rx1_dr_offset,
                                          accept.rx2_dr)
        kept = self.kept
        kept.session, kept.join_nonce = lorawan.session_of(self.who.app_key, accept, nonce), accept.join_nonce
        kept.f_cnt_up, kept.f_cnt_down = 0, -1
        self._life += 1  # the windows that are still to come are not opened
        self._stats["joined"] += 1
        self._begin()

    def _begin(self) -> None:
        """A session begins, or goes on."""
        self._uplink, self._must = None, self.make.asks_time
        self._answers = Answers(bytes([mac.DEVICE_TIME]) if self.make.asks_time else b"")
        self._rest()
        self._engine.after(self._rng.uniform(0.5, 3), self._start, self._life)

    def _start(self, life: int) -> None:
        if life == self._life and self._app is not None:
            self._app.start()
            self._go_on()

    # -- up

    def _go_on(self) -> None:
        """Send what is due, if nothing is under way."""
        while self.joined and self._uplink is None and (self._queue or self._must):
            free_ns = min(self._share.free_at(one) for one in self._channels())
            if free_ns > self._engine.now:
                self._wake_at(free_ns)
                return
            self._uplink = self._made()
            if self._uplink is not None:
                self._transmit(self._life)

    def _wake_at(self, when_ns: int) -> None:
        if not self._engine.now < self._waking <= when_ns:
            self._waking = when_ns
            self._engine.at(when_ns, self._wake, self._life)

    def _wake(self, life: int) -> None:
        if life == self._life:
            self._go_on()

    def _made(self) -> _Uplink | None:
        """The next frame: the application's, or one that only answers. None where it is too long for the data rate."""
        frame = self._queue.popleft() if self._queue else None
        self._queue = self._queue or None  # an empty deque takes 600 bytes
        session, kept = self.kept.session, self.kept
        room = DATA_RATES[self.settings.dr].most - (len(frame.data) if frame else 0)
        if session is None or room < 0:
            self._stats["too long"] += 1
            return None
        alone = self._answers.take_all() if frame is None else b""
        options = b"" if alone else self._answers.take(room)
        asks = self._back_off()
        port, payload = (0, alone) if alone else (frame.port, frame.data) if frame and frame.port else (None, b"")
        confirmed = frame is not None and is_confirmed(frame, self.make.confirms)
        data = Data(True, session.dev_addr, kept.f_cnt_up, port, payload, options, confirmed, self.make.adr, asks, self._asks)
        kept.f_cnt_up += 1
        self._unanswered += 1
        self._asks, self._must = False, False
        self._stats["uplinks"] += 1
        tries = TRIES if confirmed and self.make.version == "1.0.3" else self.settings.nb_trans
        return _Uplink(lorawan.write(data, session), confirmed, tries - 1)

    def _back_off(self) -> bool:
        """ADRACKReq, and what is done about a silence that lasts (§4.3.1.1 of 1.0.3, §4.2.1.3 of 1.0.4)."""
        over = self._unanswered - ADR_ACK_LIMIT
        if not self.make.adr or over < 0:
            return False
        if over and over % ADR_ACK_DELAY == 0:
            self.settings = mac.nearer(self.settings)
            self._stats["adr steps back"] += 1
        return self.make.version == "1.0.4" or self.settings.dr > 0

    def _transmit(self, life: int) -> None:
        """One attempt, on a channel by chance (§4.1)."""
        uplink = self._uplink
        if life != self._life or uplink is None:
            return
        now, channels = self._engine.now, self._channels()
        if not (free := [one for one in channels if self._share.free_at(one) <= now]):
            self._engine.at(min(self._share.free_at(one) for one in channels), self._transmit, life)
            return
        uplink.channel, self._heard = self._rng.choice(free), False
        rate = DATA_RATES[self.settings.dr]
        ended = self._ether.send(self.spot, uplink.phy, Wave(uplink.channel.uplink_hz, rate.sf, rate.bandwidth,
                                                              eirp_dbm(self.settings.power), down=False))
        self._share.spend(channels, uplink.channel, now, ended, self.settings.max_duty)
        self._engine.at(ended, self._sent, life)

    def _sent(self, life: int) -> None:
        if life != self._life:
            return
        delay = self.settings.rx1_delay if self.joined else JOIN_RX1_S
        rx1_ns = self._engine.now + int(delay * NS * self._stretch)
        self._rx2_ns = rx1_ns + int(RX2_AFTER_RX1_S * NS * self._stretch)
        self._rest()
        self._engine.at(rx1_ns - EARLY_NS, self._open_rx1, life)

    def _open_rx1(self, life: int) -> None:
        if life == self._life and self._uplink is not None:
            rate = DATA_RATES[rx1_dr(self.settings.dr, self.settings.rx1_offset)]
            self._listen(self._uplink.channel.downlink_hz, rate, self._own())
            self._engine.after(_window_s(rate), self._close_rx1, life)

    def _close_rx1(self, life: int) -> None:
        if life != self._life or self._waits_for_its_end(self._close_rx1):
            return
        self._rest()
        if self._heard or self._rx2_ns - EARLY_NS < self._engine.now:
            self._over()
        else:
            self._engine.at(self._rx2_ns - EARLY_NS, self._open_rx2, life)

    def _open_rx2(self, life: int) -> None:
        if life != self._life:
            return
        rate = DATA_RATES[self.settings.rx2_dr]
        if not (self.joined and self.make.class_c):  # a class C device listens to that already
            self._listen(self.settings.rx2_hz, rate, self._own())
        self._engine.after(_window_s(rate), self._close_rx2, life)

    def _close_rx2(self, life: int) -> None:
        if life == self._life and not self._waits_for_its_end(self._close_rx2):
            self._rest()
            self._over()

    def _waits_for_its_end(self, then: Callable[[int], None]) -> bool:
        """Whether a frame is being heard, which no window cuts short."""
        busy = self._ether.hearing(self.spot)
        if busy > self._engine.now:
            self._engine.at(busy, then, self._life)
        return busy > self._engine.now

    def _over(self) -> None:
        """Both windows are over: done, once more, or given up."""
        uplink = self._uplink
        if uplink is None:
            return
        if not self.joined:
            self._uplink = None
            self._join_again(uplink)
        elif uplink.done or uplink.left <= 0 or (self._heard and not uplink.confirmed):
            self._stats["unconfirmed"] += uplink.confirmed and not uplink.done
            self._uplink = None
            self._go_on()
        else:
            self._repeat(uplink)

    def _repeat(self, uplink: _Uplink) -> None:
        uplink.left -= 1
        self._stats["repetitions"] += 1
        if uplink.confirmed and self.make.version == "1.0.3" and uplink.left % 2:  # §18.4 of 1.0.3: every second time
            self.settings = mac.slower(self.settings, len(uplink.phy) - lorawan.OVERHEAD - 1)
        self._engine.after(self._rng.uniform(*PAUSE_S), self._transmit, self._life)

    # -- down

    def hears(self, phy: bytes, wave: Wave, rssi_dbm: float, snr_db: float) -> None:  # noqa: ARG002 - an ear's contract
        """A frame has come through the air; most are for others."""
        if not self._on:
            return
        self._snr = snr_db
        head = lorawan.header(phy)
        if lorawan.mtype(phy) is MType.JOIN_ACCEPT:
            self._hear_accept(phy)
        elif head is not None and not head.up and self.kept.session is not None:
            own = head.dev_addr == self.kept.session.dev_addr
            (self._hear_own if own else self._hear_group)(phy, head)

    def _hear_accept(self, phy: bytes) -> None:
        asked = lorawan.read_join_request(self._uplink.phy) if self._uplink is not None else None
        if self.kept.session is not None or asked is None:
            return
        if accept := hearing.accept_of(phy, self.who.app_key, self.kept, self.make.version):
            self._accepted(accept, asked.dev_nonce)
        else:
            self._stats["join accepts refused"] += 1  # another's, broken, or said before

    def _hear_own(self, phy: bytes, head: Header) -> None:
        data = hearing.own_of(phy, head, self.kept, self.make.version)
        if data is None:
            self._stats["downlinks refused"] += 1  # made with another key, said before, or broken
            return
        self.kept.f_cnt_down = data.f_cnt
        self._stats["downlinks"] += 1
        self._heard, self._unanswered = True, 0
        self._answers.heard()
        if data.ack and self._uplink is not None:
            self._uplink.done = True
        self._do(data)
        self._asks = self._asks or data.confirmed
        self._must = self._must or bool(data.confirmed or data.pending or self._answers)
        if self._must and self._uplink is None:
            self._engine.after(self._rng.uniform(*ANSWER_WITHIN_S), self._wake, self._life)

    def _do(self, data: Data) -> None:
        commands = data.options if data.f_port else data.payload or data.options
        if commands:
            gauge = Gauge(mac.EXTERNAL if self._battery is None else self._battery(), self._snr)
            done = mac.obey(self.settings, commands, gauge, version=self.make.version, adr=self.make.adr)
            self.settings, self.told = done.settings, done.told or self.told
            self._answers.add(done)
        if data.f_port:
            self._give(Frame(data.f_port, data.payload))

    def _hear_group(self, phy: bytes, head: Header) -> None:
        """A multicast frame: for the application only, never answered."""
        groups = self._multicast
        data = groups.hear(phy, head.dev_addr, head.counter) if groups else None
        self._stats["multicast" if data else "multicast refused"] += 1
        if groups and data:
            groups.member.receive(Frame(data.f_port or 0, data.payload), to_group=True)

    def _give(self, frame: Frame) -> None:
        if self._app is None:
            return
        before = self._addresses()
        self._app.receive(frame)
        if self._addresses() != before and self._uplink is None:
            self._rest()

    # -- listening

    def _addresses(self) -> set[int]:
        """For whom it listens between uplinks."""
        own = {self.kept.session.dev_addr} if self.kept.session else set()
        return own | self._multicast.addresses if self._multicast else own

    def _own(self) -> Collection[int] | None:
        return None if self.kept.session is None else (self.kept.session.dev_addr,)

    def _rest(self) -> None:
        """Between windows class C listens, class A sleeps."""
        if self.kept.session is None or not self.make.class_c:
            self._ether.hush(self.spot)
        else:
            self._listen(self.settings.rx2_hz, DATA_RATES[self.settings.rx2_dr], self._addresses())

    def _listen(self, hertz: int, rate: DataRate, addresses: Collection[int] | None) -> None:
        self._ether.listen(self.spot, self, hertz, rate.sf, rate.bandwidth, addresses)

    def _channels(self) -> list[Channel]:
        return self.settings.open(self.settings.dr) if self.joined else list(JOIN)


def _window_s(rate: DataRate) -> float:
    return EARLY_NS / NS + SYMBOLS * (1 << rate.sf) / rate.bandwidth
