"""The envelope around an integration event: CloudEvents 1.0 plus our extensions.

Knows the attributes and nothing of JSON, brokers, stores or the Python class of the event.
"""

from __future__ import annotations

from datetime import datetime

from attrs import evolve, frozen


@frozen(kw_only=True)
class Envelope:
    """Carry one integration event from its commit to its subscribers.

    `data` is the payload as canonical JSON bytes. `sequence` counts the events of one (topic, key) from 1 and is
    given by the store when the unit of work commits: `None` before that, and always for an event without a key.
    """

    id: str
    source: str
    type: str
    version: int
    topic: str
    time: datetime
    data: bytes
    correlation: str
    key: str | None = None
    sequence: int | None = None
    causation: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    tenant: str | None = None

    def numbered(self, sequence: int) -> Envelope:
        """Return this envelope with its per-key sequence number."""
        return evolve(self, sequence=sequence)
