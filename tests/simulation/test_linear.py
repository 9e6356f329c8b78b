"""Histories and models: which answers an order explains, which none does, and what an answer that never came means."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.dispatch import Forbidden
from effect_runtime.effect import Exit, Failed, Succeeded
from effect_runtime.testing import Linearizable
from effect_runtime.testing.world._history import Spoken


@frozen
class Register:
    """A number that is written and read."""

    value: int = 0

    def apply(self, message: Any) -> tuple[Register, Exit[Any, Any]]:
        """Write a number, or read it with None."""
        return (self, Succeeded(self.value)) if message is None else (Register(message), Succeeded(None))


DONE: Exit[Any, Any] = Succeeded(None)


def _read(began: int, ended: int, value: int) -> Spoken:
    return Spoken("reader", None, began, ended, Succeeded(value))


def _write(began: int, ended: int | None, value: int, exit: Exit[Any, Any] = DONE) -> Spoken:
    return Spoken("writer", value, began, ended, exit if ended is not None else None)


def _unexplained(*history: Spoken) -> Sequence[Spoken]:
    return Linearizable(Register()).unexplained(history)


def test_a_read_beside_a_write_may_see_it_or_not() -> None:
    """They overlap, so either may come first."""
    assert not _unexplained(_write(1, 4, 7), _read(2, 3, 0))
    assert not _unexplained(_write(1, 4, 7), _read(2, 3, 7))


def test_a_read_after_a_write_must_see_it() -> None:
    """The write was answered before the read began."""
    history = [_write(1, 2, 7), _read(3, 4, 0)]
    assert list(_unexplained(*history)) == history


def test_what_was_never_answered_may_have_been_done_or_not() -> None:
    """But once it was seen, it was done."""
    assert not _unexplained(_write(1, None, 7), _read(2, 3, 0), _read(4, 5, 7))
    assert _unexplained(_write(1, None, 7), _read(2, 3, 7), _read(4, 5, 0))


def test_the_shortest_beginning_is_shown() -> None:
    """What comes after the first contradiction is left out, and what was not answered by then has no answer."""
    late = _write(5, 9, 8)
    shown = _unexplained(_write(1, 2, 7), _read(3, 6, 0), late, _read(7, 8, 7))
    assert [(each.client, each.message, each.exit) for each in shown] == [
        ("writer", 7, Succeeded(None)),
        ("reader", None, Succeeded(0)),
        ("writer", 8, None),
    ]


def test_messages_of_different_keys_are_judged_apart() -> None:
    """A stale read of one key says nothing about another."""
    apart = Linearizable(Register(), key=lambda message: message is None)
    assert not apart.unexplained([_write(1, 2, 7), _read(3, 4, 0)])


def test_what_was_refused_at_the_door_was_not_done() -> None:
    """A model need not know of access or validation."""
    refused = _write(1, 2, 7, Failed(Forbidden()))
    assert not _unexplained(refused, _read(3, 4, 0))


def test_more_than_the_bound_is_not_looked_at() -> None:
    """The first two are in order; the contradiction comes after them."""
    history = [_write(1, 2, 7), _read(3, 4, 7), _read(5, 6, 0)]
    assert not Linearizable(Register(), most=2).unexplained(history)
    assert Linearizable(Register(), most=3).unexplained(history)


@st.composite
def histories(draw: st.DrawFn) -> list[Spoken]:
    """Draw up to five messages with moments of their own, some without an answer."""
    count = draw(st.integers(1, 5))
    moments = draw(st.permutations(range(2 * count)))
    history = []
    for number in range(count):
        began, ended = sorted(moments[2 * number : 2 * number + 2])
        value = draw(st.none() | st.integers(1, 2))
        answer = Succeeded(draw(st.integers(0, 2))) if value is None else Succeeded(None)
        is_answered = draw(st.booleans())
        history.append(Spoken("client", value, began, ended, answer if is_answered else None))
    return sorted(history, key=lambda spoken: spoken.began)


@given(histories())
def test_the_verdict_is_that_of_trying_every_order(history: list[Spoken]) -> None:
    """An order of some of the messages, with all that were answered, in which each answer is the model's."""
    assert bool(_unexplained(*history)) == (not _by_brute_force(history))


def _by_brute_force(history: list[Spoken]) -> bool:
    return any(_fits(order, history) for size in range(len(history) + 1) for order in permutations(history, size))


def _fits(order: Sequence[Spoken], history: list[Spoken]) -> bool:
    model = Register()
    for number, spoken in enumerate(order):
        if any(
            later.exit is not None and later.ended is not None and later.ended < spoken.began
            for later in order[number + 1 :]
        ):
            return False
        model, exit = model.apply(spoken.message)
        if spoken.exit is not None and spoken.exit != exit:
            return False
    return all(spoken.exit is None or spoken in order for spoken in history)
