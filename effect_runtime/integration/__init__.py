"""What the outside hears: topics, wire identities, versions, the codec, envelopes, and the port of the wire.

Knows how an event becomes bytes and back. Knows no store, no handler, no broker.
"""

from __future__ import annotations

from effect_runtime.integration._codec import (
    decode_value,
    encode_fields,
    encode_value,
    fingerprint,
    storable,
    structure_all,
    structure_value,
)
from effect_runtime.integration._envelope import Envelope
from effect_runtime.integration._fields import FieldError, FieldErrors
from effect_runtime.integration._identity import Payload, WireIdentity
from effect_runtime.integration._key import key_spelling as key_spelling
from effect_runtime.integration._key import partition
from effect_runtime.integration._message import decode_message, encode_message
from effect_runtime.integration._message import refuse_flaws as refuse_flaws
from effect_runtime.integration._outbox import HasOutbox
from effect_runtime.integration._outbox import Outbox as Outbox
from effect_runtime.integration._outbox import publish as publish
from effect_runtime.integration._registry import EventRegistry, decode_event, event_key, make_envelope
from effect_runtime.integration._secrets import COVER, Redacted, Secrets, shown_value, uncovered
from effect_runtime.integration._shape import fits_key as fits_key
from effect_runtime.integration._shape import hints as hints
from effect_runtime.integration._shape import is_typed_id as is_typed_id
from effect_runtime.integration._shape import is_union as is_union
from effect_runtime.integration._shape import plain as plain
from effect_runtime.integration._shape import value_record
from effect_runtime.integration._stored import StoredForm as StoredForm
from effect_runtime.integration._stored import StoredRegistry as StoredRegistry
from effect_runtime.integration._stored import stored as stored
from effect_runtime.integration._stored import stored_faults as stored_faults
from effect_runtime.integration._stored import stored_identity as stored_identity
from effect_runtime.integration._stored import stored_upcaster as stored_upcaster
from effect_runtime.integration._topic import (
    Topic as Topic,
)
from effect_runtime.integration._topic import (
    event_identity,
    topic_events,
    topic_name,
    upcaster,
)
from effect_runtime.integration._topic import (
    integration_event as integration_event,
)
from effect_runtime.integration._transport import Features, Message, Receive, Transport
from effect_runtime.integration._verification import event_faults, registry_faults, topic_faults
from effect_runtime.integration._wire_shape import FieldKind as FieldKind
from effect_runtime.integration._wire_shape import FieldShape, field_shapes

__all__ = [
    "COVER",
    "Envelope",
    "EventRegistry",
    "Features",
    "FieldError",
    "FieldErrors",
    "FieldShape",
    "HasOutbox",
    "Message",
    "Payload",
    "Receive",
    "Redacted",
    "Secrets",
    "Transport",
    "WireIdentity",
    "decode_event",
    "decode_message",
    "decode_value",
    "encode_fields",
    "encode_message",
    "encode_value",
    "event_faults",
    "event_identity",
    "event_key",
    "field_shapes",
    "fingerprint",
    "make_envelope",
    "partition",
    "registry_faults",
    "shown_value",
    "storable",
    "structure_all",
    "structure_value",
    "topic_events",
    "topic_faults",
    "topic_name",
    "uncovered",
    "upcaster",
    "value_record",
]
