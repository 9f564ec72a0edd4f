"""`stadtfunk letters`: dead letters, and what to do about them: list, show, replay."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from city.clock import Clock, SystemClock
from city.settings import load
from city.store.opening import open_store
from city.store.ports import DeadLetter, ReadingLog, Store
from city.store.readings import LocalLog
from gateway_bridge.link import Message
from gateway_bridge.listen import parse_all, store_facts
from gateway_bridge.pipeline import devices_of, handle_all

MOST = 100_000
PREVIEW = 2000


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
        log = LocalLog(Path(settings.log.directory), keep_days=settings.log.keep_days)
        try:
            return _replay(store, log, SystemClock(), _chosen(store, words))
        finally:
            log.close()
    finally:
        store.close()


def replay(store: Store, log: ReadingLog, letter: DeadLetter, now: datetime) -> str:
    """Run the letter's payload through the pipeline again. Returns "" where that worked, and the letter is gone; else
    the reason why it is still one. Raises Unavailable."""
    arrivals = parse_all([Message(letter.topic, letter.payload)])
    facts = handle_all(arrivals, store.view(devices_of(arrivals)), now).facts
    if facts.letters:
        return facts.letters[0].reason
    store_facts(store, log, facts)
    store.remove_letter(letter.id)
    return ""


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
    """Oldest first, as the events came."""
    if words.id:
        return [store.letter(words.id)]
    return sorted(store.all_letters(MOST, words.reason), key=lambda letter: letter.received_at)


def _list(store: Store, limit: int, reason: str | None) -> int:
    for letter in store.all_letters(limit, reason):
        _say(f"{letter.id}  {letter.received_at:%Y-%m-%d %H:%M:%S}Z  {letter.count:>5}x  {letter.reason}: {letter.detail}")
    for name, count in sorted(store.count_letters().items()):
        _say(f"{count:>8}  {name}")
    return 0


def _show(letter: DeadLetter) -> int:
    _say(f"id:       {letter.id}\nreceived: {letter.received_at.isoformat()}\ncount:    {letter.count}")
    _say(f"tenant:   {letter.tenant or '-'}\ntopic:    {letter.topic}\nreason:   {letter.reason}: {letter.detail}")
    _say(f"payload:  {len(letter.payload)} bytes\n{_readable(letter.payload)}")
    return 0


def _replay(store: Store, log: ReadingLog, clock: Clock, letters: Iterable[DeadLetter]) -> int:
    left = done = 0
    for letter in letters:
        reason = replay(store, log, letter, clock.now())
        left, done = left + bool(reason), done + (not reason)
        _say(f"{letter.id}  {'still ' + reason if reason else 'read'}")
    _say(f"{done} read, {left} left")
    return 1 if left else 0


def _readable(payload: bytes) -> str:
    text = payload[:PREVIEW].decode("utf-8", "replace")
    return text if text.isprintable() else payload[:PREVIEW].hex(" ")


def _say(text: str) -> None:
    """To the terminal: input from outside must not steer it."""
    sys.stdout.write("".join(c if c.isprintable() or c == "\n" else "�" for c in text) + "\n")


if __name__ == "__main__":
    sys.exit(main())
