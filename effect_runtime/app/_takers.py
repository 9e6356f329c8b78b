"""Who takes what from the agenda: the after-commit handlers of each queue of a context, and its due commands.

Builds values for the workers. Knows the dispatcher, no store.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from effect_runtime.dispatch import AfterCommit, Dispatcher, EventQueue, Home, patient
from effect_runtime.integration import Secrets
from effect_runtime.outbox import Desk, Persistence, Taker


def queues_of(handlers: Iterable[AfterCommit]) -> dict[EventQueue, tuple[AfterCommit, ...]]:
    """Return the after-commit handlers of a context by their queue."""
    queues: dict[EventQueue, tuple[AfterCommit, ...]] = {}
    for handler in handlers:
        queues[handler.queue] = (*queues.get(handler.queue, ()), handler)
    return queues


def titles_of(home: Home) -> tuple[str, ...]:
    """Return every reaction of a context under which the agenda may hold something for it."""
    queued = (
        each.title
        for queue, handlers in queues_of(home.binding.context.after_commits).items()
        if queue.durable
        for each in handlers
    )
    return (*queued, *home.due_reactions)


def desks_of(home: Home, dispatcher: Dispatcher, secrets: Secrets) -> tuple[Desk, ...]:
    """Return a desk for each durable queue of a context, and one for its due commands."""
    desks = [
        Desk(tuple(taker_of(handler, dispatcher, secrets) for handler in handlers), queue.concurrency)
        for queue, handlers in queues_of(home.binding.context.after_commits).items()
        if queue.durable
    ]
    if home.due_reactions:
        desks.append(Desk(tuple(_due_taker(home, title, dispatcher, secrets) for title in home.due_reactions)))
    return tuple(desks)


def taker_of(handler: AfterCommit, dispatcher: Dispatcher, secrets: Secrets) -> Taker:
    """Return an after-commit handler as its queue's workers see it."""
    return Taker(
        reaction=handler.title,
        react=partial(dispatcher.react, handler),
        verdict=handler.verdict,
        persistence=Persistence(immediate=handler.queue.immediate, schedule=handler.queue.schedule),
        secrets=secrets,
    )


def _due_taker(home: Home, title: str, dispatcher: Dispatcher, secrets: Secrets) -> Taker:
    return Taker(
        reaction=title,
        react=partial(dispatcher.answer_due, home.name),
        verdict=lambda failure: "dead_letter",  # a declared failure is the command's answer: no try will change it
        persistence=Persistence(schedule=patient),
        secrets=secrets,
    )
