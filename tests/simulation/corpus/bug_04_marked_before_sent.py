"""Marked as sent before it is sent: a crash in between loses the letter."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Refused, do
from tests.simulation.corpus.case import Case, Client, View
from tests.simulation.corpus.office import Doing, Listener, Looking, Program, app_of, office, recorded


@frozen
class Write:
    """Write a letter."""

    id: str


@frozen
class Mark:
    """Mark a letter as sent."""

    id: str


@frozen
class Send:
    """Send a letter."""

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
    def mark(cmd: Mark) -> Doing[None]:
        rt = yield from room.runtime
        yield from rt.records.put("sent", cmd.id, 1)

    @room.command(access="public")
    def send(cmd: Send) -> Doing[None]:
        rt = yield from room.runtime
        yield from rt.outside.tell(cmd.id, key=cmd.id)

    @do
    def clear() -> Program[None, Refused]:
        for id in (yield from unsent(Unsent())):
            if planted:
                yield from mark(Mark(id))
            yield from send(Send(id))
            if not planted:
                yield from mark(Mark(id))

    def what_is_marked_was_sent(view: View) -> bool:
        return {id for id, sent in recorded(view, "room", "sent").items() if sent} <= set(post.told)

    return Case(
        number=4,
        title="mark sent before publish",
        needs=frozenset({"crash"}),
        deviations=1,
        app=app_of(room, outside=post),
        given=[write(Write("l1")), write(Write("l2"))],
        clients=[Client("clerk", [clear()])],
        parties=[post],
        at_end=[what_is_marked_was_sent],
    )


def bug() -> Case:
    """Mark, then send."""
    return _case(planted=True)


def twin() -> Case:
    """Send, then mark."""
    return _case(planted=False)
