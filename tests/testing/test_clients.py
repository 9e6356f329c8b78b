"""Commands and plans drawn together: several at once, and whatever may go wrong."""

from __future__ import annotations

from typing import Any, TypeAlias

import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from returns.result import Result, Success

from effect_runtime import A, App, Context, Do, E, Succeeded, operation
from effect_runtime.errors import Counterexample, NotSimulated
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.testing import Deviations, Faults, Run, Simulation, View, simulate
from effect_runtime.testing.properties import clients_of, commands_of, plans
from tests.testing.bank import AccountId, GetTally, Move, OpenAccount, bank_with


class Box:
    """A box of tickets outside: whoever looks and takes later may take what is gone."""

    def __init__(self) -> None:
        self.tickets = 2

    def reset(self) -> None:
        """Fill it."""
        self.tickets = 2

    @operation(kind="external", idempotent=True)
    async def left(self) -> int:
        """Look."""
        return self.tickets

    @operation(kind="external", idempotent=True)
    async def take(self, careful: bool) -> Result[None, SoldOut]:
        """Take one; who is careful looks once more."""
        if self.tickets > 0 or not careful:
            self.tickets -= 1
        return Success(None)


@frozen
class Runtime:
    """What the office runs with."""

    box: Box


@frozen
class Take:
    """Take a ticket, if there is one."""


@frozen
class SoldOut:
    """There is none."""


Office: TypeAlias = Do[A, E, Runtime]


def office(box: Box, *, careful: bool) -> tuple[App, Context[Any, Any]]:
    """Return an office, sound or with a race."""
    context = Context("office", Runtime)

    @context.command(access="public")
    def take(command: Take) -> Office[bool, SoldOut]:
        rt = yield from context.runtime
        left = yield from rt.box.left()
        if left > 0:
            yield from rt.box.take(careful)
        return left > 0

    return App("office", contexts=[context.bind(lambda tx: Runtime(box), store=MemoryStore("office"))]), context


def world(box: Box, *, careful: bool) -> tuple[Simulation, Context[Any, Any]]:
    """Return a world without clients: they are drawn."""

    def no_ticket_is_taken_twice(view: View) -> bool:
        return box.tickets >= 0

    app, context = office(box, careful=careful)
    return Simulation(app, [], parties=[box], always=[no_ticket_is_taken_twice]), context


SOUND, sound = world(Box(), careful=True)
RACE, race = world(Box(), careful=False)


@given(commands=st.lists(commands_of(sound), max_size=6), plan=plans(SOUND))
@settings(max_examples=50, deadline=None)
def test_a_sound_world_stands_whatever_is_drawn(commands: list[Any], plan: Deviations) -> None:
    """Commands for three at once, and a plan."""
    run = simulate(SOUND, plan, clients=clients_of(sound, commands, fibers=3))
    assert sum(len(exits) for exits in run.exits.values()) == len(commands)


def test_a_race_between_drawn_commands_is_found_and_shrunk() -> None:
    """Three who take one each, with a single switch: nothing smaller fails."""
    found: list[tuple[list[Any], Counterexample]] = []

    @given(commands=st.lists(commands_of(race), max_size=6), plan=plans(RACE))
    @settings(max_examples=500, deadline=None, database=None, derandomize=True)
    def no_ticket_is_taken_twice(commands: list[Any], plan: Deviations) -> None:
        try:
            simulate(RACE, plan, clients=clients_of(race, commands, fibers=3))
        except Counterexample as error:
            found.append((commands, error))
            raise

    with pytest.raises(Counterexample):
        no_ticket_is_taken_twice()
    commands, error = found[-1]
    assert error.claim == "always(no_ticket_is_taken_twice)"
    assert (len(commands), len(error.deviations)) == (3, 1)


def test_messages_are_dealt_round() -> None:
    """Each context has clients of its own; each client sends what it was dealt in order."""
    bank = bank_with(None)
    a = AccountId("a")
    messages = [OpenAccount(1), GetTally(a), OpenAccount(2), OpenAccount(3)]
    dealt = clients_of(bank.app, messages, fibers=2)
    assert [(client.name, [repr(each) for each in client.programs]) for client in dealt] == [
        ("bank-1", [_call(bank.bank, OpenAccount(1)), _call(bank.bank, OpenAccount(3))]),
        ("bank-2", [_call(bank.bank, OpenAccount(2))]),
        ("audit-1", [repr(bank.get_tally(GetTally(a)))]),
    ]
    run = simulate(Simulation(bank.app, [], faults=Faults()), {}, clients=dealt)
    assert isinstance(run, Run)
    assert [type(exit) for exits in run.exits.values() for exit in exits] == [Succeeded] * 4


def _call(context: Context[Any, Any], message: Any) -> str:
    opening, _ = context.commands
    return repr(opening(message))


def test_a_message_that_nobody_handles_is_refused() -> None:
    """With those that are handled."""
    bank = bank_with(None)
    opening, _ = bank.bank.commands
    with pytest.raises(NotSimulated, match=r"sending Move\(.*nobody handles it; there are OpenAccount"):
        clients_of([opening], [Move(AccountId("a"), AccountId("b"), 1)])
