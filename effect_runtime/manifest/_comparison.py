"""Which changes lie between two manifests.

What the new one does not know of older versions and of retired names is no change: that is the committed one's to
remember. Pure; knows no class and no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from attrs import evolve

from effect_runtime.integration import FieldShape
from effect_runtime.manifest._change import Change, ChangeKind
from effect_runtime.manifest._contract import EventContract, SubscriptionContract, WireManifest
from effect_runtime.manifest._fields import Shapes, parent_of, words_of

# What the readers in `integration` accept: a pair that they begin to refuse has to go from here, too.
_WIDER: Final = frozenset(
    {
        ("int", "float"),
        ("int", "decimal"),
        ("uuid", "text"),
        ("decimal", "text"),
        ("datetime", "text"),
        ("date", "text"),
        ("bytes", "text"),
    }
)
"""(a, b): whatever is written as an `a` is read as a `b`."""

_Renames: TypeAlias = Mapping[str, str]


def compare(old: WireManifest, new: WireManifest) -> tuple[Change, ...]:
    """Return every change from one manifest to another, topics first, then events, then subscriptions.

    `old` is what was committed, `new` what the code says now; each change says what it means and the way out.
    """
    continued = _continued(old, new)
    topics = _renamed_topics(old, new, continued)
    return (
        *_topics(old, new, topics),
        *_events(old, new, continued, topics),
        *_subscriptions(old, new, {name: event.name for name, event in continued.items()}, topics),
    )


def _continued(old: WireManifest, new: WireManifest) -> dict[str, EventContract]:
    """Return what each old event is now: the event that reads its identity, or at least one of its former ones."""
    # By every name that is read, because a renamed identity goes on under its new one.
    by_name = {name: event for event in new.events for name in event.names}
    found = {event.name: [by_name[name] for name in event.names if name in by_name] for event in old.events}
    return {name: events[0] for name, events in found.items() if events}


def _renamed_topics(old: WireManifest, new: WireManifest, continued: Mapping[str, EventContract]) -> dict[str, str]:
    """Return which topic goes on under which name: its old name is gone, its new one new, and an event moved along."""
    gone = {topic.name for topic in old.topics} - {topic.name for topic in new.topics}
    come = {topic.name for topic in new.topics} - {topic.name for topic in old.topics}
    moves = [(event.topic, continued[event.name].topic) for event in old.events if event.name in continued]
    renamed: dict[str, str] = {}
    for before, after in moves:
        # Only where one name went and one came: an event that moves between two topics that stay is no renaming.
        if before in gone and after in come and after not in renamed.values():
            renamed.setdefault(before, after)
    return renamed


def _topics(old: WireManifest, new: WireManifest, renamed: _Renames) -> Iterator[Change]:
    before = {topic.name: topic for topic in old.topics}
    after = {topic.name: topic for topic in new.topics}
    for name, topic in before.items():
        where, successor = f"topic '{name}'", after.get(renamed.get(name, name))
        if successor is None:
            yield Change(_ending(name, topic.owner, old, new), where)
            continue
        if successor.name != name:
            yield Change(ChangeKind.TOPIC_RENAMED, where, before=name, after=successor.name)
        if successor.owner != topic.owner:
            owners = {"before": _owner(topic.owner), "after": _owner(successor.owner)}
            yield Change(ChangeKind.OWNER_CHANGED, where, **owners)
    for name in after:
        if name not in before and name not in renamed.values():
            yield Change(ChangeKind.TOPIC_ADDED, f"topic '{name}'")


def _ending(topic: str, owner: str | None, old: WireManifest, new: WireManifest) -> ChangeKind:
    if owner is None:
        return ChangeKind.TOPIC_FORGOTTEN
    left = {event.name for event in old.events if event.topic == topic} - set(new.retired_events)
    return ChangeKind.TOPIC_REMOVED if left else ChangeKind.TOPIC_RETIRED


def _owner(owner: str | None) -> str:
    return "another application" if owner is None else f"context '{owner}'"


def _events(
    old: WireManifest, new: WireManifest, continued: Mapping[str, EventContract], topics: _Renames
) -> Iterator[Change]:
    forgotten = {topic.name for topic in old.topics if topic.owner is None} - {topic.name for topic in new.topics}
    for event in old.events:
        where = f"event '{event.name}'"
        if event.name in continued:
            yield from _event(event, continued[event.name], where, topics)
        elif event.name in new.retired_events:
            yield Change(ChangeKind.EVENT_RETIRED, where)
        elif event.topic not in forgotten:
            yield Change(ChangeKind.EVENT_REMOVED, where, before=event.name)
    known = {event.name for event in continued.values()}
    for event in new.events:
        where = f"event '{event.name}'"
        if event.name not in known:
            yield Change(ChangeKind.EVENT_ADDED, where)
        for name in sorted({*event.names} & {*old.retired_events}):
            yield Change(ChangeKind.EVENT_REVIVED, where, before=name)


def _event(old: EventContract, new: EventContract, where: str, topics: _Renames) -> Iterator[Change]:
    yield from _names(old, new, where)
    if topics.get(old.topic, old.topic) != new.topic:
        yield Change(ChangeKind.EVENT_MOVED, where, before=old.topic, after=new.topic)
    if old.key != new.key:
        yield Change(ChangeKind.KEY_CHANGED, where, before=old.key or "no key", after=new.key or "no key")
    if new.version > old.version:
        after = f"{new.version}{_summary(old.shapes[old.version], new.shapes[new.version])}"
        yield Change(ChangeKind.VERSION_RAISED, where, before=str(old.version), after=after)
    elif new.version < old.version:
        yield Change(ChangeKind.VERSION_LOWERED, where, before=str(old.version), after=str(new.version))
    if new.oldest != old.oldest:
        kind = ChangeKind.OLDEST_RAISED if new.oldest > old.oldest else ChangeKind.OLDEST_LOWERED
        yield Change(kind, where, before=str(old.oldest), after=str(new.oldest))
    # A version that only one of them knows has not changed: that versions come and go is told above.
    for number in sorted(old.shapes.keys() & new.shapes.keys()):
        yield from field_changes(old.shapes[number], new.shapes[number], where=f"{where} version {number}")


def _names(old: EventContract, new: EventContract, where: str) -> Iterator[Change]:
    if old.name != new.name and old.name in new.names:
        yield Change(ChangeKind.IDENTITY_RENAMED, where, before=old.name, after=new.name)
    for name in sorted({*old.names} - {*new.names}):
        yield Change(ChangeKind.FORMER_NAME_LOST, where, before=name)
    for name in sorted({*new.formerly} - {*old.names}):
        yield Change(ChangeKind.FORMER_NAME_ADDED, where, after=name)


def _summary(old: Shapes, new: Shapes) -> str:
    words = {
        "adds": _outermost(new, old),
        "drops": _outermost(old, new),
        "changes": [path for path in sorted(old.keys() & new.keys()) if old[path] != new[path]],
    }
    said = [f"{verb} {', '.join(paths)}" for verb, paths in words.items() if paths]
    return f" ({'; '.join(said)})" if said else ""


def field_changes(old: Shapes, new: Shapes, *, where: str) -> Iterator[Change]:
    """Yield the changes between two shapes of one version; what hangs below a changed path is not told again."""
    for path in _outermost(new, old):
        kind = ChangeKind.OPTIONAL_FIELD_ADDED if new[path].is_optional else ChangeKind.REQUIRED_FIELD_ADDED
        yield Change(kind, f"{where}, field '{path}'", after=words_of(new[path]))
    for path in _outermost(old, new):
        yield Change(ChangeKind.FIELD_REMOVED, f"{where}, field '{path}'", before=words_of(old[path]))
    for path in sorted(old.keys() & new.keys()):
        if old[path] != new[path] and not _is_below_a_change(path, old, new):
            yield from _field(old[path], new[path], f"{where}, field '{path}'")


def _outermost(shapes: Shapes, known: Shapes) -> list[str]:
    """Return the paths that only `shapes` has, without those below another one of them or below a change of kind."""
    return [path for path in sorted(shapes.keys() - known.keys()) if not _is_below_a_change(path, shapes, known)]


def _is_below_a_change(path: str, one: Shapes, other: Shapes) -> bool:
    while path := parent_of(path):
        if path not in one or path not in other or one[path].kind != other[path].kind:
            return True
    return False


def _field(old: FieldShape, new: FieldShape, where: str) -> Iterator[Change]:
    if old.is_optional != new.is_optional:
        yield Change(ChangeKind.DEFAULT_ADDED if new.is_optional else ChangeKind.DEFAULT_REMOVED, where)
    if old.kind == new.kind == "choice":
        for choice in sorted({*new.choices} - {*old.choices}):
            yield Change(ChangeKind.CHOICE_ADDED, where, after=choice)
        for choice in sorted({*old.choices} - {*new.choices}):
            yield Change(ChangeKind.CHOICE_REMOVED, where, before=choice)
        # What the choices say is told by now; null may be left to tell.
        old = evolve(old, choices=new.choices)
    forth, back = _reads(old, by=new), _reads(new, by=old)
    if forth and back:
        return
    kind = ChangeKind.TYPE_WIDENED if forth else ChangeKind.TYPE_NARROWED if back else ChangeKind.TYPE_CHANGED
    yield Change(kind, where, before=words_of(old), after=words_of(new))


def _reads(shape: FieldShape, *, by: FieldShape) -> bool:
    """Tell whether whatever is written as one shape is read as another."""
    if shape.is_nullable and not by.is_nullable:
        return False
    return all(kind == by.kind or (kind, by.kind) in _WIDER for kind in _written_as(shape, by))


def _written_as(shape: FieldShape, by: FieldShape) -> set[str]:
    """Return the kinds of what stands in a payload: a choice is written as its values are."""
    if shape.kind != "choice" or by.kind == "choice":
        return {shape.kind}
    return {_kind_of(choice) for choice in shape.choices}


def _kind_of(choice: str) -> str:
    if choice.startswith('"'):
        return "text"
    return "bool" if choice in ("true", "false") else "int"


def _subscriptions(old: WireManifest, new: WireManifest, events: _Renames, topics: _Renames) -> Iterator[Change]:
    before = {subscription.name: subscription for subscription in old.subscriptions}
    after = {subscription.name: subscription for subscription in new.subscriptions}
    for id, subscription in before.items():
        where = f"subscription '{id}'"
        if id in after:
            yield from _subscription(subscription, after[id], where, events, topics)
        elif id in new.retired_subscriptions:
            yield Change(ChangeKind.SUBSCRIPTION_RETIRED, where)
        else:
            yield Change(ChangeKind.SUBSCRIPTION_REMOVED, where, before=id)
    for id in after:
        if id in old.retired_subscriptions:
            yield Change(ChangeKind.SUBSCRIPTION_REVIVED, f"subscription '{id}'", before=id)
        elif id not in before:
            yield Change(ChangeKind.SUBSCRIPTION_ADDED, f"subscription '{id}'")


def _subscription(
    old: SubscriptionContract, new: SubscriptionContract, where: str, events: _Renames, topics: _Renames
) -> Iterator[Change]:
    if topics.get(old.topic, old.topic) != new.topic:
        yield Change(ChangeKind.SUBSCRIPTION_MOVED, where, before=old.topic, after=new.topic)
    handled = {events.get(name, name) for name in old.handles}
    for name in sorted({*new.handles} - handled):
        yield Change(ChangeKind.HANDLER_ADDED, where, after=f"'{name}'")
    for name in sorted(handled - {*new.handles}):
        yield Change(ChangeKind.HANDLER_REMOVED, where, before=f"'{name}'")
    if old.start != new.start:
        kind = ChangeKind.START_MADE_EARLIEST if new.start == "earliest" else ChangeKind.START_MADE_NOW
        yield Change(kind, where)
    if old.poison != new.poison:
        yield Change(ChangeKind.POISON_CHANGED, where, before=_POISONED[old.poison], after=_POISONED[new.poison])


_POISONED: Final[Mapping[str, str]] = {"block": "wait", "skip": "go on"}
