"""Machines in which time passes, and machines whose process dies between two commands."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from effect_runtime.errors import InvariantBroken, ModelDisagrees
from effect_runtime.testing.properties import Read, machine_of
from library_example.app import library
from tests.testing.seats import Seats, desk_with
from tests.testing.test_machine import QUICK, library_machine

PASSING = (timedelta(minutes=10), timedelta(minutes=5))
LONGER = settings(QUICK, max_examples=150)


def test_what_is_due_happens_while_time_passes() -> None:
    """Holds expire in the application and in its model alike, and processes die in between."""
    machine = machine_of(desk_with(None), model=Seats, passing=PASSING, restarts=True)
    run_state_machine_as_test(machine, settings=QUICK)


def test_what_happens_at_the_wrong_time_is_found() -> None:
    """A seat that was bought expires all the same: the story says when."""
    desk = desk_with("expires although it was bought")
    with pytest.raises(ModelDisagrees) as caught:
        run_state_machine_as_test(machine_of(desk, model=Seats, passing=[timedelta(minutes=15)]), settings=LONGER)
    told = [re.sub(r"value='[^']*'", "value='ID'", line) for line in caught.value.story if "Failed" not in line]
    seat = told[0].split("'")[1]
    assert [re.sub(r"step-\d", "step", line) for line in told] == [
        f"hold(Hold(seat='{seat}'))  # step: Succeeded(value='ID')",
        f"buy(Buy(seat='{seat}'))  # step: Succeeded(value=1)",
        "0:15:00 passes  # it is 2030-01-01 12:15:00",
        f"hold(Hold(seat='{seat}'))  # step: Succeeded(value='ID')",
    ]


def test_without_time_nothing_is_due() -> None:
    """The same bug is not met by a machine in which no time passes."""
    machine = machine_of(desk_with("expires although it was bought"), model=Seats)
    run_state_machine_as_test(machine, settings=QUICK)


def test_an_invariant_is_held_after_time_has_passed() -> None:
    """It sees the model as it is by then."""

    def nothing_is_let_go(model: Seats, read: Read) -> bool:
        return not model.gone

    with pytest.raises(InvariantBroken) as caught:
        run_state_machine_as_test(
            machine_of(desk_with(None), model=Seats, invariants=[nothing_is_let_go], passing=[timedelta(minutes=15)]),
            settings=QUICK,
        )
    assert len(caught.value.story) == 2
    assert caught.value.story[-1] == "0:15:00 passes  # it is 2030-01-01 12:15:00"


def test_what_only_the_process_knows_is_found_by_killing_it() -> None:
    """A count kept in memory begins again with the next process."""
    with pytest.raises(ModelDisagrees) as caught:
        run_state_machine_as_test(machine_of(desk_with("counts in memory"), model=Seats, restarts=True), settings=QUICK)
    assert (caught.value.exit, caught.value.expected) == ("Succeeded(value=1)", "Succeeded(value=2)")
    assert "the process dies, and another begins" in caught.value.story


def test_without_restarts_a_process_lives_for_ever() -> None:
    """The same bug is not met by a machine that kills nobody."""
    run_state_machine_as_test(machine_of(desk_with("counts in memory"), model=Seats), settings=QUICK)


TestLibraryThatRestarts = library_machine(library(Path("nowhere")), restarts=True).TestCase
TestLibraryThatRestarts.settings = settings(max_examples=settings().max_examples // 4, stateful_step_count=25)
