"""The text of a test that repeats a dead letter's last attempt.

Pure: a letter and the composition root in, the source of a module out. Nothing that is secret by its type is in it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from inspect import signature
from typing import Any, Final

from attrs import Factory, field, frozen

from effect_runtime.app._addressee import Addressee, addressee_of
from effect_runtime.dispatch import Binding
from effect_runtime.errors import BadEnvelope, DeadLetterNotReproducible, UndecodableMessage
from effect_runtime.integration import Envelope, Message, Secrets, decode_message, encode_message
from effect_runtime.outbox import SHOWN, DeadLetter, decoded_recording

_TEXT: Final = '''"""Dead letter {id}: {type} {event} for {destination}.

Written by dead_letters.reproduce; fails as the last attempt of {at} did:

{cause}

Mend the code until it passes, then: await app.dead_letters.replay({id!r})
"""

from __future__ import annotations

{imports}

LETTER = r"""
{letter}
"""

ANSWERS = {{
    # An operation that the recording cannot answer: `Port.method: lambda its, arguments: what it returned`.
{missing}}}


def test_{name}() -> None:
    """The event is handled without a failure."""
    replayed(LETTER, context={context}, make={make}, answers=ANSWERS)
'''


@frozen
class Reference:
    """How a test file gets at an object: by importing its name from a module, or by a line that is to be filled in."""

    name: str
    module: str | None = None
    line: str = ""


@frozen
class Reproduction:
    """A dead letter, the context that it belongs to, and what took it there."""

    letter: DeadLetter
    binding: Binding
    addressee: Addressee
    secrets: Secrets
    envelope: Envelope = field(init=False, default=Factory(lambda self: _envelope_of(self.letter), takes_self=True))

    def text(self) -> str:
        """Return the source of a test module."""
        letter = self.letter
        context, make = self._context(), self._make()
        references = (Reference("replayed", "effect_runtime.testing"), context, make)
        return _TEXT.format(
            id=letter.id,
            type=_plainly(self.envelope.type),
            event=_plainly(self.envelope.id),
            destination=_plainly(letter.destination),
            at=letter.at.isoformat(timespec="seconds"),
            cause="\n".join(f"    {_plainly(line)}" for line in letter.cause.splitlines()),
            imports="\n".join(_imports(references)),
            letter=self._letter(),
            missing="".join(f"    # {_plainly(line)}\n" for line in self._missing()),
            name=self._name(),
            context=context.name,
            make=make.name,
        )

    def _name(self) -> str:
        try:
            name = self.addressee.name(self.addressee.decode(self.envelope))
        except UndecodableMessage:
            name = self.letter.destination
        # ASCII: a handler may be called in any script, a file of tests had better not be.
        return re.sub(r"\W+", "_", f"{name}_{self.letter.id[-8:]}", flags=re.ASCII)

    def _context(self) -> Reference:
        context = self.binding.context
        for name, value in vars(sys.modules.get(context.home)).items() if context.home in sys.modules else ():
            # In a test `__main__` is the test runner: what stands there can be named, but not imported.
            if value is context and context.home != "__main__":
                return Reference(name, context.home)
        line = f"context = None  # Fill in: import the Context {context.name!r}, which {context.home} does not hold."
        return Reference("context", line=line)

    def _make(self) -> Reference:
        make: Callable[..., Any] = self.binding.make
        module, name = getattr(make, "__module__", "?"), getattr(make, "__qualname__", repr(make))
        found: Any = sys.modules.get(module)
        if name.isidentifier() and module != "__main__" and getattr(found, name, None) is make:
            return Reference(name, module)
        line = (
            f"make = None  # Fill in: a function that makes the runtime, as {_plainly(name)} does, which has no name."
        )
        return Reference("make", line=line)

    def _letter(self) -> str:
        """Spell what a replay needs, one operation a line."""
        letter = self.letter
        envelope = json.loads(encode_message(self.addressee.shown(self.envelope, self.secrets)).body)
        head = {"destination": letter.destination, "at": letter.at.isoformat(), "envelope": envelope}
        # Without its closing brace: the operations follow, each on a line that a reviewer can read and a diff can show.
        lines = json.dumps(head, ensure_ascii=False, indent=1)[:-2]
        if letter.recording is None:
            return f'{lines},\n "recording": null\n}}'
        recording = json.loads(letter.recording)
        operations = recording.pop("operations")
        spelled = ",\n  ".join(json.dumps(each, ensure_ascii=False) for each in operations)
        rest = json.dumps(recording)[1:-1]
        return f'{lines},\n "recording": {{{rest}, "operations": [\n  {spelled}\n ]}}\n}}'

    def _missing(self) -> Iterator[str]:
        """Say which answers nobody kept, and how to give them."""
        if len(signature(self.binding.make).parameters) > 1:
            yield "make() also takes what `resources=` opens: if it looks inside, pass replayed(..., resources=...)."
        if self.letter.recording is None:
            return
        attempt = decoded_recording(self.letter.recording)
        if attempt.cut:
            yield f"{attempt.cut} operations after number {attempt.cut_at} were cut off: their answers are missing."
        for number, operation in enumerate(attempt.operations, 1):
            if operation.kind in ("local", "dispatch", "collecting"):
                continue
            if operation.is_shown:
                yield f"{number}. {operation} answered {operation.value[SHOWN]}: fill it in."
            elif operation.ending == "unfinished":
                yield f"{number}. {operation} was running when the attempt was cut off: fill it in."


def reproduction(letter: DeadLetter, bindings: Sequence[Binding], secrets: Secrets) -> Reproduction:
    """Find what a dead letter was for; raises `errors.DeadLetterNotReproducible` where no handler was tried."""
    if letter.side == "outbox":
        reason = f"the relay gave it up before {letter.destination!r} had it ({letter.cause})"
        fix = "Mend the destination or the message's size, then replay it."
        raise DeadLetterNotReproducible(letter.id, reason=reason, fix=fix)
    for binding in bindings:
        addressee = addressee_of(binding.context, letter.destination)
        if addressee is not None:
            return Reproduction(letter, binding, addressee, secrets)
    reason = f"nothing in this application is called {letter.destination!r}"
    fix = "Reproduce it in the application that handles it, or discard it if it is gone for good."
    raise DeadLetterNotReproducible(letter.id, reason=reason, fix=fix)


def _envelope_of(letter: DeadLetter) -> Envelope:
    try:
        return decode_message(Message(letter.body))
    except BadEnvelope as error:
        if letter.side == "agenda":
            reason, fix = "its queue is volatile and kept no message", "Give the queue durable=True."
        else:
            reason = f"its bytes are no event ({error.attribute} {error.problem})"
            fix = "Mend whoever sent it, then discard the letter."
        raise DeadLetterNotReproducible(letter.id, reason=reason, fix=fix) from error


def _imports(references: Sequence[Reference]) -> Iterator[str]:
    """Yield the lines that bring the names in, sorted as tools sort them, then those that are to be filled in."""
    modules: dict[str, set[str]] = {}
    for each in references:
        if each.module is not None:
            modules.setdefault(each.module, set()).add(each.name)
    yield from (f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(modules.items()))
    yield from (f"\n{each.line}" for each in references if each.module is None)


def _plainly(text: str) -> str:
    """Return text that a comment or a docstring can hold, whatever a stranger put into it."""
    # A line break would end a comment, a backslash or three quotes a docstring, and what follows would be run as code.
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
    return shown.replace("\\", "/").replace('"""', "'''")
