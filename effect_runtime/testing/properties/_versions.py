"""What programs of an older version wrote, and whether today's can make something of it.

A payload is brought up by the upcasters of production. Knows no manifest: whoever asks says what payloads looked like.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import attrs
from attrs import evolve, frozen
from hypothesis.strategies import SearchStrategy

from effect_runtime.errors import EffectRuntimeError, NotRoundTripping
from effect_runtime.integration import Envelope, WireIdentity, encode_fields, hints, structure_value
from effect_runtime.testing.properties._alike import alike


class Entry(Protocol):
    """How one class is read, as registries say it."""

    @property
    def event(self) -> type[Any]:
        """Return the class."""
        ...

    @property
    def wire(self) -> WireIdentity:
        """Return its identity."""
        ...

    @property
    def upcasters(self) -> Mapping[int, Any]:
        """Return the upcasters, by the version that they take."""
        ...


@frozen
class Upgrade:
    """Read old envelopes: `entry` says how, `decode` does it, `again` writes and reads what came of it."""

    entry: Callable[[Envelope], Entry]
    decode: Callable[[Envelope], Any]
    again: Callable[[Any], Any]

    def __call__(self, envelope: Envelope) -> Envelope:
        """Return an old envelope, if nothing of it is lost and what was read stays what it is."""
        record = self.decode(envelope)
        self._refuse_losses(envelope, record)
        for again in (self.decode(envelope), self.again(record)):  # an upcaster may draw ids, or look at a clock
            if not alike(record, again):
                raise NotRoundTripping(type(record).__name__, value=repr(record), outcome=repr(again))
        return envelope

    def _refuse_losses(self, envelope: Envelope, record: Any) -> None:
        entry = self.entry(envelope)
        written, brought = json.loads(envelope.data), json.loads(envelope.data)  # it may change what it is given
        for version in range(envelope.version, entry.wire.version):
            brought = entry.upcasters[version].function(brought, envelope)
        lost = [name for name in written if name not in brought and _is_kept(entry.event, name, written[name])]
        if lost:
            outcome = f"{record!r}, without what {' and '.join(lost)} held: an upcaster leaves it out"
            raise NotRoundTripping(entry.wire.name, value=envelope.data.decode(), outcome=outcome)


def _is_kept(cls: type, name: str, written: Any) -> bool:
    """Tell whether a field is still there and takes what was written, so that dropping it would be a loss."""
    kinds = hints(cls)
    if name not in kinds:
        return False
    try:
        structure_value(kinds[name], written)
    except EffectRuntimeError:
        return False
    return True


def as_payloads(values: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    """Return a strategy of payloads from one of payloads, or of instances of a class as it was."""
    return values.map(_payload)


def _payload(value: Any) -> dict[str, Any]:
    return dict(json.loads(encode_fields(value))) if attrs.has(type(value)) else dict(value)


def in_envelope(envelope: Envelope, version: int, payload: Mapping[str, Any]) -> Envelope:
    """Return an envelope that holds a payload of some version."""
    return evolve(envelope, version=version, data=json.dumps(payload).encode())
