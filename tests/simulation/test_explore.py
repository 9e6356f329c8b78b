"""The search: what it finds, how small it makes it, what it says of what it did not find, and how a blob repeats it."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve, frozen

from effect_runtime.effect import Exit, Failed, Succeeded
from effect_runtime.errors import BlobUnreadable, Counterexample, NeverReached, SitesVanished
from effect_runtime.testing import Complete, Covered, Faults, Linearizable, Simulation, Tally, View, explore, replay
from effect_runtime.testing.search._blob import Blob
from tests.simulation.corpus import bugs, twins
from tests.simulation.corpus.case import Case
from tests.simulation.running import every_fault, simulation_of

AGES = timedelta(hours=1)


def _bug(number: int) -> Simulation:
    return _world(bugs()[number - 1])


def _twin(number: int) -> Simulation:
    return _world(twins()[number - 1])


def _world(case: Case) -> Simulation:
    return simulation_of(case, faults=every_fault(case))


def _without_lines(text: str) -> str:
    """Leave out the lines of the user's, which change with the corpus."""
    return re.sub(r" *\(?bug_\w+\.py:\d+\)?", "", text)


def _found(simulation: Simulation, **options: Any) -> Counterexample:
    with pytest.raises(Counterexample) as found:
        explore(simulation, budget=AGES, runs=options.pop("runs", 1_000), **options)
    return found.value


@pytest.mark.parametrize("number", range(1, 20))
def test_each_planted_bug_is_found_and_made_as_small_as_it_can_be(number: int) -> None:
    """Within a thousand runs; the report has as many deviations as the case declares, and knows that fewer pass."""
    found = _found(_bug(number))
    assert (len(found.deviations), found.least) == (bugs()[number - 1].deviations, True)


@pytest.mark.parametrize("number", range(1, 20))
def test_no_twin_gives_alarm(number: int) -> None:
    """Every single deviation, and some more by chance."""
    assert explore(_twin(number), budget=AGES, runs=60, deviations=1).boundaries


@pytest.mark.parametrize("number", [1, 3, 15])
def test_a_blob_repeats_the_failure_in_a_world_made_anew(number: int) -> None:
    """The same claim fails with the same deviations and the same trace."""
    found = _found(_bug(number))
    with pytest.raises(Counterexample) as repeated:
        replay(_bug(number), found.blob)
    again = repeated.value
    assert (again.claim, again.deviations, _deeds(again)) == (found.claim, found.deviations, _deeds(found))
    assert again.least is None  # nobody has looked for a smaller one, nor taken anything out


def _deeds(told: Counterexample) -> list[str]:
    """Return the lines of a trace without what is known of their being needed."""
    return [line.partition("    <-")[0] for line in told.trace]


def test_a_blob_passes_once_the_bug_is_mended() -> None:
    """The plan is run in the world as it is now, and returned."""
    found = _found(_bug(3))
    with pytest.raises(SitesVanished, match=r"Outside\.tell"):
        replay(_twin(3), found.blob)  # mended by telling somewhere else
    mended = replay(_twin(4), _found(_bug(4)).blob)
    assert (mended.is_sound, mended.has_changed) == (True, True)


def test_a_blob_says_whether_the_program_is_the_one_it_was_made_of() -> None:
    """What was mended is another program, and so is what was broken otherwise; claims and faults are no program."""
    found = _found(_bug(1))
    with pytest.raises(Counterexample) as same:
        replay(_bug(1), found.blob)
    unclaimed = replay(simulation_of(evolve(bugs()[0], always=()), faults=every_fault(bugs()[0])), found.blob)
    told = Blob.of(found.blob)
    with pytest.raises(Counterexample) as other:
        replay(_bug(1), str(evolve(told, digest="0" * 12)))
    assert same.value.covered.startswith("repeated from its blob")
    assert "has changed" not in same.value.covered
    assert (unclaimed.is_sound, unclaimed.has_changed) == (True, False)
    assert other.value.covered.startswith("repeated from its blob; the program has changed since")


def test_sites_that_vanish_from_the_same_program_are_a_matter_of_its_world() -> None:
    """Undisturbed it does what it did: the fault is no longer offered."""
    found = _found(_bug(3))
    with pytest.raises(SitesVanished) as vanished:
        replay(simulation_of(bugs()[2], faults=Faults()), found.blob)
    assert not vanished.value.has_changed
    assert str(vanished.value).startswith("faults or clients are others than when this plan was made")


def test_a_blob_for_clients_who_no_longer_come_is_refused() -> None:
    """It names whose program is missing."""
    found = _found(_bug(1))
    alone = _bug(1).among(_bug(1).clients[:1])
    with pytest.raises(SitesVanished, match="program 0 of client bob"):
        replay(alone, found.blob)


@pytest.mark.parametrize("text", ["", "sim0:abc", "sim1:abc", "sim1:eJwDAAAAAAE"])
def test_what_is_no_blob_is_refused(text: str) -> None:
    """Another version, a torn word, something else altogether."""
    with pytest.raises(BlobUnreadable):
        replay(_bug(1), text)


