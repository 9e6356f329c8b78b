"""Two relays: one is slower than its lease, and goes on sending what the other has sent since."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Refused, do, guard
from tests.simulation.corpus.case import Case, Client, View
from tests.simulation.corpus.office import Doing, Listener, Program, app_of, office


@frozen
class Fill:
    """Put two items in the batch."""


@frozen
class Claim:
    """Borrow the batch."""

    owner: str


@frozen
class Send:
    """Send one item of the batch."""

    item: str
    token: int


@frozen
class Taken:
    """Somebody else has it."""


def _case(*, planted: bool) -> Case:
    board = Listener()
    room = office("room")

    @room.command(access="public")
    def fill(cmd: Fill) -> Doing[None]:
        rt = yield from room.runtime
        for item in ("1", "2"):
            yield from rt.records.put("waiting", item, 1)

    @room.command(access="public")
    def claim(cmd: Claim) -> Doing[tuple[int, list[str]], Taken]:
        rt = yield from room.runtime
        now = int((yield from rt.clock.now()).timestamp())
        yield from guard((yield from rt.records.get("lease", "until")) <= now, Taken())
        token = (yield from rt.records.get("lease", "token")) + 1
        yield from rt.records.put("lease", "token", token)
        yield from rt.records.put("lease", "until", now + 30)
        return token, list((yield from rt.records.all("waiting")))

    @room.command(access="public")
    def send(cmd: Send) -> Doing[None]:
        rt = yield from room.runtime
        yield from rt.outside.tell(f"{cmd.token} {cmd.item}", fence=None if planted else cmd.token)
        yield from rt.records.drop("waiting", cmd.item)

    @do
    def relay(owner: str) -> Program[None, Taken | Refused]:
        token, items = yield from claim(Claim(owner))
        for item in items:
            yield from send(Send(item, token))

    def nothing_goes_back(view: View) -> bool:
        # Items may come again under a newer lease, in their order; never under an older one after that.
        return board.told == sorted(board.told)

    return Case(
        number=14,
        title="two relays, lease expired mid-batch",
        needs=frozenset({"time"}),
        deviations=1,
        app=app_of(room, outside=board),
        given=[fill(Fill())],
        clients=[
            Client("one", [relay("one")]),
            Client("two", [relay("two")], after=timedelta(seconds=40)),
        ],
        parties=[board],
        at_end=[nothing_goes_back],
    )


def bug() -> Case:
    """Send without saying under which lease."""
    return _case(planted=True)


def twin() -> Case:
    """Send the lease's number along; the board turns older ones away."""
    return _case(planted=False)
