"""One at a time, in each process: two of them measure, and both write what they have measured last."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import DomainEvent, emit
from effect_runtime.dispatch import EventQueue, stored
from effect_runtime.testing import Client, Simulation, View
from tests.simulation.strangers.premises import Doing, NoAnswer, Provider, Stranger, app_of, desk_of


@frozen
@stored("strangers-36.ordered")
class MeasureOrderedOccurred(DomainEvent):
    """Something is to be measured."""

    sample: str
    device: str


@frozen
class Measure:
    """Let something be measured."""

    sample: str


def _world(planted: bool) -> Simulation:
    device = Provider()
    laboratory = desk_of("laboratory")
    work = EventQueue("work", concurrency=1)

    @laboratory.command(access="public")
    def measure(cmd: Measure) -> Doing[None]:
        yield from emit(MeasureOrderedOccurred(cmd.sample, "scales"))

    @laboratory.after_commit(MeasureOrderedOccurred, queue=work, key=None if planted else "device")
    def weigh(event: MeasureOrderedOccurred) -> Doing[None, NoAnswer]:
        rt = yield from laboratory.runtime
        yield from rt.provider.ask(f"put {event.sample}", key=f"put {event.sample}")
        yield from rt.provider.ask(f"take {event.sample}", key=f"take {event.sample}")
        yield from rt.facts.put("weighed", event.sample, 1)

    def one_sample_lies_on_the_scales(view: View) -> bool:
        return all(
            put.split() == ["put", take.split()[1]]
            for put, take in zip(device.done[::2], device.done[1::2], strict=False)
        )

    return Simulation(
        app_of(laboratory, provider=device),
        [Client("ann", [measure(Measure("a"))]), Client("bob", [measure(Measure("b"))])],
        processes={"laboratory-1": ["laboratory"], "laboratory-2": ["laboratory"]},
        parties=[device],
        at_end=[one_sample_lies_on_the_scales],
    )


STRANGER = Stranger(
    title="one at a time, in each process",
    needs="two processes that work off one queue at the same time",
    deviations=1,
    world=_world,
)
