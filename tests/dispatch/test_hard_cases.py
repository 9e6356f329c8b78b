"""What a unit of work does where several of its rules meet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import anyio
import pytest

from effect_runtime import App, Eff, Failed, Forbidden, Principal, Succeeded, attempt, do, fail, operation, succeed
from effect_runtime.dispatch import DeadlineExceeded, EventQueue, enqueue, enqueue_and_wait
from effect_runtime.effect import Died, from_async, timeout, uninterruptible
from effect_runtime.errors import PolicyUndecided, RunInsideUnit, ValidatorUndecided
from tests.dispatch.desk import FiledOccurred
from tests.dispatch.world import All, Bench, Keep, Missing, Other, Reading, Writing, keeper

pytestmark = pytest.mark.anyio

soon = timedelta(milliseconds=30)


class Sealed(Exception):
    """An exception of which nothing but the traceback can be set, as frozen classes see to."""

    def __setattr__(self, name: str, value: object) -> None:
        if name != "__traceback__":
            raise AttributeError(name)
        super().__setattr__(name, value)


class Radio:
    """A service that breaks."""

    @operation(kind="local")
    async def listen(self) -> None:
        """Hear nothing."""
        raise OSError("no signal")


async def test_a_refused_query_inside_a_query_is_audited_though_the_outer_one_answers(bench: Bench) -> None:
    """A refusal is on record whatever the handler that asked makes of it."""
    notes = bench.context()

    @notes.query(access=lambda principal, query: False)
    def secret(query: Keep) -> Reading[int]:
        yield from succeed(None)
        return 1

    @notes.query(access="public")
    def outer(query: All) -> Reading[str]:
        outcome = yield from attempt(secret(Keep("a")))
        return str(outcome)

    async with bench.running(notes) as app:
        answer = await app.run(outer(All()), principal=Principal("ann"))
        assert answer == str(Failed(Forbidden("ann may not use notes.secret.")))
        assert await bench.audit() == [("secret", "ann", "forbidden: ann may not use notes.secret.")]


async def test_an_operation_that_broke_is_not_named_as_the_one_that_took_too_long(bench: Bench) -> None:
    """At the deadline it was the handler's own code that ran."""
    notes = bench.context()

    @notes.command(access="public")
    def dream(command: Keep) -> Writing[None]:
        rt = yield from notes.runtime
        yield from rt.notes.put("a", 1)
        try:
            yield from Radio().listen()
        except OSError:
            yield from from_async(anyio.sleep_forever)

    async with bench.running(notes, deadline=soon) as app:
        assert await app.run_exit(dream(Keep("a"))) == Failed(DeadlineExceeded(None, soon))
        assert await bench.rows() == {}


async def test_an_operation_that_timed_out_is_not_named_as_the_one_that_took_too_long(bench: Bench) -> None:
    """A timeout inside the body ended it; at the deadline it was the handler's own code that ran."""
    notes = bench.context()

    @notes.command(access="public")
    def doze(command: Keep) -> Writing[None]:
        rt = yield from notes.runtime
        yield from attempt(timeout(rt.clock.sleep(timedelta(days=1)), timedelta(0)))
        yield from from_async(anyio.sleep_forever)

    async with bench.running(notes, deadline=soon) as app:
        assert await app.run_exit(doze(Keep("a"))) == Failed(DeadlineExceeded(None, soon))


async def test_a_defect_that_takes_no_notes_reaches_the_caller_as_itself(bench: Bench) -> None:
    """Naming the handler must not put another exception in its place."""
    notes = bench.context()
    bug = Sealed()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        yield from succeed(None)
        raise bug

    async with bench.running(notes) as app:
        assert await app.run_exit(keep(Keep("a"))) == Died(bug)
    assert bug.__notes__ == ["in notes.keep"]


