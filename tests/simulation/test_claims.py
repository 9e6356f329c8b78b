"""Claims: what they may look at, what they may say, and what becomes of one that cannot tell."""

from __future__ import annotations

import inspect
import sqlite3
from functools import partial

import pytest
from attrs import evolve

from effect_runtime.effect import Failed, Succeeded
from effect_runtime.errors import ClaimBroken, Counterexample
from effect_runtime.testing import Canonical, Claim, Fails, Faults, Run, Simulation, View, explore
from tests.simulation.corpus import bugs, twins
from tests.simulation.corpus.office import NoAnswer, Outside
from tests.simulation.running import simulation_of

QUESTION = "SELECT key FROM record WHERE kind = 'loan'"


def _world(at_end: Claim, number: int = 1, faults: Faults | None = None) -> Simulation:
    case = evolve(twins()[number - 1], always=(), eventually=(), at_end=())
    return simulation_of(case, faults=faults or Faults(), claims=[at_end])


def _run(claim: Claim) -> Run:
    return _world(claim).run(Canonical())


def test_a_claim_that_does_not_hold_is_told_with_what_it_looked_at() -> None:
    """The question and its rows; the same question is told once."""

    def nothing_is_lent(view: View) -> bool:
        return not view.query("shop", QUESTION) or not view.query("shop", QUESTION)

    run = _run(nothing_is_lent)
    assert (run.failure, run.said) == ("at_end(nothing_is_lent)", {"nothing_is_lent": (f"shop: {QUESTION} -> 'ann'",)})


def test_a_claim_may_say_what_it_has_seen() -> None:
    """The message of an AssertionError stands in the report, line by line."""

    def a_copy_is_left(view: View) -> bool:
        lent = view.query("shop", QUESTION)
        assert not lent, f"1 copy\nlent to {lent[0][0]}"
        return True

    assert _run(a_copy_is_left).said["a_copy_is_left"][0] == "1 copy"
    with pytest.raises(Counterexample) as found:
        explore(_world(a_copy_is_left))
    assert "lent to ann" in [line.strip() for line in found.value.trace]


def test_a_claim_may_look_at_what_clients_were_told() -> None:
    """Each client's programs, as they have ended."""

    def everybody_succeeds(view: View) -> bool:
        return all(isinstance(exit, Succeeded) for exits in view.exits.values() for exit in exits)

    run = _run(everybody_succeeds)
    (said,) = run.said["everybody_succeeds"]
    assert said.startswith("exits: ann Succeeded(value=None), bob Failed(error=")
    assert [type(exits[0]) for exits in run.exits.values()] == [Succeeded, Failed]


def test_a_claim_may_look_at_dead_letters() -> None:
    """An event that was given up is one, with its cause."""

    def nothing_is_given_up(view: View) -> bool:
        return not view.dead_letters("hall")

    faults = Faults(fails=(Fails(Outside.ask, NoAnswer()),))
    case = evolve(bugs()[12], eventually=())
    with pytest.raises(Counterexample) as found:
        explore(simulation_of(case, faults=faults, claims=[nothing_is_given_up]))
    assert "      hall: dead letters NoAnswer()" in found.value.trace


def test_a_claim_that_raises_is_an_error_of_its_own() -> None:
    """It is no verdict on the application: claim, line and cause are named, and what it should do."""

    def asks_for_a_table_that_is_not_there(view: View) -> bool:
        return not view.query("shop", "SELECT 1 FROM nowhere")

    with pytest.raises(ClaimBroken, match="no such table: nowhere") as broken:
        explore(_world(asks_for_a_table_that_is_not_there))
    _, first = inspect.getsourcelines(asks_for_a_table_that_is_not_there)
    assert (broken.value.claim, broken.value.place) == (
        "asks_for_a_table_that_is_not_there",
        f"{__file__}:{first + 1}",
    )
    assert isinstance(broken.value.__cause__, sqlite3.OperationalError)


def test_a_claim_that_returns_nothing_is_refused() -> None:
    """A forgotten `return` must neither pass nor fail."""

    def forgets(view: View) -> bool:
        view.query("shop", QUESTION)
        return None  # type: ignore[return-value]  # on purpose

    with pytest.raises(ClaimBroken, match="it returned None"):
        _run(forgets)


def test_an_assertion_in_a_claim_of_sometimes_is_a_moment_in_which_it_does_not_hold() -> None:
    """It is reached all the same once it holds."""

    def a_copy_is_lent(view: View) -> bool:
        assert view.query("shop", QUESTION)
        return True

    world = simulation_of(twins()[0], faults=Faults(), sometimes=[a_copy_is_lent])
    assert world.run(Canonical()).reached == ("a_copy_is_lent",)


def test_a_claim_with_arguments_keeps_its_name() -> None:
    """A partial is called by its function's name."""

    def is_not_lent_to(patron: str, view: View) -> bool:
        return (patron,) not in view.query("shop", QUESTION)

    assert _run(partial(is_not_lent_to, "ann")).failure == "at_end(is_not_lent_to)"
