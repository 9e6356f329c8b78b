"""Every kind of change that a manifest can undergo, what each means for the wire, and the way out: one table.

Knows sentences and classes of change. Finding changes is somebody else's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, unique
from types import MappingProxyType
from typing import Final

from attrs import field, frozen


@unique
class Impact(Enum):
    """What a change means for what waits and for programs that still run; each is worse than the one before it."""

    COMPATIBLE = "compatible"
    """Old and new programs may run side by side, whichever comes first."""

    UPCASTABLE = "upcastable"
    """New programs read everything old; old ones do not read what is new: deploy whoever reads before who publishes."""

    BREAKING = "breaking"
    """Something that was promised is lost: a payload that nobody reads, an effect that comes twice or never."""


@frozen
class Rule:
    """What one kind of change means; the sentences may name `{before}` and `{after}`."""

    impact: Impact
    problem: str
    fix: str


@unique
class ChangeKind(Enum):
    """Name every kind of change; the value is the word that is printed."""

    TOPIC_ADDED = "topic added"
    TOPIC_REMOVED = "topic removed"
    TOPIC_RETIRED = "topic retired"
    TOPIC_FORGOTTEN = "topic no longer heard"
    TOPIC_RENAMED = "topic renamed"
    OWNER_CHANGED = "owner changed"

    EVENT_ADDED = "event added"
    EVENT_REMOVED = "event removed"
    EVENT_RETIRED = "event retired"
    EVENT_REVIVED = "retired identity used again"
    EVENT_MOVED = "event moved to another topic"
    IDENTITY_RENAMED = "identity renamed"
    FORMER_NAME_ADDED = "former identity added"
    FORMER_NAME_LOST = "identity no longer read"
    KEY_CHANGED = "key changed"
    VERSION_RAISED = "version raised"
    VERSION_LOWERED = "version lowered"
    OLDEST_RAISED = "oldest version raised"
    OLDEST_LOWERED = "oldest version lowered"

    OPTIONAL_FIELD_ADDED = "field with a default added"
    REQUIRED_FIELD_ADDED = "required field added"
    FIELD_REMOVED = "field removed"
    DEFAULT_ADDED = "default added"
    DEFAULT_REMOVED = "default removed"
    TYPE_WIDENED = "type widened"
    TYPE_NARROWED = "type narrowed"
    TYPE_CHANGED = "type changed"
    CHOICE_ADDED = "choice added"
    CHOICE_REMOVED = "choice removed"

    SUBSCRIPTION_ADDED = "subscription added"
    SUBSCRIPTION_REMOVED = "subscription removed"
    SUBSCRIPTION_RETIRED = "subscription retired"
    SUBSCRIPTION_REVIVED = "retired subscription id used again"
    SUBSCRIPTION_MOVED = "subscription moved to another topic"
    HANDLER_ADDED = "handler added"
    HANDLER_REMOVED = "handler removed"
    START_MADE_EARLIEST = "start made earliest"
    START_MADE_NOW = "start made now"
    POISON_CHANGED = "poison changed"


_COMPATIBLE, _UPCASTABLE, _BREAKING = Impact
_NOTHING: Final = "There is nothing to do."
_NEW_VERSION: Final = "Raise `version=` by one and write an @upcaster from the version before."
_RETIRE: Final = "Bring it back; or, once nothing of it waits anywhere, write the manifest with `--retire {before}`."

RULES: Final[Mapping[ChangeKind, Rule]] = MappingProxyType(
    {
        ChangeKind.TOPIC_ADDED: Rule(_COMPATIBLE, "it is new.", _NOTHING),
        ChangeKind.TOPIC_REMOVED: Rule(
            _BREAKING,
            "it is gone, and events of it are not retired.",
            "Bring it back, or retire each of its events with `--retire`.",
        ),
        ChangeKind.TOPIC_RETIRED: Rule(_COMPATIBLE, "it is gone, as all of its events are.", _NOTHING),
        ChangeKind.TOPIC_FORGOTTEN: Rule(
            _COMPATIBLE, "another application's topic is not heard any more.", "Retire the subscriptions that heard it."
        ),
        ChangeKind.TOPIC_RENAMED: Rule(
            _BREAKING,
            "it is called '{after}' now: marks, sequences and routes are kept under '{before}', so what waits is not "
            "delivered and numbers begin again.",
            'Keep `name="{before}"`; the class may be called anything.',
        ),
        ChangeKind.OWNER_CHANGED: Rule(
            _BREAKING,
            "its owner was {before} and is {after}: another store counts each key from 1 again, and subscribers take "
            "new events for duplicates.",
            "Let its owner publish it on; the other context publishes a topic of its own.",
        ),
        ChangeKind.EVENT_ADDED: Rule(_COMPATIBLE, "it is new; who does not know it passes over it.", _NOTHING),
        ChangeKind.EVENT_REMOVED: Rule(
            _BREAKING, "it is gone: what waits of it, dead letters too, is read by nobody.", _RETIRE
        ),
        ChangeKind.EVENT_RETIRED: Rule(
            _COMPATIBLE, "it is retired; its name stays taken.", "Make sure that nothing of it waits or is published."
        ),
        ChangeKind.EVENT_REVIVED: Rule(
            _BREAKING,
            "the identity '{before}' is retired, and old payloads may still be kept somewhere.",
            "Give the event an identity that was never used.",
        ),
        ChangeKind.EVENT_MOVED: Rule(
            _BREAKING,
            "it moved from topic '{before}' to '{after}': its subscribers do not hear it any more.",
            "Publish it on '{before}', or give the new topic an event with an identity of its own.",
        ),
        ChangeKind.IDENTITY_RENAMED: Rule(
            _UPCASTABLE,
            "its identity is '{after}' now; '{before}' is read as well.",
            "Deploy every reader first: one that does not know the new name passes over the event.",
        ),
        ChangeKind.FORMER_NAME_ADDED: Rule(_COMPATIBLE, "'{after}' is read as well.", _NOTHING),
        ChangeKind.FORMER_NAME_LOST: Rule(
            _BREAKING,
            "'{before}' is not read any more, but payloads of that name may wait.",
            'Name it again: `formerly=["{before}"]`.',
        ),
        ChangeKind.KEY_CHANGED: Rule(
            _BREAKING,
            "it was ordered by {before} and is ordered by {after}: numbers of other keys begin, and those that wait "
            "are out of order with them.",
            "Keep the key; or publish under a new identity with the new key and retire this one.",
        ),
        ChangeKind.VERSION_RAISED: Rule(
            _UPCASTABLE,
            "version {before} became {after}.",
            "Deploy every reader first: a version that it does not know becomes a dead letter.",
        ),
        ChangeKind.VERSION_LOWERED: Rule(
            _BREAKING,
            "version {before} became {after}: payloads of version {before} are read by nobody.",
            "Count on: undo a change by the next version and its @upcaster.",
        ),
        ChangeKind.OLDEST_RAISED: Rule(
            _BREAKING,
            "it was read from version {before} on, and is from {after}: an older payload that waits becomes a dead "
            "letter.",
            "Keep `oldest={before}` and the upcasters; they cost nothing.",
        ),
        ChangeKind.OLDEST_LOWERED: Rule(
            _COMPATIBLE, "it is read from version {after} on, not from {before}.", _NOTHING
        ),
        ChangeKind.OPTIONAL_FIELD_ADDED: Rule(
            _COMPATIBLE, "it is new ({after}) and has a default; old readers ignore it.", _NOTHING
        ),
        ChangeKind.REQUIRED_FIELD_ADDED: Rule(
            _BREAKING,
            "it is new ({after}) and has no default, so payloads that were committed without it cannot be read.",
            "Give it a default; or raise `version=` by one and write an @upcaster from the version before.",
        ),
        ChangeKind.FIELD_REMOVED: Rule(
            _BREAKING, "it is gone ({before}), and readers of this version still expect it.", _NEW_VERSION
        ),
        ChangeKind.DEFAULT_ADDED: Rule(_COMPATIBLE, "it has a default now; it is sent as before.", _NOTHING),
        ChangeKind.DEFAULT_REMOVED: Rule(
            _BREAKING,
            "it has no default any more, so payloads that were committed without it cannot be read.",
            "Give the default back; or raise `version=` by one and write an @upcaster from the version before.",
        ),
        ChangeKind.TYPE_WIDENED: Rule(
            _BREAKING,
            "it was {before} and is {after}: readers of this version refuse what is new.",
            f"{_NEW_VERSION} That upcaster may return the payload as it is.",
        ),
        ChangeKind.TYPE_NARROWED: Rule(
            _BREAKING,
            "it was {before} and is {after}: payloads that were committed are refused.",
            _NEW_VERSION,
        ),
        ChangeKind.TYPE_CHANGED: Rule(
            _BREAKING, "it was {before} and is {after}: neither reads the other.", _NEW_VERSION
        ),
        ChangeKind.CHOICE_ADDED: Rule(
            _BREAKING,
            "it may be {after} now, which readers of this version refuse.",
            f"{_NEW_VERSION} That upcaster may return the payload as it is.",
        ),
        ChangeKind.CHOICE_REMOVED: Rule(
            _BREAKING, "it may not be {before} any more, but committed payloads may say so.", _NEW_VERSION
        ),
        ChangeKind.SUBSCRIPTION_ADDED: Rule(_COMPATIBLE, "it is new.", _NOTHING),
        ChangeKind.SUBSCRIPTION_REMOVED: Rule(
            _BREAKING,
            "it is gone: what waits for it is applied by nobody, and publishers go on keeping events for it. Under "
            "another id it would begin anew.",
            _RETIRE,
        ),
        ChangeKind.SUBSCRIPTION_RETIRED: Rule(
            _COMPATIBLE, "it is retired; its id stays taken.", "Make sure that nothing waits for it."
        ),
        ChangeKind.SUBSCRIPTION_REVIVED: Rule(
            _BREAKING,
            "the id '{before}' is retired, and its old marks would decide what the new subscription gets.",
            "Give it an id that was never used.",
        ),
        ChangeKind.SUBSCRIPTION_MOVED: Rule(
            _BREAKING,
            "it heard '{before}' and hears '{after}': what waits for it is applied by nobody.",
            "Make it a subscription with an id of its own, and retire this one.",
        ),
        ChangeKind.HANDLER_ADDED: Rule(
            _COMPATIBLE, "it handles {after}, from the next event on.", "Replay what came before, if it matters."
        ),
        ChangeKind.HANDLER_REMOVED: Rule(_COMPATIBLE, "it passes over {before} from now on.", _NOTHING),
        ChangeKind.START_MADE_EARLIEST: Rule(
            _BREAKING,
            "it began with the events after it and shall begin with the first; keys that it has seen do not begin "
            "again.",
            "Give it a new id, which begins with the first event, and retire this one.",
        ),
        ChangeKind.START_MADE_NOW: Rule(
            _COMPATIBLE, "it begins with the next event of each key that it has not seen.", _NOTHING
        ),
        ChangeKind.POISON_CHANGED: Rule(
            _COMPATIBLE, "a dead letter made its key {before}, and makes it {after}.", _NOTHING
        ),
    }
)
"""What each kind of change means, and the way out. A kind without a rule cannot be reported: a test holds that."""


@frozen
class Change:
    """One change between two manifests: its kind, where it is, and the facts before and after."""

    kind: ChangeKind
    where: str
    before: str = field(default="", kw_only=True)
    after: str = field(default="", kw_only=True)

    @property
    def impact(self) -> Impact:
        """Return what it means for the wire."""
        return RULES[self.kind].impact

    @property
    def problem(self) -> str:
        """Return what has changed, as a sentence about the place."""
        return RULES[self.kind].problem.format(before=self.before, after=self.after)

    @property
    def fix(self) -> str:
        """Return the way out."""
        return RULES[self.kind].fix.format(before=self.before, after=self.after)

    def __str__(self) -> str:
        return f"{self.impact.value}: {self.where}: {self.problem} {self.fix}"


def worst(changes: Iterable[Change]) -> Impact:
    """Return the worst impact of some changes; none at all is compatible."""
    found = {change.impact for change in changes}
    return next((impact for impact in reversed(Impact) if impact in found), Impact.COMPATIBLE)
