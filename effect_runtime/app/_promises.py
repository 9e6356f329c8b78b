"""What an application promises on the wire, and which of its changes a committed manifest forbids.

Pure, except that a manifest given as a path is read. Knows no command line.
"""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from typing import TypeAlias

from effect_runtime.app._plan import Plan
from effect_runtime.errors import BadManifest, Code, Fault
from effect_runtime.integration import Topic, event_identity, topic_name
from effect_runtime.manifest import Impact, SubscriptionContract, WireManifest, compare, wire_manifest

Committed: TypeAlias = WireManifest | str | PathLike[str]
"""A committed manifest, or the path of its file."""


def topics_of(plan: Plan) -> tuple[type[Topic], ...]:
    """Return every topic that an application publishes or hears."""
    published = (topic for binding in plan.bindings for topic in binding.context.publishes)
    return tuple(dict.fromkeys((*published, *(each.topic for each in plan.subscriptions))))


def manifest_of(plan: Plan) -> WireManifest:
    """Return what a verified application says on the wire now."""
    owners: dict[type[Topic], str | None] = dict.fromkeys(topics_of(plan))
    owners |= {topic: binding.name for binding in plan.bindings for topic in binding.context.publishes}
    subscriptions = (
        SubscriptionContract(
            name=each.id,
            topic=topic_name(each.topic),
            handles=tuple(event_identity(handler.event).name for handler in each.handlers),
            start=each.start,
            poison=each.poison,
        )
        for each in plan.subscriptions
    )
    return wire_manifest(owners, subscriptions=subscriptions)


def promise_faults(plan: Plan, committed: Committed) -> Iterator[Fault]:
    """Find every change that breaks the committed manifest of a verified application."""
    place = f"app {plan.name!r}" if isinstance(committed, WireManifest) else str(committed)
    try:
        promised = committed if isinstance(committed, WireManifest) else WireManifest.from_file(committed)
    except BadManifest as error:
        fix = (
            f"Take the committed file back, or write one: `python -m effect_runtime.manifest write MODULE:APP {place}`."
        )
        yield Fault(Code.ER216, place=place, problem=f"{error.where} {error.problem}.", fix=fix)
        return
    for change in compare(promised, manifest_of(plan)):
        if change.impact is Impact.BREAKING:
            problem = f"{change.where}: {change.problem}"
            yield Fault(Code.ER214, place=place, problem=problem, fix=change.fix)
