"""A decorated function takes what the user's own takes, and the effect holds what it was called with."""

from __future__ import annotations

from typing import Any

import pytest

from effect_runtime import Do, do, operation
from effect_runtime.effect import Block, Operation, succeed


class Bell:
    """A service whose methods show each kind of parameter."""

    @operation(kind="local")
    async def ring(self, times: int) -> int:
        """Take one argument that every call gives."""
        return times

    @operation(kind="local")
    async def chime(self, times: int, *, loud: bool = False) -> int:
        """Take one argument that a call may leave out."""
        return times + loud

    @operation(kind="local")
    async def toll(self, _built: int, _subject: int) -> int:
        """Take arguments whose names the builder uses itself."""
        return _built - _subject


def parts(effect: Any) -> tuple[object, ...]:
    """Return what an operation was built of."""
    assert type(effect) is Operation
    return effect.name, effect.args, effect.kwargs


def test_an_argument_that_every_call_gives_is_positional_however_it_was_given() -> None:
    """Interceptors see one form of a call."""
    assert parts(Bell().ring(times=2)) == parts(Bell().ring(2)) == ("ring", (2,), {})


def test_a_method_with_a_default_keeps_its_call_as_written() -> None:
    """What a call left out stays out: the adapter's own default applies."""
    assert parts(Bell().chime(2)) == ("chime", (2,), {})
    assert parts(Bell().chime(times=2, loud=True)) == ("chime", (), {"times": 2, "loud": True})


def test_a_parameter_may_have_any_name() -> None:
    """The names that the builder uses itself are no exception."""
    assert parts(Bell().toll(3, _subject=2)) == ("toll", (3,), {"_subject": 2})


def test_a_wrong_call_is_refused_where_it_stands() -> None:
    """The method's own name and parameter are in the message."""
    wrong: Any = Bell().ring
    with pytest.raises(TypeError, match=r"Bell\.ring\(\) missing 1 required positional argument: 'times'"):
        wrong()


def test_a_block_holds_its_function_and_arguments() -> None:
    """A do-block is as good as the call that built it, as often as it is run."""

    @do
    def add(first: int, second: int) -> Do[int]:
        return first + (yield from succeed(second))

    block: Any = add(1, second=2)
    assert type(block) is Block
    assert (block.arguments, block.keywords, repr(block)) == (
        (1, 2),
        {},
        "<test_a_block_holds_its_function_and_arguments.<locals>.add(...) effect>",
    )


def test_a_function_without_parameters_builds_a_block_without_arguments() -> None:
    """Nothing given is nothing held."""

    @do
    def nothing() -> Do[None]:
        yield from succeed(None)

    block: Any = nothing()
    assert (block.arguments, block.keywords) == ((), {})
