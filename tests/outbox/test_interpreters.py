"""The four ways in which a unit's integration events are committed."""

from __future__ import annotations

import asyncio

import pytest

from effect_runtime.dispatch import TransportInterpreter
from effect_runtime.errors import PublishForbidden
from effect_runtime.integration import Message, decode_message
from effect_runtime.outbox import (
    ForbiddenInterpreter,
    ImmediateInterpreter,
    OutboxInterpreter,
    RecordingInterpreter,
    Wake,
)
from effect_runtime.transports import InProcess
from tests.outbox.world import TOPIC, event

pytestmark = pytest.mark.anyio

EVENTS = (event(1), event(2))


async def test_the_outbox_writes_rows_and_wakes_the_relay() -> None:
    """Nothing leaves before the commit, and a unit without events wakes nobody."""
    wake = Wake()
    interpreter: TransportInterpreter = OutboxInterpreter(wake)
    assert interpreter.durable
    assert interpreter.rows(EVENTS) == EVENTS
    await interpreter.committed(())
    assert wake.rings == 0
    await interpreter.committed(EVENTS)
    assert wake.rings == 1


async def test_immediate_publishes_after_the_commit_in_order() -> None:
    """It writes no rows, and says that it is not durable."""
    wire, seen = InProcess(), []

    async def receive(message: Message) -> None:
        seen.append(decode_message(message).id)

    interpreter: TransportInterpreter = ImmediateInterpreter(wire, lambda topic: ("shop",) if topic == TOPIC else ())
    assert not interpreter.durable
    assert interpreter.rows(EVENTS) == ()
    async with wire.listening("shop", TOPIC, receive):
        await interpreter.committed(EVENTS)
    assert seen == ["dune-1", "dune-2"]


async def test_immediate_counts_what_it_loses() -> None:
    """The command has committed: a lost event must not look like its failure."""
    interpreter = ImmediateInterpreter(InProcess(), lambda topic: ("nobody",))
    await interpreter.committed(EVENTS)
    assert interpreter.lost == 2
    assert str(interpreter.last_error).startswith("Destination 'nobody' is unavailable")


async def test_a_cancellation_that_nobody_asked_for_costs_immediate_one_event_and_not_its_caller(
    anyio_backend_name: str,
) -> None:
    """A subscriber that awaits a cancelled future must not cancel a caller whose command has committed."""
    if anyio_backend_name != "asyncio":
        pytest.skip("trio has no futures that somebody else can cancel")
    wire, seen = InProcess(), []

    async def receive(message: Message) -> None:
        seen.append(decode_message(message).id)
        if len(seen) == 1:
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future

    interpreter = ImmediateInterpreter(wire, lambda topic: ("shop",))
    async with wire.listening("shop", TOPIC, receive):
        await interpreter.committed(EVENTS)
    assert (seen, interpreter.lost) == (["dune-1", "dune-2"], 1)


async def test_recording_keeps_what_was_committed() -> None:
    """In the order of the commits."""
    interpreter = RecordingInterpreter()
    port: TransportInterpreter = interpreter
    assert port.rows(EVENTS) == ()
    assert interpreter.published == []
    await port.committed(EVENTS[:1])
    await port.committed(EVENTS[1:])
    assert interpreter.published == list(EVENTS)


async def test_forbidden_refuses_events_before_the_commit() -> None:
    """The unit rolls back with a sentence that names the event."""
    interpreter: TransportInterpreter = ForbiddenInterpreter()
    assert interpreter.rows(()) == ()
    with pytest.raises(PublishForbidden, match=r"Nothing may be published here, but 'lending.book-borrowed' was\."):
        interpreter.rows(EVENTS[:1])
    await interpreter.committed(())
