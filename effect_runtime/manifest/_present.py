"""The manifest of what the code says now, read from topics, their events and whoever subscribes to them.

Reads classes and nothing that is running. Knows no file and nothing of earlier versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from effect_runtime.errors import raise_faults
from effect_runtime.integration import (
    Topic,
    event_identity,
    field_shapes,
    registry_faults,
    topic_events,
    topic_name,
)
from effect_runtime.manifest._contract import EventContract, SubscriptionContract, TopicContract, WireManifest


def wire_manifest(
    topics: Mapping[type[Topic], str | None], *, subscriptions: Iterable[SubscriptionContract] = ()
) -> WireManifest:
    """Return the manifest of some topics, each with the context that owns it, or None for another application's.

    Raises `errors.ConfigurationError` with every fault of the topics; so each version of a manifest has its upcaster.
    """
    raise_faults("wire manifest", registry_faults(topics))
    return WireManifest(
        topics=tuple(TopicContract(topic_name(topic), owner) for topic, owner in topics.items()),
        events=tuple(event_contract(event) for topic in topics for event in topic_events(topic)),
        subscriptions=tuple(subscriptions),
    )


def event_contract(event: type[Topic]) -> EventContract:
    """Return the contract of one sound event class."""
    wire = event_identity(event)
    return EventContract(
        name=wire.name,
        topic=topic_name(event),
        key=wire.key,
        version=wire.version,
        oldest=wire.oldest,
        formerly=wire.formerly,
        shapes={wire.version: field_shapes(event)},
    )