def test_a_report_names_the_deviation_to_remove_and_what_came_between() -> None:
    """Claim, size, blob; then the trace in columns with its mark, a hint, and what was tried before."""
    lines = str(_found(_bug(3))).splitlines()
    assert re.fullmatch(
        r"FAIL at_end\(what_is_told_is_true\)    1 deviation \(all smaller plans pass\)    replay: sim1:\S+", lines[0]
    )
    assert [_without_lines(line) for line in lines[1:9]] == [
        "  t=0.000 desk/ann   Records.put                   'loan', 'b1', 1",
        "> t=0.000 desk/ann   CRASH after Outside.tell #1    <- remove this and the run passes",
        "  t=0.100 desk/main  restart",
        "  t=0.100 --         healed",
        "  t=0.100 --         what_is_told_is_true does not hold",
        "      desk: SELECT kind, key, value FROM record ORDER BY kind, key -> no row",
        "  outside: Listener(told=['b1'], answers=True)",
        "  hint: Outside.tell precedes Transaction.commit of lend; the first was done, the second was not, "
        "and what lend had done in its transaction is undone",
    ]
    assert lines[9].startswith("  found by plan ")
    assert lines[10] == "  clients give up what a crash interrupts"


def test_a_race_is_reported_as_one_switch_with_what_came_between() -> None:
    """Although it was first seen in the other order, where no deviation shows which step matters."""
    found = _found(_bug(1))
    assert found.deviations == ("switch at shop/ann Readings.all #1 (schedule)",)
    assert _without_lines(found.hint or "") == (
        "while ann was put off before Readings.all came bob's Records.put, bob's Transaction.commit of lend, bob's lend"
    )


def test_a_livelock_is_found_and_says_who_goes_on() -> None:
    """Too much happens at one instant; it need not happen for long."""
    found = _found(_bug(17))
    assert found.claim == "livelock"
    assert [_without_lines(line) for line in found.trace[-2:]] == [
        "  desk/ann goes on for ever after take, at",
        "  desk/bob goes on for ever after take, at",
    ]


def test_a_finite_world_is_searched_to_its_end() -> None:
    """Without faults two clients meet in few ways; all of them are tried, and that is what is returned."""
    complete = explore(simulation_of(twins()[0], faults=Faults()), budget=AGES)
    assert isinstance(complete, Complete)
    assert list(complete.boundaries) == ["switch"]
    assert str(complete).startswith("complete: every plan there is; ")


def test_what_was_covered_says_where_each_fault_was_tried() -> None:
    """Every place that a crash could hit was hit; the bound is a statement."""
    simulation = simulation_of(twins()[9], faults=Faults(crashes=True))
    covered = explore(simulation, budget=AGES, runs=200)
    assert isinstance(covered, Covered)
    assert covered.boundaries == {"crash after": Tally(5, 5), "crash before": Tally(5, 5)}
    assert covered.deviations >= 1
    assert (covered.plans, covered.drawn) != (0, 0)


def test_the_same_seed_searches_the_same_way() -> None:
    """Runs, outcomes and places are the same; nothing depends on the clock when runs are what is bounded."""
    first, second = (explore(_twin(9), budget=AGES, runs=80, seed=3) for _ in range(2))
    assert first == second


def test_a_search_ends_when_its_time_is_over() -> None:
    """The clock is an argument: each look at it takes a second here."""
    ticks = itertools.count()
    covered = explore(_twin(1), budget=timedelta(seconds=20), clock=lambda: float(next(ticks)))
    assert isinstance(covered, Covered)
    assert covered.plans + covered.drawn < 40


def never(view: View) -> bool:
    """Does not happen."""
    return False


def a_copy_is_lent(view: View) -> bool:
    """Happens in each run."""
    return bool(view.query("shop", "SELECT 1 FROM record WHERE kind = 'loan'"))


def test_what_should_happen_sometimes_and_never_does_fails_the_search() -> None:
    """It says which claims were never reached, and what was tried."""
    case = twins()[0]
    world = simulation_of(case, faults=Faults(), sometimes=[a_copy_is_lent])
    assert explore(world, budget=AGES).reached == ("a_copy_is_lent",)
    with pytest.raises(NeverReached) as missing:
        explore(simulation_of(case, faults=Faults(), sometimes=[a_copy_is_lent, never]), budget=AGES)
    assert missing.value.claims == ("never",)


@frozen
class Shop:
    """A shop as its clients should see it: copies that are free, and loans by patron."""

    copies: int = 1

    def apply(self, message: Any) -> tuple[Shop, Exit[Any, Any]]:
        """Answer a question, or lend one of the copies."""
        if type(message).__name__ == "CopiesFree":
            return self, Succeeded(self.copies)
        if not self.copies:
            return self, Failed("none left")
        return Shop(self.copies - 1), Succeeded(None)


def test_answers_that_no_order_explains_are_shown_as_the_shortest_beginning() -> None:
    """Both are told that a copy was lent to them; one message at a time that cannot be."""
    found = _found(simulation_of(evolve(bugs()[0], always=()), linearizable=Linearizable(Shop())))
    assert found.claim == "linearizable(Shop)"
    shown = [line for line in found.trace if "Lend(" in line and "->" in line]
    assert [line.strip() for line in shown[-2:]] == [
        "[]     bob: Lend(book='b1', patron='bob') -> None",
        "[]  ann: Lend(book='b1', patron='ann') -> None, where the model says Failed(error='none left')",
    ]


def test_plans_are_made_small_in_the_order_that_was_allowed() -> None:
    """Something has to go wrong twice, a crash among it: both stay, and nothing else."""
    found = _found(_bug(15))
    assert (len(found.deviations), any("crash" in each for each in found.deviations)) == (2, True)
