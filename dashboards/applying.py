"""`stadtfunk dashboards plan | apply`: shows what differs between Grafana and what it should have, and mends it."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from city.errors import CityError, Invalid
from dashboards.plan import Do, OrgStep, Step, does_something, organisations, steps
from dashboards.provision import Grafana, SignIn
from dashboards.wanted import Place

COLOURS = {Do.MAKE: "green", Do.CHANGE: "yellow", Do.REMOVE: "red", Do.KEEP: "dim", Do.STAYS: "magenta"}
WORDS = {Do.MAKE: "new", Do.CHANGE: "changed", Do.REMOVE: "removed", Do.KEEP: "as it should be", Do.STAYS: "left"}


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done in one organisation. `grafana` sees it from there; None for one that is still to be made."""

    org: OrgStep
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """`complete`: the places are all towns that there are; `remove`: organisations of other towns are deleted."""

    complete: bool
    remove: bool = False


def look(grafana: Grafana, sign_in: SignIn, places: Sequence[Place], scope: Scope) -> list[Work]:
    """What is to be done. Raises Invalid where a token is to serve more than one town, GrafanaDown, GrafanaRefuses."""
    grafana.version()
    if not sign_in.whole_server:
        return [_one_organisation(grafana, places)]
    found = []
    for org in organisations(places, grafana.orgs(), complete=scope.complete, remove=scope.remove):
        if org.place is None:
            found.append(Work(org, ()))
        elif org.do is Do.MAKE:
            found.append(Work(org, tuple(Step(Do.MAKE, thing.kind, thing.uid, thing.title, thing=thing)
                                         for thing in org.place.things)))
        else:
            with _inside(grafana, org.number) as inside:
                found.append(Work(org, tuple(steps(org.place, inside.found(org.place)))))
    return found


def show(console: Console, work: Sequence[Work], *, everything: bool) -> None:
    """The plan as tables; what is as it should be only counted, unless `everything`."""
    for part in work:
        table = Table(title=_heading(part.org), title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
        table.add_column("", width=1)
        table.add_column("kind", no_wrap=True)
        table.add_column("name", overflow="fold")
        table.add_column("what differs", overflow="fold")
        for step in part.steps:
            if step.do is not Do.KEEP or everything:
                table.add_row(Text(step.do.value, COLOURS[step.do]), step.kind.value, Text(step.title),
                              Text("\n".join(step.details)))
        if table.row_count:
            console.print(table)
        else:
            console.print(_heading(part.org))
        console.print()
    console.print(summary(work))


def summary(work: Sequence[Work]) -> str:
    """How many of each."""
    every = [step.do for part in work for step in part.steps] + [part.org.do for part in work if part.org.do is not Do.KEEP]
    return ", ".join(f"{do.value} {every.count(do)} {WORDS[do]}" for do in Do if do in every) or "nothing is wanted"


def is_done(work: Sequence[Work]) -> bool:
    """Whether nothing has to be written."""
    return not any(does_something(part.org) or any(map(does_something, part.steps)) for part in work)


def carry_out(grafana: Grafana, work: Sequence[Work], console: Console) -> int:
    """Do it, and return how many things were written. Where it breaks off, says what is done; another run does the rest."""
    todo = sum(does_something(part.org) + sum(map(does_something, part.steps)) for part in work)
    done = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Grafana", total=todo)
        try:
            for part in work:
                number = part.org.number
                if does_something(part.org):
                    number = grafana.organise(part.org)
                    done += 1
                    progress.update(task, advance=1)
                    console.print(Text(f"{part.org.do.value} organisation {part.org.name}"))
                if part.org.place is None or not any(map(does_something, part.steps)):
                    continue
                with _inside(grafana, number) as inside:
                    for step in filter(does_something, part.steps):
                        inside.carry_out(step, part.org.place)
                        done += 1
                        progress.update(task, advance=1)
                        console.print(Text(f"{step.do.value} {step.kind.value} {step.title}"))
        except CityError:
            console.print(Text(f"{done} of {todo} things are done; run it again for the rest.", "red"))
            raise
    return done


def _one_organisation(grafana: Grafana, places: Sequence[Place]) -> Work:
    towns = [place for place in places if place.tenant is not None]
    if len(towns) != 1:
        raise Invalid("A service account's token is good for one organisation of Grafana, so for one town: name it with "
                      "--tenant, or sign in as a server administrator (grafana.user).", field="tenant", rule="one town")
    [org] = grafana.orgs()
    others = sorted(org.towns - {str(towns[0].tenant)})
    if others:
        raise Invalid("The token's organisation “{org}” is {town}'s, not {tenant}'s.", field="grafana.token",
                      rule="the town's organisation", org=org.name, town=others[0], tenant=towns[0].tenant)
    left = "the token's organisation; its name is left as it is, and the platform's board needs a server administrator"
    return Work(OrgStep(Do.KEEP, org.number, org.name, towns[0], (left,)), tuple(steps(towns[0], grafana.found(towns[0]))))


@contextmanager
def _inside(grafana: Grafana, org: int) -> Iterator[Grafana]:
    inside = grafana.inside(org)
    try:
        yield inside
    finally:
        inside.close()


def _heading(org: OrgStep) -> Text:
    number = f" ({org.number})" if org.number else ""
    said = f": {'; '.join(org.details)}" if org.details else ""
    return Text(f"{org.do.value} organisation {org.name}{number}{said}", COLOURS[org.do] if org.do is not Do.KEEP else "bold")


def agrees(console: Console) -> bool:
    """Whether the person at the terminal says yes; nobody there is no."""
    if not sys.stdin.isatty():
        return False
    return console.input("Carry this out? [yes/no] ").strip().lower() in ("y", "yes", "j", "ja")
