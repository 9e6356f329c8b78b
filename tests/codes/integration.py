"""Topics and integration events that are refused: where they are defined, or when they are verified together."""

from __future__ import annotations

from attrs import define, frozen

from effect_runtime.errors import Code, raise_faults
from effect_runtime.events import DomainEvent
from effect_runtime.integration import Payload, Topic, integration_event, registry_faults, upcaster
from tests.codes.registry import fails_with


def verify(*topics: type[Topic]) -> None:
    """Verify topics as building the contexts does."""
    raise_faults("contracts", registry_faults(topics))


@fails_with(Code.ER201)
def event_without_identity() -> None:
    """Forget `@integration_event`."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    @frozen
    class LetterSent(Letters):
        letter: str


@fails_with(Code.ER202)
def one_identity_for_two_events() -> None:
    """Give two classes one name."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    @frozen
    @integration_event("letters.letter-sent")
    class LetterSent(Letters):
        letter: str

    @frozen
    @integration_event("letters.letter-sent")
    class LetterPosted(Letters):
        letter: str

    verify(Letters)


@fails_with(Code.ER202)
def one_identity_in_two_topics() -> None:
    """Use another topic's former name."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    class Parcels(Topic, name="parcels"):
        __slots__ = ()

    @frozen
    @integration_event("letters.letter-sent")
    class LetterSent(Letters):
        letter: str

    @frozen
    @integration_event("parcels.parcel-sent", formerly=["letters.letter-sent"])
    class ParcelSent(Parcels):
        parcel: str

    verify(Letters, Parcels)


@fails_with(Code.ER203)
def identity_with_spaces() -> None:
    """Write an identity for people."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    @frozen
    @integration_event("Letter sent")
    class LetterSent(Letters):
        letter: str


@fails_with(Code.ER203)
def version_zero() -> None:
    """Count versions from 0."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    @frozen
    @integration_event("letters.letter-sent", version=0, oldest=0)
    class LetterSent(Letters):
        letter: str


@fails_with(Code.ER203)
def identity_outside_a_topic() -> None:
    """Give a wire identity to a class that belongs to no topic."""

    @integration_event("letters.letter-sent")
    class LetterSent:
        letter: str


@fails_with(Code.ER204)
def inherited_identity() -> None:
    """Derive an event from another one."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    @frozen
    @integration_event("letters.letter-sent")
    class LetterSent(Letters):
        letter: str

    @frozen
    class ExpressLetterSent(LetterSent):
        hours: int


@fails_with(Code.ER205)
def key_that_is_no_field() -> None:
    """Misspell the key."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    @frozen
    @integration_event("letters.letter-sent", key="lettre")
    class LetterSent(Letters):
        letter: str


@fails_with(Code.ER205)
def key_with_two_spellings() -> None:
    """Order events by a float."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    @frozen
    @integration_event("letters.letter-sent", key="weight")
    class LetterSent(Letters):
        weight: float


@fails_with(Code.ER206)
def nested_list() -> None:
    """Put a list into an event."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    @frozen
    @integration_event("letters.letter-sent")
    class LetterSent(Letters):
        pages: list[str]


@fails_with(Code.ER207)
def mutable_event() -> None:
    """Let an event be changed."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    @define
    @integration_event("letters.letter-sent")
    class LetterSent(Letters):
        letter: str


@fails_with(Code.ER207)
def event_without_frozen() -> None:
    """Forget `@frozen`: nothing happens at the definition, so building reports it."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    @integration_event("letters.letter-sent")
    class LetterSent(Letters):
        letter: str

    verify(Letters)


@fails_with(Code.ER208)
def field_without_wire_form() -> None:
    """Put an object into an event."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    @frozen
    @integration_event("letters.letter-sent")
    class LetterSent(Letters):
        sender: object


@fails_with(Code.ER208)
def unresolvable_annotation() -> None:
    """Name a type that exists nowhere; it might have followed in the module, so building reports it."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    @frozen
    @integration_event("letters.letter-sent")
    class LetterSent(Letters):
        sender: Sender  # type: ignore[name-defined]  # noqa: F821  # the point of this program

    verify(Letters)


@fails_with(Code.ER211)
def missing_upcaster() -> None:
    """Raise the version by two and write one upcaster."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    @frozen
    @integration_event("letters.letter-sent", version=3)
    class LetterSent(Letters):
        letter: str

    @upcaster(LetterSent, version=1)
    def from_one(payload: Payload, envelope: object) -> Payload:
        return payload

    verify(Letters)


@fails_with(Code.ER211)
def two_upcasters_for_one_version() -> None:
    """Write an upcaster twice."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    @frozen
    @integration_event("letters.letter-sent", version=2)
    class LetterSent(Letters):
        letter: str

    @upcaster(LetterSent, version=1)
    def from_one(payload: Payload, envelope: object) -> Payload:
        return payload

    @upcaster(LetterSent, version=1)
    def from_one_again(payload: Payload, envelope: object) -> Payload:
        return payload

    verify(Letters)


@fails_with(Code.ER211)
def upcaster_to_nowhere() -> None:
    """Keep an upcaster of a version that never was."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    @frozen
    @integration_event("letters.letter-sent")
    class LetterSent(Letters):
        letter: str

    @upcaster(LetterSent, version=1)
    def from_one(payload: Payload, envelope: object) -> Payload:
        return payload

    verify(Letters)


@fails_with(Code.ER211)
def upcaster_of_a_nameless_event() -> None:
    """Write an upcaster for a topic instead of an event."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    @upcaster(Letters, version=1)
    def from_one(payload: Payload, envelope: object) -> Payload:
        return payload


@fails_with(Code.ER212)
def topic_without_name() -> None:
    """Forget the topic's name."""

    class Letters(Topic):
        __slots__ = ()


@fails_with(Code.ER212)
def topic_with_a_malformed_name() -> None:
    """Name a topic for people."""

    class Letters(Topic, name="All Letters"):
        __slots__ = ()


@fails_with(Code.ER212)
def two_topics_of_one_name() -> None:
    """Name two topics alike."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    class Parcels(Topic, name="letters"):
        __slots__ = ()

    verify(Letters, Parcels)


@fails_with(Code.ER212)
def topic_inside_a_topic() -> None:
    """Derive a topic from a topic."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    class ExpressLetters(Letters, name="letters.express"):
        __slots__ = ()


@fails_with(Code.ER213)
def domain_event_that_leaves() -> None:
    """Share one class between the inside and the outside."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    @frozen
    @integration_event("letters.letter-sent")
    class LetterSentOccurred(Letters, DomainEvent):
        letter: str


@fails_with(Code.ER213)
def event_that_comes_in() -> None:
    """Share one class between the inside and the outside, the other way round."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    @frozen
    @integration_event("letters.letter-sent")
    class LetterSentOccurred(DomainEvent, Letters):
        letter: str


@fails_with(Code.ER213)
def event_of_two_topics() -> None:
    """Let an event belong to two topics."""

    class Letters(Topic, name="letters"):
        __slots__ = ()

    class Parcels(Topic, name="parcels"):
        __slots__ = ()

    @frozen
    @integration_event("letters.letter-sent")
    class LetterSent(Letters, Parcels):
        letter: str
