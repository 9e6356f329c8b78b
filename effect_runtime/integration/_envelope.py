"""The envelope around an integration event: CloudEvents 1.0 plus our extensions.

Knows the attributes and nothing of JSON, brokers, stores or the Python class of the event.
"""

from __future__ import annotations

from datetime import datetime

from attrs import frozen


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
        # Once for each event, so spelled out: `evolve` takes three times as long.
        return Envelope(
            id=self.id,
            source=self.source,
            type=self.type,
            version=self.version,
            topic=self.topic,
            time=self.time,
            data=self.data,
            correlation=self.correlation,
            key=self.key,
            sequence=sequence,
            causation=self.causation,
            traceparent=self.traceparent,
            tracestate=self.tracestate,
            tenant=self.tenant,
        )
