"""Numbers in blocks: two processes look which block is next, and hand out the same one."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Refused, do
from effect_runtime.testing import Client, Simulation, View
from tests.simulation.strangers.premises import Doing, Looking, Program, Stranger, app_of, desk_of, facts_of

SIZE = 10


@frozen
class NextBlock:
    """Ask which block is next."""


@frozen
class TakeBlock:
    """Take a block for this process: the one that was seen, or whichever is next."""

    seen: int


@frozen
class Print:
    """Print a ticket, with the next number of this process."""

    guest: str


def no_number_is_printed_twice(view: View) -> bool:
    """Each ticket has a number of its own."""
    numbers = list(facts_of(view, "desk", "ticket").values())
    return len(numbers) == len(set(numbers))


def _world(planted: bool) -> Simulation:
    desk = desk_of("desk")

    @desk.query(access="public")
    def next_block(ask: NextBlock) -> Looking[int]:
        rt = yield from desk.reads
        return (yield from rt.facts.get("block", "next"))

    @desk.command(access="public")
    def take_block(cmd: TakeBlock) -> Doing[None]:
        rt = yield from desk.runtime
        block = cmd.seen if planted else (yield from rt.facts.get("block", "next"))
        yield from rt.facts.put("block", "next", block + 1)
        yield from rt.memory.keep("next", block * SIZE)

    @desk.command(access="public")
    def print_ticket(cmd: Print) -> Doing[None]:
        rt = yield from desk.runtime
        number = (yield from rt.memory.recall("next")) or 0
        yield from rt.memory.keep("next", number + 1)
        yield from rt.facts.put("ticket", cmd.guest, number)

    @do
    def visit(guest: str) -> Program[None, Refused]:
        yield from take_block(TakeBlock((yield from next_block(NextBlock()))))
        yield from print_ticket(Print(guest))

    return Simulation(
        app_of(desk),
        [Client("ann", [visit("ann")], process="desk-1"), Client("bob", [visit("bob")], process="desk-2")],
        processes={"desk-1": ["desk"], "desk-2": ["desk"]},
        always=[no_number_is_printed_twice],
    )


STRANGER = Stranger(
    title="the same block of numbers twice",
    needs="two processes that look at the same time",
    deviations=1,
    world=_world,
)
