"""What people read when a run fails: each step with its line, what became of the data, what came between what."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache
from typing import Any, cast

import anyio
import pytest
from attrs import define, evolve, frozen

from effect_runtime import Refused, do, operation
from effect_runtime.errors import Counterexample
from effect_runtime.testing import Canonical, Client, Faults, Planned, Run, Simulation, explore, simulate
from effect_runtime.testing.search._minimal import Failing, everything
from effect_runtime.testing.search._report import counterexample, lines_of
from effect_runtime.testing.world._witness import Change, Witness
from tests.simulation.corpus import bugs, twins
from tests.simulation.corpus.case import Case
from tests.simulation.running import every_fault, simulation_of
from tests.simulation.strangers.premises import Doing, NoAnswer, Program, app_of, desk_of
from tests.simulation.test_corpus import EXPOSED, Told


def _plain(text: str) -> str:
    return re.sub(r" \(\S+\)", "", text)


def _exposed(number: int) -> tuple[Simulation, Run]:
    """Return a case of the corpus, and the run that shows its bug."""
    on_crash, plan = EXPOSED[number]
    case: Case = bugs()[number - 1]
    world = simulation_of(case, faults=every_fault(case), on_crash=on_crash, bound=1_000)
    return world, world.run(Told(plan))


@cache
def _report(number: int) -> Counterexample:
    world, run = _exposed(number)
    with pytest.raises(Counterexample) as found:
        simulate(world, run.plan)
    return found.value


@pytest.mark.parametrize("number", range(1, 20))
def test_every_report_says_what_failed_where_and_with_which_data(number: int) -> None:
    """Each deviation is marked; who does not go on for ever shows what the claim saw, or what was told outside."""
    report = _report(number)
    text = "\n".join(report.trace)
    assert sum(line.startswith("> ") for line in report.trace) == bugs()[number - 1].deviations
    assert re.search(r"bug_\d\d_\w+\.py:\d+", text)
    evidence = [line.startswith("  outside: ") or (" -> " in line and line[:6].isspace()) for line in report.trace]
    assert any(evidence) or report.claim == "livelock"


@pytest.mark.parametrize("number", sorted({*range(1, 20)} - {6, 12, 17}))
def test_every_report_hints_at_what_came_between_with_lines(number: int) -> None:
    """But for a message that comes twice or late, and for a livelock, which repeats before one's eyes."""
    assert re.search(r"\w+\.py:\d+", _report(number).hint or "")


def test_hints_of_two_deviations_name_what_each_came_between() -> None:
    """A sentence for each, in the order in which they happened."""
    hint = _report(15).hint or ""
    first, second = hint.split("\n  then: ")
    assert _plain(first) == "mark precedes Transaction.commit of mark; the first was done, the second was not"
    assert _plain(second) == "pay precedes Transaction.commit of mark; the first was done, the second was not"


def test_a_commit_shows_what_it_changed() -> None:
    """Rows that came, rows that became others, events that were left to be sent."""
    trace = _report(6).trace
    text = [re.sub(r"\s+", " ", line) for line in trace if "Transaction.commit" in line]
    assert text[0].startswith(
        """ t=0.000 desk/ann Transaction.commit record + ('loan', 'b1', 1); events + corpus.lent {"book":"b1"} """
    )
    assert text[2].startswith(
        " t=0.000 hall/hall.by-hand Transaction.commit record ('count', 'b1', 1) -> ('count', 'b1', 2) "
    )


def test_a_witness_sees_lines_and_changes_and_changes_nothing() -> None:
    """The run that is looked at is the same run, step by step."""
    world, run = _exposed(3)
    witness = Witness()
    again = world.run(Planned(run.plan), witness=witness)
    assert (again.trace.hash, again.failure) == (run.trace.hash, run.failure)
    lines = [sight.line or "" for _, sight in sorted(witness.sights.items())]
    assert [line.rpartition(":")[0].endswith("bug_03_publish_before_commit.py") for line in lines[:3]] == [
        False,  # whose turn it is
        True,
        True,
    ]
    assert [change for changes in witness.changes.values() for change in changes] == []
    assert Witness().changes == {}


def test_changes_are_told_by_table() -> None:
    """What went and what came, once it is durable."""
    world, run = _exposed(5)
    witness = Witness()
    world.run(Planned(run.plan), witness=witness)
    first = min(witness.changes)
    assert witness.changes[first] == (Change("record", gone=(("sent", "l1", 0),), come=(("sent", "l1", 1),)),)