async def test_a_unit_that_nothing_could_interrupt_is_rolled_back_past_its_deadline(bench: Bench) -> None:
    """Its body ended with a value, too late."""
    notes = bench.context()

    @notes.command(access="public")
    def linger(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put("a", 1)
        yield from uninterruptible(from_async(anyio.sleep, 3 * soon.total_seconds()))
        return 1

    async with bench.running(notes, deadline=soon) as app:
        assert await app.run_exit(linger(Keep("a"))) == Failed(DeadlineExceeded(None, soon))
        assert await bench.rows() == {}


async def test_a_claim_that_was_interrupted_is_made_before_anything_is_written(bench: Bench) -> None:
    """A timeout inside the body may hit the claim; the next operation makes it then."""
    notes = bench.context()

    @notes.command(access="public")
    def keep_late(command: Keep) -> Writing[int, Missing]:
        rt = yield from notes.runtime
        yield from attempt(timeout(rt.notes.get("a"), soon))
        yield from rt.notes.put("b", 1)
        return 1

    async with bench.running(notes) as app:
        bench.store.on("claim", anyio.sleep_forever)
        assert await app.run_exit(keep_late(Keep("a")), command_id="1") == Succeeded(1)
        assert bench.store.log == ["answer", "unit", "begin", "claim", "claim", "commit", "committed"]
        assert await bench.rows() == {"b": 1}


@do
def maybe(principal: Principal, command: Keep) -> Any:
    """Answer with something that is no decision."""
    yield from succeed(None)
    return "no"


@do
def failing(principal: Principal, command: Keep) -> Any:
    """Fail, which no handler's type tells of."""
    yield from fail(Missing("a"))


@pytest.mark.parametrize("policy", [lambda principal, command: "no", lambda principal, command: None, maybe, failing])
async def test_a_policy_that_answers_neither_true_nor_false_lets_nobody_in(
    bench: Bench, policy: Callable[[Principal, Any], Eff[bool]]
) -> None:
    """What happens to be true in Python is no permission: it is a defect that names the handler."""
    notes = bench.context()
    keeper(notes)

    @notes.command(access=policy)
    def other(command: Other) -> Writing[None]:
        rt = yield from notes.runtime
        yield from rt.notes.put("a", 1)

    async with bench.running(notes) as app:
        died = await app.run_exit(other(Other("a")))
        assert await bench.rows() == {}
    assert isinstance(died, Died)
    assert isinstance(died.exception, PolicyUndecided)
    assert "notes.other" in str(died.exception)


async def test_a_door_used_inside_a_unit_that_writes_is_refused_at_once(bench: Bench) -> None:
    """It would wait for its own caller's transaction; with nothing open yet it is a command of its own."""
    notes = bench.context()
    doors: list[App] = []

    @notes.command(access="public")
    def inner(command: Other) -> Writing[None]:
        yield from (yield from notes.runtime).notes.put(command.key, 2)

    @notes.command(access="public")
    def outer(command: Keep) -> Writing[None]:
        yield from from_async(doors[0].run, inner(Other("before")))
        yield from (yield from notes.runtime).notes.put(command.key, 1)
        yield from from_async(doors[0].run, inner(Other("inside")))

    async with bench.running(notes) as app:
        doors.append(app)
        died = await app.run_exit(outer(Keep("a")))
        assert isinstance(died, Died)
        assert repr(died.exception) == repr(RunInsideUnit("notes.inner", unit="notes.outer"))
        assert await bench.rows() == {"before": 2}


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize("put", [enqueue, enqueue_and_wait])
async def test_an_event_enqueued_through_a_door_inside_a_unit_that_writes_is_refused_at_once(
    bench: Bench, put: Callable[[FiledOccurred], Eff[Any, Any, Any]], durable: bool
) -> None:
    """Its item would wait for its own caller's transaction, and so would its handler."""
    notes = bench.context()
    doors: list[App] = []

    @notes.after_commit(FiledOccurred, queue=EventQueue("mail", durable=durable))
    def tell(event: FiledOccurred) -> Writing[None]:
        yield from succeed(None)

    @notes.command(access="public")
    def outer(command: Keep) -> Writing[None]:
        yield from (yield from notes.runtime).notes.put(command.key, 1)
        yield from from_async(doors[0].run, put(FiledOccurred("a")))

    async with bench.running(notes) as app:
        doors.append(app)
        died = await app.run_exit(outer(Keep("a")))
        assert isinstance(died, Died)
        assert repr(died.exception) == repr(RunInsideUnit("notes.enqueue", unit="notes.outer"))
        assert await bench.rows() == {}


@pytest.mark.parametrize("answer", [None, False, "text is wrong", ["text is wrong"]])
async def test_a_validator_that_does_not_answer_with_wrong_fields_lets_nothing_pass(
    bench: Bench, answer: object
) -> None:
    """A forgotten `return` is a defect that names the handler, not a pass."""
    notes = bench.context()

    @notes.command(access="public", validate=cast("Any", lambda command: answer))
    def other(command: Other) -> Writing[None]:
        rt = yield from notes.runtime
        yield from rt.notes.put("a", 1)

    async with bench.running(notes) as app:
        died = await app.run_exit(other(Other("a")))
        assert await bench.rows() == {}
    assert isinstance(died, Died)
    assert repr(died.exception) == repr(ValidatorUndecided("notes.other", answer))
