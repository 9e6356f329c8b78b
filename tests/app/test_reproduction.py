"""A dead letter's last attempt once more: every operation is answered as it was recorded, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from effect_runtime.app import Replay
from effect_runtime.effect import gather
from effect_runtime.errors import (
    AnswerNotRecorded,
    DeadLetterNotReproducible,
    NothingToReplay,
    RecordedDefect,
    RecordingDiverged,
    ReplayIncomplete,
    UnhandledFailure,
)
from effect_runtime.integration import Message
from effect_runtime.outbox import RecordedOperation, decoded_recording
from effect_runtime.runtime import ask
from effect_runtime.testing import replayed
from tests.app.things import (
    HANDLER,
    Handling,
    Missing,
    ThingMade,
    Things,
    ThingsRuntime,
    hearing,
    letter_in,
    letter_of,
    make_things,
    trouble_of,
    workshop,
)

pytestmark = pytest.mark.anyio

THINGS = ask[ThingsRuntime]()


def doing(*steps: Callable[[ThingsRuntime, str], Any], crash: bool = True) -> Callable[[ThingMade], Any]:
    """Return a handler that takes these steps with a thing's name and then, perhaps, crashes."""

    def handle(event: ThingMade) -> Handling[None, Missing]:
        rt = yield from THINGS
        for step in steps:
            yield from step(rt, event.name)
        if crash:
            raise ArithmeticError(event.name)

    return handle


def weigh(rt: ThingsRuntime, name: str) -> Any:
    """Weigh the thing."""
    return rt.things.weigh(name)


def weigh_another(rt: ThingsRuntime, name: str) -> Any:
    """Weigh something else."""
    return rt.things.weigh("another")


def keep(rt: ThingsRuntime, name: str) -> Any:
    """Keep it."""
    return rt.things.keep(name, 7)


def grab(rt: ThingsRuntime, name: str) -> Any:
    """Take it into the hand."""
    return rt.things.grab()


def feel(rt: ThingsRuntime, name: str) -> Any:
    """Touch it."""
    return rt.things.feel()


def look_at_the_clock(rt: ThingsRuntime, name: str) -> Any:
    """Ask for the time."""
    return rt.clock.now()


def weigh_and_keep_twice(rt: ThingsRuntime, name: str) -> Any:
    """Do two things side by side, of two operations each."""
    return gather(
        rt.things.weigh("left").bind(lambda grams: rt.things.keep("left", grams)),
        rt.things.weigh("right").bind(lambda grams: rt.things.keep("right", grams)),
    )


async def text_of(*steps: Callable[[ThingsRuntime, str], Any], name: str = "dune") -> str:
    """Return the test that a crash after these steps becomes."""
    return (await letter_of(workshop(doing(*steps)), name))[1]


async def test_a_letter_keeps_the_operations_of_its_last_attempt() -> None:
    """In order, with arguments and answers."""
    letter, _ = await letter_of(workshop(doing(weigh, keep)))
    assert letter.recording is not None
    assert decoded_recording(letter.recording).operations == (
        RecordedOperation(
            place="Things.weigh",
            kind="transactional",
            branch=0,
            arguments={"name": "dune"},
            ending="succeeded",
            value=7,
        ),
        RecordedOperation(
            place="Things.keep",
            kind="transactional",
            branch=0,
            arguments={"name": "dune", "grams": 7},
            ending="succeeded",
        ),
    )


async def test_the_same_handler_ends_as_it_did() -> None:
    """The same defect, and the same failure."""
    trouble = await trouble_of(await text_of(weigh, keep), doing(weigh, keep))
    assert (type(trouble), str(trouble)) == (ArithmeticError, "dune")
    failing = await text_of(weigh, name="gone")
    trouble = await trouble_of(failing, doing(weigh))
    assert isinstance(trouble, UnhandledFailure)
    assert trouble.error == Missing("gone")


async def test_a_mended_handler_succeeds() -> None:
    """Also where it goes on with what can only answer None, and where it asks for less."""
    text = await text_of(weigh)
    assert await trouble_of(text, doing(weigh, keep, crash=False)) is None
    assert await trouble_of(text, doing(crash=False)) is None


async def test_a_failure_that_is_ignored_now_is_a_success() -> None:
    """The mapping of failures is a part of what may have been mended."""
    text = await text_of(weigh, name="gone")
    replay = Replay.of(letter_in(text))
    assert await replay.run(hearing(doing(weigh), ignore=(Missing,)), make_things, answers={}) is None


async def test_another_operation_than_recorded_has_diverged() -> None:
    """The message names the operation, what was recorded and what was asked."""
    text = await text_of(weigh, keep)
    with pytest.raises(RecordingDiverged, match="diverged at operation 2") as caught:
        await trouble_of(text, doing(weigh, weigh_another))
    assert (caught.value.recorded, caught.value.performed) == (
        'Things.keep(name="dune", grams=7)',
        'Things.weigh(name="another")',
    )


