"""What an application has promised on the wire, as one value: topics, events in all versions, subscriptions.

Its text is committed beside the code and is the memory of versions that no class knows any more. Knows no class.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Final, Literal

from attrs import evolve, field, frozen

from effect_runtime.errors import BadManifest, NotRetirable
from effect_runtime.manifest._cursor import Cursor
from effect_runtime.manifest._fields import Shapes, shapes_at, shapes_to_plain

FORMAT: Final = 1
"""The version of the text itself."""

LARGEST_VERSION: Final = 2**31 - 1
START: Final = ("now", "earliest")
POISON: Final = ("block", "skip")


def _sorted(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(words))


@frozen
class TopicContract:
    """A topic and the context that owns it; None where another application does."""

    name: str
    owner: str | None


@frozen(kw_only=True)
class EventContract:
    """An event under its wire identity, with what is known of its versions.

    `shapes` has the current version and those older ones that were current when a manifest was written.
    """

    name: str
    topic: str
    key: str | None
    version: int
    oldest: int = 1
    formerly: tuple[str, ...] = field(default=(), converter=_sorted)
    shapes: Mapping[int, Shapes]

    @property
    def names(self) -> tuple[str, ...]:
        """Return every identity under which it is read."""
        return (self.name, *self.formerly)


@frozen(kw_only=True)
class SubscriptionContract:
    """A subscription under its stored id, with the identities that it handles."""

    name: str
    topic: str
    handles: tuple[str, ...] = field(converter=_sorted)
    start: Literal["now", "earliest"] = "now"
    poison: Literal["block", "skip"] = "block"


def _topics(topics: Iterable[TopicContract]) -> tuple[TopicContract, ...]:
    return tuple(sorted(topics, key=lambda topic: topic.name))


def _events(events: Iterable[EventContract]) -> tuple[EventContract, ...]:
    return tuple(sorted(events, key=lambda event: event.name))


def _subscriptions(subscriptions: Iterable[SubscriptionContract]) -> tuple[SubscriptionContract, ...]:
    return tuple(sorted(subscriptions, key=lambda subscription: subscription.name))


@frozen(kw_only=True)
class WireManifest:
    """Everything that others rely on: what may stand in an outbox, an inbox, a dead letter or another program.

    Written from the code by `app.manifest()` or `wire_manifest(...)`, completed with what was committed by
    `following(...)`. `retired_events` and `retired_subscriptions` are names that nobody may use again.
    """

    topics: tuple[TopicContract, ...] = field(default=(), converter=_topics)
    events: tuple[EventContract, ...] = field(default=(), converter=_events)
    subscriptions: tuple[SubscriptionContract, ...] = field(default=(), converter=_subscriptions)
    retired_events: tuple[str, ...] = field(default=(), converter=_sorted)
    retired_subscriptions: tuple[str, ...] = field(default=(), converter=_sorted)

    def to_text(self) -> str:
        """Return the one text of this manifest: sorted JSON, one fact on a line, so that a diff reads well."""
        document = {
            "format": FORMAT,
            "topics": {topic.name: {"owner": topic.owner} for topic in self.topics},
            "events": {event.name: _event_to_plain(event) for event in self.events},
            "subscriptions": {each.name: _subscription_to_plain(each) for each in self.subscriptions},
            "retired": {"events": list(self.retired_events), "subscriptions": list(self.retired_subscriptions)},
        }
        return json.dumps(document, indent=2) + "\n"

    @classmethod
    def from_text(cls, text: str) -> WireManifest:
        """Read a committed text; raises `errors.BadManifest`, which names the line or the field, and nothing else."""
        root = Cursor.over(text)
        form, topics, events, subscriptions, retired = root.members(
            ("format", "topics", "events", "subscriptions", "retired")
        )
        form.number(least=FORMAT, most=FORMAT)
        retired_events, retired_subscriptions = retired.members(("events", "subscriptions"))
        manifest = cls(
            topics=tuple(_topic_at(name, value) for name, value in topics.entries()),
            events=tuple(_event_at(name, value) for name, value in events.entries()),
            subscriptions=tuple(_subscription_at(name, value) for name, value in subscriptions.entries()),
            retired_events=retired_events.texts(),
            retired_subscriptions=retired_subscriptions.texts(),
        )
        _refuse_contradictions(manifest, root)
        return manifest

    @classmethod
    def from_file(cls, path: str | PathLike[str]) -> WireManifest:
        """Read a committed file; a file that cannot be opened is an `errors.BadManifest`, too."""
        try:
            return cls.from_text(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise BadManifest(f"file '{path}'", problem=f"cannot be opened ({error.strerror})") from error
        except UnicodeDecodeError as error:
            raise BadManifest(f"file '{path}'", problem=f"is not UTF-8 (byte {error.start})") from error

    def following(self, committed: WireManifest, *, retire: Iterable[str] = ()) -> WireManifest:
        """Return this manifest with what only the committed one knows: shapes of older versions, retired names.

        `retire` names events and subscriptions that the code has given up on purpose. Raises `errors.NotRetirable`
        for one that the code still has, or that nobody knows.
        """
        events, subscriptions = set[str](), set[str]()
        for name in retire:
            gone = _retired_with(name, committed)
            _refuse_retirement(name, gone, self)
            events.update(gone[0])
            subscriptions.update(gone[1])
        return evolve(
            self,
            events=tuple(_remembering(event, committed) for event in self.events),
            # Without what the code still has: that is told as a revival by `compare`, which looks at the committed
            # names.
            retired_events={*committed.retired_events, *events} - _identities(self),
            retired_subscriptions={*committed.retired_subscriptions, *subscriptions} - _ids(self),
        )


def _identities(manifest: WireManifest) -> set[str]:
    return {name for event in manifest.events for name in event.names}


def _ids(manifest: WireManifest) -> set[str]:
    return {subscription.name for subscription in manifest.subscriptions}


def _remembering(event: EventContract, committed: WireManifest) -> EventContract:
    """Return an event with the shapes of its older versions, under its own name or one that it had."""
    by_name = {name: known for known in committed.events for name in known.names}
    known = next((by_name[name] for name in event.names if name in by_name), event)
    older = {number: shapes for number, shapes in known.shapes.items() if event.oldest <= number < event.version}
    return evolve(event, shapes={**older, **event.shapes})


def _retired_with(name: str, committed: WireManifest) -> tuple[frozenset[str], frozenset[str]]:
    """Return the identities and the subscription ids that end with a name."""
    events = frozenset(each for event in committed.events if event.name == name for each in event.names)
    return events, frozenset({name} & _ids(committed))


def _refuse_retirement(name: str, gone: tuple[frozenset[str], frozenset[str]], present: WireManifest) -> None:
    if not any(gone):
        known = "the committed manifest has no event and no subscription of this name"
        raise NotRetirable(name, reason=known, fix="Write it as it stands there; a retired name needs no second entry.")
    if gone[0] & _identities(present) or gone[1] & _ids(present):
        raise NotRetirable(name, reason="the code still has it", fix="Take it out of the code first.")


def _event_to_plain(event: EventContract) -> dict[str, Any]:
    return {
        "topic": event.topic,
        "key": event.key,
        "formerly": list(event.formerly),
        "oldest": event.oldest,
        "version": event.version,
        "shapes": {str(number): shapes_to_plain(shapes) for number, shapes in sorted(event.shapes.items())},
    }


def _subscription_to_plain(subscription: SubscriptionContract) -> dict[str, Any]:
    return {
        "topic": subscription.topic,
        "handles": list(subscription.handles),
        "start": subscription.start,
        "poison": subscription.poison,
    }


def _topic_at(name: str, cursor: Cursor) -> TopicContract:
    (owner,) = cursor.members(("owner",))
    return TopicContract(name, None if owner.value is None else owner.text())


def _event_at(name: str, cursor: Cursor) -> EventContract:
    topic, key, formerly, oldest, version, shapes = cursor.members(
        ("topic", "key", "formerly", "oldest", "version", "shapes")
    )
    current = version.number(least=1, most=LARGEST_VERSION)
    known = {_number_of(each, value, current): shapes_at(value) for each, value in shapes.entries()}
    if current not in known:
        shapes.refuse(f"does not have the current version {current}")
    if key.value is not None and key.text() not in known[current]:
        key.refuse("names no field of the current version")
    return EventContract(
        name=name,
        topic=topic.text(),
        key=key.value,
        version=current,
        oldest=oldest.number(least=1, most=current),
        formerly=formerly.texts(),
        shapes=known,
    )


def _number_of(text: str, cursor: Cursor, most: int) -> int:
    # Its length first: `int` answers thousands of digits with an exception of its own. `isdecimal` alone would take the
    # digits of other scripts.
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(most)) else 0
    if not 1 <= number <= most or text != str(number):
        cursor.refuse(f"is no version from 1 to {most}")
    return number


def _subscription_at(name: str, cursor: Cursor) -> SubscriptionContract:
    topic, handles, start, poison = cursor.members(("topic", "handles", "start", "poison"))
    return SubscriptionContract(
        name=name,
        topic=topic.text(),
        handles=handles.texts(),
        start=start.word(START),
        poison=poison.word(POISON),
    )


def _refuse_contradictions(manifest: WireManifest, root: Cursor) -> None:
    """Refuse what no code can say: names with two meanings, topics that are not listed."""
    topics = {topic.name for topic in manifest.topics}
    placed = [(each.name, each.topic) for each in manifest.events]
    placed += [(each.name, each.topic) for each in manifest.subscriptions]
    for name, topic in placed:
        if topic not in topics:
            root.refuse(f"puts '{name}' on the topic '{topic}', which it does not list")
    taken = set(manifest.retired_events)
    for event in manifest.events:
        for name in event.names:
            if name in taken:
                root.refuse(f"uses the identity '{name}' twice")
            taken.add(name)
    for id in sorted(_ids(manifest) & set(manifest.retired_subscriptions)):
        root.refuse(f"has the subscription '{id}' and says that it is retired")
