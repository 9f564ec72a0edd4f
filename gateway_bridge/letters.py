"""`stadtfunk letters`: dead letters, and what to do about them: list, show, replay."""

import argparse
import asyncio
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from city.clock import Clock, SystemClock
from city.errors import NotFound, StoreDown, Unsupported
from city.settings import load
from city.store.opening import open_store
from city.store.ports import DeadLetter, ReadingLog, Store
from city.store.readings import open_log
from gateway_bridge.mend import REQUESTED, replay, request
from gateway_bridge.reading import WAITS, Reader
from gateway_bridge.ship import TOPIC as LINES

MOST = 100_000
PREVIEW = 2000
PATIENCE_S, POLL_S = 15.0, 0.25


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 where a letter that was to be replayed still cannot be read. Raises CityError."""
    words = _parser().parse_args(argv)
    settings = load(words.settings)
    store = open_store(settings.database.url.reveal())
    try:
        if words.action == "list":
            return _list(store, words.limit, words.reason)
        if words.action == "show":
            return _show(store.letter(words.id))
        log = open_log(settings.log)
        try:
            with Reader(store, settings.scripts) as reader:
                return _replay(store, log, SystemClock(), _chosen(store, words), reader)
        finally:
            log.close()
    finally:
        store.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stadtfunk letters", description=__doc__)
    parser.add_argument("--settings", type=Path, metavar="FILE", help="settings (default: stadtfunk.toml)")
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="the newest letters, and how many there are by reason")
    listing.add_argument("--reason", help="only these")
    listing.add_argument("--limit", type=int, default=50, help="how many (default: 50)")
    showing = actions.add_parser("show", help="one letter, whole")
    showing.add_argument("id")
    replaying = actions.add_parser("replay", help="try again to read letters; what can be read now is kept")
    which = replaying.add_mutually_exclusive_group(required=True)
    which.add_argument("id", nargs="?", help="one letter")
    which.add_argument("--all", action="store_true", help="all letters")
    which.add_argument("--reason", help="all letters with this reason")
    return parser


def _chosen(store: Store, words: argparse.Namespace) -> Sequence[DeadLetter]:
    """Oldest first, as the events came; lines that InfluxDB has refused are not events. Raises NotFound, Unsupported."""
    if words.id:
        letter = store.letter(words.id)
        if letter.topic == LINES:
            raise Unsupported("This is a line that InfluxDB has refused: `stadtfunk ship replay` sends it again.")
        return [letter]
    return sorted((letter for letter in store.all_letters(MOST, words.reason) if letter.topic != LINES),
                  key=lambda letter: letter.received_at)


def _list(store: Store, limit: int, reason: str | None) -> int:
    for letter in store.all_letters(limit, reason):
        _say(f"{letter.id}  {letter.received_at:%Y-%m-%d %H:%M:%S}Z  {letter.count:>5}x  {letter.reason}: {letter.detail}")
    for name, count in sorted(store.count_letters().items()):
        _say(f"{count:>8}  {name}")
    for sentence in _about_scripts(store):
        _say(sentence)
    return 0


def _about_scripts(store: Store) -> Iterator[str]:
    """What is wrong with towns' scripts, a sentence each."""
    for script in store.scripts():
        if script.off:
            since = f" since {script.changed_at:%Y-%m-%d %H:%M}Z" if script.changed_at else ""
            who = f" by {script.changed_by}" if script.changed_by else ""
            yield f"The script of {script.model} in {script.tenant} is switched off{since}{who}: {script.off}"
    for town in sorted(store.towns_with_letters(WAITS)):
        oldest = store.oldest_letters(town, WAITS, 1)
        for letter in oldest:
            yield (f"Frames of {town} have waited for its scripts since {letter.received_at:%Y-%m-%d %H:%M:%S}Z; the bridge "
                   f"reads them by itself: {letter.detail}")


def _show(letter: DeadLetter) -> int:
    _say(f"id:       {letter.id}\nreceived: {letter.received_at.isoformat()}\ncount:    {letter.count}")
    _say(f"tenant:   {letter.tenant or '-'}\ntopic:    {letter.topic}\nreason:   {letter.reason}: {letter.detail}")
    _say(f"payload:  {len(letter.payload)} bytes\n{_readable(letter.payload)}")
    return 0


def _replay(store: Store, log: ReadingLog, clock: Clock, letters: Iterable[DeadLetter], reader: Reader) -> int:
    """Here, where no bridge runs; else the bridge is asked to, and waited for."""
    results: dict[str, str] = {}
    waiting: list[DeadLetter] = []
    for letter in letters:
        try:
            results[letter.id] = replay(store, log, letter, clock.now(), reader)
        except StoreDown:
            waiting.append(letter)
    if waiting:
        request(store, waiting, clock.now())
        results.update(asyncio.run(_await(store, clock, waiting)))
    for name, reason in results.items():
        _say(f"{name}  {'still ' + reason if reason else 'read'}")
    left = sum(bool(reason) for reason in results.values())
    _say(f"{len(results) - left} read, {left} left")
    return 1 if left else 0


async def _await(store: Store, clock: Clock, letters: Sequence[DeadLetter]) -> dict[str, str]:
    """What the bridge has made of them; those it has not come to in time are still requested."""
    results = {letter.id: REQUESTED for letter in letters}
    for _ in range(round(PATIENCE_S / POLL_S)):
        waiting = [name for name, reason in results.items() if reason == REQUESTED]
        if not waiting:
            break
        await clock.sleep(POLL_S)
        results.update((name, _reason(store, name)) for name in waiting)
    return results


def _reason(store: Store, id: str) -> str:
    try:
        return store.letter(id).reason
    except NotFound:
        return ""


def _readable(payload: bytes) -> str:
    text = payload[:PREVIEW].decode("utf-8", "replace")
    return text if text.isprintable() else payload[:PREVIEW].hex(" ")


def _say(text: str) -> None:
    """To the terminal: input from outside must not steer it."""
    sys.stdout.write("".join(c if c.isprintable() or c == "\n" else "�" for c in text) + "\n")


if __name__ == "__main__":
    sys.exit(main())
