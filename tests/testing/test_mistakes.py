"""What is not meant is said at once: nothing passes because nothing was tried."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from attrs import frozen
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from effect_runtime import Context, Succeeded, Topic
from effect_runtime.errors import ClaimBroken, InvariantBroken, NoStrategy, NotSimulated
from effect_runtime.testing.properties import (
    Read,
    assert_round_trips,
    commands_of,
    events_of,
    machine_of,
    values_of,
)
from library_example.contracts import BookReturned, LendingEvents
from tests.testing.bank import AccountId, BankModel, GetTally, Move, OpenAccount, bank_with
from tests.testing.test_machine import QUICK


class SilentEvents(Topic, name="silent"):
    """A topic in which nothing is said."""

    __slots__ = ()


@frozen
class Plain:
    """A class that is no event."""

    number: int


BANK = bank_with(None)
EMPTY = Context("empty", object)
ANYTHING: Any = None

MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "no commands": (
        lambda: commands_of(EMPTY),
        "commands of 'empty' cannot be simulated: it has no command; import the modules of its handlers, or give an "
        "App, which does.",
    ),
    "no handlers": (
        lambda: commands_of([]),
        "commands of no handlers cannot be simulated: it has no command; import the modules of its handlers, or give "
        "an App, which does.",
    ),
    "no events": (
        lambda: assert_round_trips(SilentEvents),
        f"round trips of {SilentEvents!r} cannot be simulated: it writes nothing; give a topic, an event, a context "
        "whose modules are imported, or an App.",
    ),
    "no event": (
        lambda: assert_round_trips(Plain),  # type: ignore[arg-type]  # what is refused
        f"round trips of {Plain!r} cannot be simulated: it writes nothing; give a topic, an event, a context whose "
        "modules are imported, or an App.",
    ),
    "no store": (
        lambda: machine_of(EMPTY, model=BankModel),  # type: ignore[arg-type]  # what is refused
        f"{EMPTY!r} cannot be simulated: it has no store; bind it to one, context.bind(make, store=...), or give an "
        "App.",
    ),
    "no rules": (
        lambda: machine_of(BANK.app, model=BankModel, handlers=[]),
        "a machine of 'bank' cannot be simulated: there is no command that 'anonymous' may send; name handlers=, or "
        "send as another principal=.",
    ),
    "a message that nobody handles": (
        lambda: machine_of(BANK.app, model=BankModel, given=[Plain(1)]),
        "sending Plain(number=1) cannot be simulated: nobody handles it; there are GetTally, Move, OpenAccount.",
    ),
    "time that does not pass": (
        lambda: machine_of(BANK.app, model=BankModel, passing=[timedelta(0)]),
        "a machine in which 0:00:00 passes cannot be simulated: time passes forwards; give more than 0.",
    ),
    "an override by text": (
        lambda: commands_of(BANK.bank, overrides={"Move.amount": st.just(1)}),
        "no strategy for 'Move.amount': a text is no field and no type. "
        "Say what its values are: overrides={Class.field: ...}, with a strategy of hypothesis.",
    ),
    "a value as override": (
        lambda: commands_of(BANK.bank, overrides={Move.amount: ANYTHING}),
        "no strategy for Move.amount: None is a value, not what draws it. "
        "Say what its values are: overrides={Move.amount: ...}, with a strategy of hypothesis.",
    ),
    "a value as override of a pair": (
        lambda: commands_of(BANK.bank, overrides={(Move, "amount"): ANYTHING}),
        "no strategy for (Move, 'amount'): None is a value, not what draws it. "
        "Say what its values are: overrides={(Move, 'amount'): ...}, with a strategy of hypothesis.",
    ),
    "an empty pool": (
        lambda: values_of(Move, pools={AccountId: []}),
        "no strategy for AccountId: its pool is empty. "
        "Say what its values are: overrides={AccountId: ...}, with a strategy of hypothesis.",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_way_out(mistake: str) -> None:
    """Each is refused before anything runs."""
    make, message = MISTAKES[mistake]
    with pytest.raises((NotSimulated, NoStrategy)) as caught:
        make()
    assert str(caught.value) == message


def test_commands_of_an_application_are_those_of_its_contexts() -> None:
    """Queries are no commands."""
    drawn = set[type]()

    @given(commands_of(BANK.app))
    @settings(max_examples=30, phases=[Phase.generate], derandomize=True, database=None)
    def draw(command: Any) -> None:
        drawn.add(type(command))

    draw()
    assert drawn == {OpenAccount, Move}


@given(events_of(BookReturned))
@settings(max_examples=20)
def test_an_event_alone_is_not_its_topic(event: LendingEvents) -> None:
    """One event class gives its own events."""
    assert type(event) is BookReturned


def test_an_event_alone_travels() -> None:
    """One line for one event."""
    assert_round_trips(BookReturned, examples=5)


def broken_by(invariant: Callable[[BankModel, Read], Any]) -> Any:
    """Run a machine until its invariant is broken, and return the error."""
    machine = machine_of(BANK.app, model=BankModel, invariants=[invariant])
    with pytest.raises((InvariantBroken, ClaimBroken)) as caught:
        run_state_machine_as_test(machine, settings=QUICK)
    return caught.value


def test_an_invariant_says_what_it_was_answered() -> None:
    """A claim that is false is told with what was read for it."""

    def nobody_has_money(model: BankModel, read: Read) -> bool:
        return not any(read(BANK.get_tally(GetTally(id))) for id in model.rows)

    error = broken_by(nobody_has_money)
    (said,) = error.said
    assert re.fullmatch(r"get_tally\(GetTally\(account='.*'\)\) -> 1", said)
    assert str(error).splitlines()[:2] == ["nobody_has_money does not hold", f"  {said}"]


def test_an_invariant_may_assert() -> None:
    """Its own words are told."""

    def few_accounts(model: BankModel, read: Read) -> bool:
        assert len(model.rows) < 2, f"there are {len(model.rows)} accounts"
        return True

    assert broken_by(few_accounts).said[0] == "there are 2 accounts"


def test_an_invariant_that_cannot_tell_is_no_verdict() -> None:
    """What raises, or returns nothing, is an error of the invariant, with its line."""

    def looks_wrong(model: BankModel, read: Read) -> bool:
        return model.rows[AccountId("nobody")] > 0

    def says_nothing(model: BankModel, read: Read) -> None:
        assert model.rows is not None

    error = broken_by(looks_wrong)
    assert (error.claim, error.reason) == ("looks_wrong", "it raised KeyError('nobody')")
    assert re.search(r"test_mistakes\.py:\d+", error.place)
    assert (
        broken_by(says_nothing).reason == "it returned None, which is neither True nor False; return what must be true"
    )


def test_a_model_that_raises_says_for_what() -> None:
    """Its own error passes, with a note."""

    class Hasty(BankModel):
        def apply(self, message: Any, drawn: Any) -> Succeeded[Any]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        run_state_machine_as_test(machine_of(BANK.app, model=Hasty), settings=QUICK)
    assert "raised by the model, asked for open_account(OpenAccount(first=0))" in caught.value.__notes__
