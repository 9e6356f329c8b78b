"""Topics that programs beside this one subscribe to and publish."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Topic, integration_event


class LetterEvents(Topic, name="code-letters"):
    """What is told of letters."""

    __slots__ = ()


@frozen
@integration_event("code-letters.letter-sent", key="letter")
class LetterSent(LetterEvents):
    """A letter was sent."""

    letter: str


class ParcelEvents(Topic, name="code-parcels"):
    """What is told of parcels."""

    __slots__ = ()


@frozen
@integration_event("code-parcels.parcel-sent", key="parcel")
class ParcelSent(ParcelEvents):
    """A parcel was sent."""

    parcel: str