async def test_an_answer_that_nobody_recorded_is_not_invented() -> None:
    """Beyond the end of the recording, unless the test gives it."""
    text = await text_of(weigh)
    with pytest.raises(AnswerNotRecorded, match=r"Operation 2, .*another.*: the recorded attempt ended before it"):
        await trouble_of(text, doing(weigh, weigh_another, crash=False))
    given = {Things.weigh: lambda name: 7}
    assert await trouble_of(text, doing(weigh, weigh_another, crash=False), answers=given) is None


async def test_an_answer_without_a_form_has_to_be_given() -> None:
    """The test file says which; a given answer takes the place of the recorded one."""
    text = await text_of(grab, weigh)
    assert "    # 1. Things.grab() answered <Grip>: fill it in.\n" in text
    with pytest.raises(AnswerNotRecorded, match="it could only be kept as text, <Grip>"):
        await trouble_of(text, doing(grab, weigh, crash=False))
    assert await trouble_of(text, doing(grab, weigh, crash=False), answers={Things.grab: object}) is None


async def test_local_operations_are_done_again_where_they_must_be() -> None:
    """They touch nothing outside the process: without a form, and beyond the recording."""
    text = await text_of(feel, weigh)
    assert await trouble_of(text, doing(feel, weigh, look_at_the_clock, feel, crash=False)) is None


async def test_a_swallowed_refusal_still_fails_the_test() -> None:
    """A handler that catches everything must not make a test pass."""

    def careless(event: ThingMade) -> Handling[None, Missing]:
        rt = yield from THINGS
        try:
            yield from rt.things.weigh("another")
        except Exception:
            return

    with pytest.raises(RecordingDiverged):
        await trouble_of(await text_of(weigh), careless)


async def test_parallel_branches_may_come_in_any_order() -> None:
    """Each in its own order, and with its own answers."""
    text = await text_of(weigh_and_keep_twice)
    assert await trouble_of(text, doing(weigh_and_keep_twice, crash=False)) is None
    trouble = await trouble_of(text, doing(weigh_and_keep_twice))
    assert (type(trouble), str(trouble)) == (ArithmeticError, "dune")


async def test_what_an_operation_raised_is_raised_again() -> None:
    """As itself where it can be built again, else as what it said."""
    trouble = await trouble_of(await text_of(weigh, name="bad"), doing(weigh))
    assert (type(trouble), str(trouble)) == (ValueError, "the scales broke")
    trouble = await trouble_of(await text_of(weigh, name="odd"), doing(weigh))
    assert isinstance(trouble, RecordedDefect)
    assert (trouble.type, trouble.text) == ("tests.app.things.ScalesBroke", "odd weighs 7")


async def test_secrets_are_covered_in_letter_and_test() -> None:
    """A handler of a replay gets a blank in their place."""
    seen: list[str] = []

    def curious(event: ThingMade) -> Handling[None, Missing]:
        seen.append(event.maker)
        rt = yield from THINGS
        yield from rt.things.weigh(event.maker)
        raise ArithmeticError(event.note)

    _, text = await letter_of(workshop(curious))
    trouble = await trouble_of(text, curious)
    assert seen == ["ann", "ann", "***"]  # two attempts, and the replay
    assert '"maker": "***"' in text
    assert isinstance(trouble, ArithmeticError)


async def test_a_letter_for_something_else_is_refused() -> None:
    """By its name, and the name of the context that was asked."""
    letter = json.loads(letter_in(await text_of(weigh)))
    letter["destination"] = "workshop.others"
    replay = Replay.of(json.dumps(letter))
    with pytest.raises(NothingToReplay, match=r"Context 'workshop' has nothing called 'workshop.others'"):
        await replay.run(hearing(doing()), make_things, answers={})


async def test_bytes_that_are_no_event_become_no_test() -> None:
    """Nothing of the user's ran: the message says who has to mend what."""
    app = workshop(doing())
    async with app.running():
        wire: Any = app._plan.wire
        await wire.publish(HANDLER, Message(b"nonsense"))
        [letter] = await app.dead_letters.list()
        with pytest.raises(DeadLetterNotReproducible, match="its bytes are no event"):
            await app.dead_letters.reproduce(letter.id)


async def test_what_has_no_name_of_its_own_is_left_to_be_filled_in() -> None:
    """A context inside a function cannot be imported: the test says so, and fails with it."""
    text = await text_of(weigh)
    assert "from tests.app.things import make_things\n" in text
    assert "context = None  # Fill in: import the Context 'workshop', which tests.app.things does not hold.\n" in text
    with pytest.raises(ReplayIncomplete, match="Nobody has filled in 'context'"):
        replayed(letter_in(text), context=None, make=make_things)


async def test_every_reproduced_test_is_a_module() -> None:
    """Whatever strangers put into names, causes and payloads."""
    nasty = 'quote """ backslash \\ newline \n null \x00 snow \u2603 line \u2028'
    _, text = await letter_of(workshop(doing(weigh)), note=nasty)
    compile(text, "test_letter.py", "exec")
    assert json.loads(letter_in(text))["envelope"]["data"]["note"] == nasty
