"""`announce`: both kinds of event, each to its own queue, in one order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from attrs import frozen

from effect_runtime import DomainEvent, Events, Outbox, Topic, announce, do, integration_event
from effect_runtime.dispatch import HasEventsAndOutbox
from effect_runtime.effect import Do, Succeeded
from effect_runtime.interpreter import Interpreter, Recorded, record, run


class WardEvents(Topic, name="ward"):
    """What the ward tells."""

    __slots__ = ()


@frozen
class PatientDischargedOccurred(DomainEvent):
    """The inside hears it."""

    patient: int


@frozen
@integration_event("ward.bed-released", key="bed")
class BedReleased(WardEvents):
    """The outside hears it."""

    bed: int


@frozen
class Runtime:
    """A runtime with both queues."""

    events: Events
    outbox: Outbox[WardEvents]


def discharge(patient: int, bed: int) -> Iterator[PatientDischargedOccurred | BedReleased]:
    """Tell what discharging a patient means: a pure side-car."""
    yield PatientDischargedOccurred(patient)
    yield BedReleased(bed)


@do
def discharging() -> Do[None, None, HasEventsAndOutbox[WardEvents]]:
    """Announce what the side-car yields."""
    yield from announce(*discharge(1, 2))


@pytest.mark.anyio
async def test_each_event_goes_to_the_queue_of_its_kind() -> None:
    """A side-car need not know which of its events stays inside."""
    runtime = Runtime(Events(), Outbox())
    await run(discharging(), runtime)
    assert (list(runtime.events), list(runtime.outbox)) == ([PatientDischargedOccurred(1)], [BedReleased(2)])


@pytest.mark.anyio
async def test_events_are_told_in_the_order_in_which_they_are_given() -> None:
    """Interceptors see one operation for each event."""
    log: list[Recorded] = []
    announcing = announce(BedReleased(1), PatientDischargedOccurred(2), BedReleased(3))
    await Interpreter(interceptors=(record(log),)).run(announcing, Runtime(Events(), Outbox()))
    assert log == [
        Recorded("Outbox.add", (BedReleased(1),), {}, "local", Succeeded(None)),
        Recorded("Events.add", (PatientDischargedOccurred(2),), {}, "local", Succeeded(None)),
        Recorded("Outbox.add", (BedReleased(3),), {}, "local", Succeeded(None)),
    ]


@pytest.mark.anyio
async def test_announcing_nothing_does_nothing() -> None:
    """A side-car may have nothing to tell."""
    runtime = Runtime(Events(), Outbox())
    await run(announce(*list[BedReleased]()), runtime)
    assert (len(runtime.events), len(runtime.outbox)) == (0, 0)
