"""The generated machine: it passes over what is sound, and finds what is not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from effect_runtime import App, Context, Failed, Principal, Succeeded, do, succeed
from effect_runtime.effect import Eff
from effect_runtime.errors import InvariantBroken, ModelDisagrees, NotSimulated
from effect_runtime.interpreter import live
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.testing.properties import CommandMachine, machine_of, played_by
from library_example.app import library, library_in_memory
from library_example.catalog.domain import Isbn
from library_example.catalog.handlers import AddBook, ChangeCopies
from library_example.contracts import AuthorId
from library_example.lending.handlers import BorrowBook, RegisterPatron
from tests.library_example.machine import EMAILS, ISBNS
from tests.testing.bank import AccountId, BankModel, Move, OpenAccount, TooLittle, Unknown, bank_with, make_bank
from tests.testing.library_model import LibraryModel, copies_out_are_open_loans, shelves_hold_what_the_catalog_says

QUICK = settings(
    max_examples=60,
    stateful_step_count=15,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)


def library_machine(app: App, *, restarts: bool = False) -> type[CommandMachine]:
    """Return a machine of the whole library, with few ISBNs and addresses and small numbers."""
    return machine_of(
        app,
        model=LibraryModel,
        invariants=[shelves_hold_what_the_catalog_says, copies_out_are_open_loans],
        given=[RegisterPatron("Ann", EMAILS[0]), AddBook("Dune", ISBNS[0], AuthorId("herbert"))],
        principal=Principal("desk", roles=frozenset({"staff"})),
        restarts=restarts,
        pools={Isbn: ISBNS[:3]},
        overrides={
            RegisterPatron.email: st.sampled_from(EMAILS),
            AddBook.copies: st.integers(0, 2),
            ChangeCopies.copies: st.integers(0, 3),
            BorrowBook.days: st.sampled_from([14, 1, 60, 0, 61]),
        },
    )


TestLibraryInMemory = library_machine(library_in_memory()).TestCase
TestLibraryInMemory.settings = settings(stateful_step_count=25)

TestLibraryOnSqlite = library_machine(library(Path("nowhere"))).TestCase
TestLibraryOnSqlite.settings = settings(max_examples=settings().max_examples // 2, stateful_step_count=25)


def first_id(story: Sequence[str]) -> str:
    """Return the id that the first command was answered with."""
    return story[0].split("'")[1]


def test_a_sound_bank_passes() -> None:
    """No false alarm."""
    bank = bank_with(None)
    run_state_machine_as_test(machine_of(bank.app, model=BankModel, invariants=[bank.tallies_agree]), settings=QUICK)


def test_an_answer_that_a_model_does_not_give_is_found_and_told() -> None:
    """Money from nothing: the smallest story says it, with the commands as code and both exits."""
    bank = bank_with("money from nothing")

    def sums_agree(model: BankModel, read: Any) -> bool:
        return bank.tallies_agree(model, read)

    with pytest.raises(InvariantBroken) as caught:
        run_state_machine_as_test(machine_of(bank.app, model=BankModel, invariants=[sums_agree]), settings=QUICK)
    id = first_id(caught.value.story)
    assert caught.value.claim == "sums_agree"
    assert caught.value.story == (
        f"open_account(OpenAccount(first=1))  # step-1: Succeeded(value='{id}')",
        f"move(Move(source='{id}', target='{id}', amount=1))  # step-2: Succeeded(value=None)",
    )


def test_a_reaction_that_goes_wrong_is_found_by_an_invariant() -> None:
    """What a subscriber forgot shows once everything is delivered."""
    bank = bank_with("a zero that is not counted")
    with pytest.raises(InvariantBroken) as caught:
        run_state_machine_as_test(
            machine_of(bank.app, model=BankModel, invariants=[bank.tallies_agree]), settings=QUICK
        )
    empty, full = (line.split("'")[1] for line in caught.value.story[:2])
    assert caught.value.claim == "tallies_agree"
    assert caught.value.story == (
        f"open_account(OpenAccount(first=0))  # step-1: Succeeded(value='{empty}')",
        f"open_account(OpenAccount(first=1))  # step-2: Succeeded(value='{full}')",
        f"move(Move(source='{full}', target='{empty}', amount=1))  # step-3: Succeeded(value=None)",
    )


def test_an_exit_that_the_model_does_not_expect_is_told() -> None:
    """Both exits, and the story before them."""

    class Generous(BankModel):
        def apply(self, message: Any, drawn: Any) -> Succeeded[Any] | Failed[Any]:
            exit = super().apply(message, drawn)
            return Succeeded(None) if exit == Failed(TooLittle(0)) else exit

    bank = bank_with(None)
    with pytest.raises(ModelDisagrees) as caught:
        run_state_machine_as_test(machine_of(bank.app, model=Generous), settings=QUICK)
    id = first_id(caught.value.story)
    assert str(caught.value) == (
        f"the application and its model disagree about move(Move(source='{id}', target='{id}', amount=1))\n"
        "  application: Failed(error=TooLittle(balance=0))\n"
        "  model:       Succeeded(value=None)\n"
        f"  1. open_account(OpenAccount(first=0))  # step-1: Succeeded(value='{id}')\n"
        f"  2. move(Move(source='{id}', target='{id}', amount=1))  # step-2: Failed(error=TooLittle(balance=0))\n"
        "Correct the one that is wrong."
    )


def test_commands_mostly_meet_what_is_there() -> None:
    """At least half of the ids that a hundred runs send are of something that exists, and some of nothing."""
    met: list[bool] = []

    class Counting(BankModel):
        def apply(self, message: Any, drawn: Any) -> Succeeded[Any] | Failed[Any]:
            if isinstance(message, Move):
                met.extend(id in self.rows for id in (message.source, message.target))
            return super().apply(message, drawn)

    machine = machine_of(bank_with(None).app, model=Counting)
    run_state_machine_as_test(machine, settings=settings(QUICK, max_examples=100, phases=[Phase.generate]))
    assert len(met) / 2 < sum(met) < len(met)


def test_a_context_alone_is_enough() -> None:
    """A binding gets an application of its own; what it hears from elsewhere stays silent."""
    bank = bank_with(None)
    machine = machine_of(bank.bank.bind(make_bank, store=MemoryStore("bank")), model=BankModel)
    run_state_machine_as_test(machine, settings=settings(QUICK, max_examples=5))


def test_a_store_that_cannot_be_in_memory_is_refused() -> None:
    """What nobody can start anew for each run is named."""

    class Elsewhere:
        name = "elsewhere"

        def opened(self, host: Any) -> Any:
            """Open nothing."""

    desk = Context("desk", object)

    @desk.command(access="public")
    def move(command: Move) -> Eff[None]:
        return succeed(None)

    store: Any = Elsewhere()
    machine = machine_of(App("desk", contexts=[desk.bind(lambda tx: object(), store=store)]), model=BankModel)
    with pytest.raises(NotSimulated, match="of context 'desk' cannot be simulated"):
        machine()


@pytest.mark.anyio
async def test_a_model_plays_its_context() -> None:
    """Programs made of a context's commands run against the model, without an application."""
    bank = bank_with(None)
    model = BankModel()
    opening, moving = bank.bank.commands
    fake = live.with_interceptors(played_by(model, bank.bank))

    @do
    def program() -> Any:
        first: AccountId = yield from opening(OpenAccount(3))
        second: AccountId = yield from opening(OpenAccount(0))
        yield from moving(Move(first, second, 2))
        return first, second

    first, second = await fake.run(program())
    assert model.rows == {first: 1, second: 2}
    refused: Eff[Any, Any, Any] = moving(Move(AccountId("nobody"), first, 1))
    assert await fake.run_exit(refused, None) == Failed(Unknown(AccountId("nobody")))
