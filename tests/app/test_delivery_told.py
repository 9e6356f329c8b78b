"""What an application tells of delivery: each dead letter, and a subscriber's bug at its first attempt."""

from __future__ import annotations

import pytest
from attrs import frozen

from effect_runtime import Context, Schedule, fail
from effect_runtime.app import App
from effect_runtime.dispatch import Diagnostic
from effect_runtime.transports import InProcess
from tests.app.pair import Counting, CountRuntime, Pair
from tests.dispatch.world import Keep, NoteEvents, NoteKept, NotesReads

pytestmark = pytest.mark.anyio


@frozen
class TooEarly:
    """A declared failure that is worth another try."""


async def told(pair: Pair, trouble: Exception | None) -> tuple[list[tuple[str, str, str]], int]:
    """Fail three tries of one event; return what was told of it, and how many letters are open."""
    counts: Context[CountRuntime, NotesReads] = Context("counts", CountRuntime, reads=NotesReads)
    subscription = counts.subscribe(NoteEvents, id="counts.stumbling", schedule=Schedule().times(2))

    @subscription.on(NoteKept, retry=(TooEarly,))
    def stumble(event: NoteKept) -> Counting[None, TooEarly]:
        """Fail, in the way that is asked for."""
        yield from counts.runtime
        if trouble is not None:
            raise trouble
        yield from fail(TooEarly())

    diagnostics: list[Diagnostic] = []
    notes = pair.bindings()[0]
    reader = counts.bind(pair.make, pair.reader.make_reads, store=pair.reader.store)
    app = App("pair", wire=InProcess(), contexts=[notes, reader], diagnostics=diagnostics.append)
    async with app.running():
        await app.run(pair.keep(Keep("a")))
        await app.settled()
        letters = await app.dead_letters.list()
    assert all(letter.id in diagnostics[-1].advice for letter in letters)
    parts = [(each.kind, each.command, each.subject.partition(" of key 'a' ")[2]) for each in diagnostics]
    return [(kind, command, said.partition(":")[0]) for kind, command, said in parts], len(letters)


async def test_a_bug_is_told_at_its_first_attempt_and_as_a_dead_letter(pair: Pair) -> None:
    """The attempts between are not: one bug would fill a log."""
    assert await told(pair, RuntimeError("broken")) == (
        [
            ("delivery", "counts.stumbling", "could not be handled"),
            ("delivery", "counts.stumbling", "is a dead letter"),
        ],
        1,
    )


async def test_a_declared_failure_is_told_only_once_it_is_given_up(pair: Pair) -> None:
    """Another try is what was declared for it, and nothing to mend."""
    assert await told(pair, None) == ([("delivery", "counts.stumbling", "is a dead letter")], 1)