def test_a_run_in_the_other_order_says_so() -> None:
    """No site is to blame, so the order itself is the departure."""
    world = simulation_of(bugs()[0], faults=Faults())
    run = world.run(Canonical(), order="first come")
    assert run.failure == "always(no_copy_is_lent_twice)"
    found = counterexample(
        Failing(simulation=world, run=run, on_crash="retry", order="first come", selection=everything(world)),
        covered="by hand",
    )
    assert found.deviations == ("first come, first served",)
    assert found.trace[0] == "> first come, first served: at each boundary whoever is ready first goes on"


def test_what_was_not_tried_without_is_not_said_to_be_needed() -> None:
    """A plan that was merely run may hold deviations that have nothing to do with it."""
    assert not [line for line in _report(3).trace if "<- remove" in line]
    with pytest.raises(Counterexample) as found:
        explore(simulation_of(bugs()[2], faults=Faults(crashes=True)), budget=timedelta(hours=1), runs=200)
    assert [line.endswith("<- remove this and the run passes") for line in found.value.trace if line[0] == ">"] == [
        True
    ]


def test_a_report_says_which_programs_are_enough_and_what_clients_do_about_a_crash() -> None:
    """Of more clients than it takes; both stand below what was covered."""
    case = bugs()[2]
    twice = evolve(case, clients=[*case.clients, *(evolve(client, name="bob") for client in case.clients)])
    with pytest.raises(Counterexample) as found:
        explore(simulation_of(twice, faults=Faults(crashes=True)), budget=timedelta(hours=1), runs=400)
    assert str(found.value).splitlines()[-2:] == [
        "  of 2 programs 1 is enough: ann 0",
        "  clients give up what a crash interrupts",
    ]


def test_what_comes_after_a_broken_always_is_left_out() -> None:
    """Nothing after it belongs to the failure."""
    assert _report(1).trace[-2].endswith("no_copy_is_lent_twice does not hold")


def test_a_livelock_shows_one_round_and_where_everybody_stands() -> None:
    """What comes again and again is shown once, and counted."""
    trace = list(_report(17).trace)
    assert len(trace) < 25
    assert re.fullmatch(r"  \.\.\. \d+ steps: the last 4 of these come again and again, until t=0\.000", trace[-3])
    assert re.fullmatch(r"  desk/bob goes on for ever after take, at bug_17_livelock\.py:\d+", trace[-1])


def test_a_sound_run_has_columns_too() -> None:
    """What the pytest plugin shows of a run that a test rejects for reasons of its own."""
    lines = lines_of(simulation_of(twins()[2], faults=Faults()).run(Canonical()))
    assert re.fullmatch(r"  t=0\.000 -- +healed", lines[-1])
    assert not [line for line in lines if line.startswith(">")]


@define(eq=False)
class Gate:
    """Lets one in; whoever comes while somebody is inside waits for ever."""

    inside: str | None = None

    def reset(self) -> None:
        """Let everybody out."""
        self.inside = None

    @operation(kind="external", idempotent=True)
    async def ask(self, what: str, *, key: str | None = None) -> None:
        """Go in, or wait."""
        if self.inside is not None:
            await anyio.sleep_forever()
        self.inside = what


@frozen
class Cross:
    """Cross the yard."""

    who: str


def test_a_deadlock_says_who_waits_on_which_lines() -> None:
    """From the program inwards, to the line in the service that waits."""
    gate, yard = Gate(), desk_of("yard")

    @yard.command(access="public")
    def enter(cmd: Cross) -> Doing[None, NoAnswer]:
        rt = yield from yard.runtime
        yield from rt.provider.ask(cmd.who)

    @do
    def crosses(who: str) -> Program[None, NoAnswer | Refused]:
        yield from enter(Cross(who))
        gate.inside = None

    clients = [Client(name, [crosses(name)]) for name in ("ann", "bob")]
    app = app_of(yard, provider=cast("Any", gate))  # it has what the handler asks for
    world = Simulation(app, clients, parties=[gate], horizon=timedelta(seconds=20))
    with pytest.raises(Counterexample) as found:
        explore(world, budget=timedelta(hours=1), runs=100)
    assert found.value.claim == "deadlock"
    waiting = [line for line in found.value.trace if "waits for ever" in line]
    place = r"test_reports\.py:\d+"
    assert re.fullmatch(rf"  yard/bob waits for ever after \w+, at {place} -> {place} -> {place}", waiting[-1])
