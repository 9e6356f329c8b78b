"""Failures that follow from what operations declare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NewType, Protocol, TypeAlias

import pytest
from attrs import frozen
from hypothesis import strategies as st
from returns.result import Result, Success

from effect_runtime import App, Context, Do, E, Eff, operation
from effect_runtime.dispatch import Binding
from effect_runtime.effect import A
from effect_runtime.errors import NoStrategy, NotSimulated
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.testing import Client, Fails, Faults, Simulation, explore
from effect_runtime.testing.properties import failures_of

CardId = NewType("CardId", str)


@frozen
class Refused:
    """The bank says no."""

    card: CardId
    why: Literal["limit", "stolen"]


@frozen
class Busy:
    """Later, perhaps."""


@frozen
class Vague:
    """Nobody knows what it holds."""

    what: object


Trouble: TypeAlias = Refused | Busy


class Bank(Protocol):
    """A port."""

    def charge(self, card: CardId, cents: int) -> Eff[int, Trouble]:
        """Take money."""
        ...

    def balance(self) -> Eff[int]:
        """Fail in no way."""
        ...


@frozen
class CardBank:
    """An adapter."""

    @operation(kind="external", idempotent=True)
    async def charge(self, card: CardId, cents: int, *, note: str = "") -> Result[int, Trouble]:
        """Take money."""
        return Success(cents)

    @operation(kind="local")
    async def balance(self) -> Result[int, Busy]:
        """Look into a cache."""
        return Success(0)

    async def connect(self) -> None:
        """Be no operation."""


class Strange:
    """A service whose failure says too little."""

    @operation(kind="external")
    async def ask(self) -> Result[int, Vague]:
        """Ask."""
        return Success(1)


REFUSED = Refused(CardId("card-1"), "limit")


def test_every_declared_failure_of_a_port_is_there() -> None:
    """A port says what may fail, and not what is external."""
    assert failures_of(Bank) == (Fails(Bank.charge, REFUSED), Fails(Bank.charge, Busy()))


def test_an_external_operation_may_have_been_done() -> None:
    """An adapter says which of its operations reach out: their answers can be lost."""
    assert failures_of(CardBank) == (
        Fails(CardBank.balance, Busy()),
        Fails(CardBank.charge, REFUSED),
        Fails(CardBank.charge, REFUSED, applied=True),
        Fails(CardBank.charge, Busy()),
        Fails(CardBank.charge, Busy(), applied=True),
    )


def test_several_services_and_overrides() -> None:
    """What a failure holds can be said."""
    found = failures_of(Bank, Strange, overrides={(Vague, "what"): st.just(3)})
    assert [each.failure for each in found] == [REFUSED, Busy(), Vague(3), Vague(3)]


def test_what_has_no_operation_or_says_too_little_is_refused() -> None:
    """Each with the way out."""
    with pytest.raises(NotSimulated, match=r"failures of Busy cannot be simulated: it has no method that returns an"):
        failures_of(Busy)
    with pytest.raises(NoStrategy, match=r"overrides=\{Vague\.what: \.\.\.\}"):
        failures_of(Strange)


class Unread:
    """A service that names what is not imported at run time."""

    @operation(kind="local")
    async def ask(self) -> Result[int, Nowhere]:
        """Ask."""
        return Success(1)


if TYPE_CHECKING:
    Nowhere: TypeAlias = Busy


def test_annotations_that_cannot_be_read_are_told() -> None:
    """With the method, and what to do."""
    with pytest.raises(NotSimulated) as caught:
        failures_of(Unread)
    assert str(caught.value) == (
        "failures of Unread.ask cannot be simulated: its annotations say: name 'Nowhere' is not defined; "
        "import at run time what they name."
    )


@frozen
class Runtime:
    """What the till runs with."""

    bank: CardBank


@frozen
class Pay:
    """Pay twice, if need be."""

    card: CardId


Till: TypeAlias = Do[A, E, Runtime]


def till() -> tuple[Binding, Client]:
    """Return a till and somebody who pays."""
    context = Context("till", Runtime)

    @context.command(access="public")
    def pay(command: Pay) -> Till[int, Trouble]:
        rt = yield from context.runtime
        return (yield from rt.bank.charge(command.card, 5))

    binding = context.bind(lambda tx: Runtime(CardBank()), store=MemoryStore("till"))
    return binding, Client("ann", [pay(Pay(CardId("card-1")))])


def test_a_world_meets_all_of_them() -> None:
    """A search tries each at every place."""
    binding, ann = till()
    world = Simulation(App("till", contexts=[binding]), [ann], faults=Faults(fails=failures_of(CardBank)))
    covered = explore(world, runs=50)
    assert {title: tally.tried for title, tally in covered.boundaries.items()} == {
        "Refused": 1,
        "Refused after it was done": 1,
        "Busy": 1,
        "Busy after it was done": 1,
    }
