"""Promises on the wire that are broken: a change against the committed manifest, a payload that nobody reads."""

from __future__ import annotations

from effect_runtime.errors import Code, raise_faults
from effect_runtime.integration import FieldShape
from effect_runtime.manifest import EventContract, TopicContract, WireManifest, golden_faults
from effect_runtime.transports import InProcess
from tests.codes.app import letters
from tests.codes.dispatch import build
from tests.codes.registry import fails_with
from tests.codes.topics import LetterEvents

SENT = {"letter": FieldShape("text"), "stamp": FieldShape("text")}
LETTER_SENT = EventContract(
    name="code-letters.letter-sent", topic="code-letters", key="letter", version=1, shapes={1: SENT}
)
COMMITTED = WireManifest(topics=(TopicContract("code-letters", "letters"),), events=(LETTER_SENT,))


@fails_with(Code.ER214)
def removed_field() -> None:
    """Take a field away from a version that was committed."""
    build(letters(), wire=InProcess(), manifest=COMMITTED)


@fails_with(Code.ER215)
def unreadable_payload() -> None:
    """Lose the reader of a payload that was committed."""
    raise_faults("golden", golden_faults([LetterEvents], {"code-letters.letter-sent.v1.json": b'{"letter": 7}'}))


@fails_with(Code.ER215)
def missing_payload() -> None:
    """Commit no payload of a version."""
    raise_faults("golden", golden_faults([LetterEvents], {}))


@fails_with(Code.ER216)
def missing_manifest() -> None:
    """Name a manifest that is not there."""
    build(letters(), wire=InProcess(), manifest="wire.json")
