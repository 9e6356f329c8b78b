"""Published, then crashed, without a key to tell the second copy by: the world hears the same twice."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Refused, do
from tests.simulation.corpus.case import Case, Client, View
from tests.simulation.corpus.office import Doing, Listener, Looking, Program, app_of, office


@frozen
class Write:
    """Write a letter."""

    id: str


@frozen
class Send:
    """Send a letter and mark it."""

    id: str


@frozen
class Unsent:
    """Ask for the letters to send."""


def _case(*, planted: bool) -> Case:
    post = Listener()
    room = office("room")

    @room.command(access="public")
    def write(cmd: Write) -> Doing[None]:
        rt = yield from room.runtime
        yield from rt.records.put("sent", cmd.id, 0)

    @room.query(access="public")
    def unsent(ask: Unsent) -> Looking[list[str]]:
        rt = yield from room.reads
        letters = yield from rt.records.all("sent")
        return [id for id, sent in letters.items() if not sent]

    @room.command(access="public")
    def send(cmd: Send) -> Doing[None]:
        rt = yield from room.runtime
        yield from rt.outside.tell(cmd.id, key=None if planted else cmd.id)
        yield from rt.records.put("sent", cmd.id, 1)

    @do
    def clear() -> Program[None, Refused]:
        for id in (yield from unsent(Unsent())):
            yield from send(Send(id))

    def no_letter_arrives_twice(view: View) -> bool:
        return len(post.told) == len(set(post.told))

    return Case(
        number=5,
        title="publish then crash, no dedupe key",
        needs=frozenset({"crash"}),
        deviations=1,
        app=app_of(room, outside=post),
        given=[write(Write("l1")), write(Write("l2"))],
        clients=[Client("clerk", [clear()])],
        parties=[post],
        at_end=[no_letter_arrives_twice],
    )


def bug() -> Case:
    """Send without a key."""
    return _case(planted=True)


def twin() -> Case:
    """Send under the letter's own id."""
    return _case(planted=False)
