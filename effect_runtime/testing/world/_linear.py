"""Is there an order of the messages that explains every answer? A model says what each message does, one at a time.

Messages of different keys are judged apart. One without an answer may have been done at any moment since it began, or
not at all. A history is explained only if each of its beginnings is, so the shortest that is not is what is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, Protocol, final

from attrs import frozen

from effect_runtime.dispatch import Forbidden, Invalid
from effect_runtime.effect import Exit, Failed
from effect_runtime.testing.world._history import Spoken

_MOST: Final = 12
"""Messages of one key that are looked at: what there is to try grows faster than any power."""


class Explains(Protocol):
    """A pure model. Duties: 1. `apply` changes nothing and returns the next model. 2. Equal models behave alike."""

    def apply(self, message: Any) -> tuple[Explains, Exit[Any, Any]]:
        """Return the model after a message, and how the message ends."""
        ...


def _one(message: Any) -> Hashable:
    return None


@final
@frozen
class Linearizable:
    """Claim that clients see what `model` would do, one message at a time, in some order that fits their waiting.

    `key` says whose message it is: messages of different keys never meet. `most` bounds the messages of a key that
    are looked at, from the beginning.
    """

    model: Explains
    key: Callable[[Any], Hashable] = _one
    most: int = _MOST

    @property
    def title(self) -> str:
        """Return the claim's name."""
        return f"linearizable({type(self.model).__name__})"

    def unexplained(self, history: Sequence[Spoken]) -> Sequence[Spoken]:
        """Return the shortest beginning of a key's history that no order explains; nothing if all are explained."""
        keys: dict[Hashable, list[Spoken]] = {}
        for spoken in history:
            if not (isinstance(spoken.exit, Failed) and isinstance(spoken.exit.error, Invalid | Forbidden)):
                keys.setdefault(self.key(spoken.message), []).append(spoken)
        found = [beginning for spoken in keys.values() if (beginning := self._beginning(spoken[: self.most]))]
        if not found:
            return ()
        shortest = min(found, key=len)
        _contradict(self.model, shortest)
        return shortest

    def _beginning(self, history: Sequence[Spoken]) -> Sequence[Spoken]:
        for moment in sorted(each.ended for each in history if each.ended is not None):
            beginning = [_until(each, moment) for each in history if each.began < moment]
            if not _explained(self.model, tuple(beginning)):
                return beginning
        return ()


def _until(spoken: Spoken, moment: int) -> Spoken:
    """Return what was known of a message at a moment."""
    if spoken.ended is None or spoken.ended <= moment:
        return spoken
    return Spoken(spoken.client, spoken.message, spoken.began)


def _contradict(model: Explains, history: Sequence[Spoken]) -> None:
    """Note beside the last answer, which no order explains, what the model says in one that explains all others."""
    last = max(history, key=lambda each: each.ended if each.exit is not None and each.ended is not None else -1)
    others = tuple(Spoken(each.client, each.message, each.began) if each is last else each for each in history)
    said: dict[int, Exit[Any, Any]] = {}
    if _explained(model, others, needed=history.index(last), said=said):
        last.instead = said[history.index(last)]


def _explained(
    model: Explains,
    history: tuple[Spoken, ...],
    *,
    needed: int | None = None,
    said: dict[int, Exit[Any, Any]] | None = None,
) -> bool:
    """Try every order, one message after the other; what has been tried from an equal model is not tried again.

    `needed` has to be among them although it has no answer; `said` gets what the model answers to those that have none.
    """
    failed: set[tuple[Any, int]] = set()
    full = sum(1 << number for number, each in enumerate(history) if each.exit is not None or number == needed)

    def explained(model: Explains, done: int) -> bool:
        if done & full == full:
            return True
        if (model, done) in failed:
            return False
        waiting = [number for number in range(len(history)) if not done >> number & 1]
        first_end = min((end for number in waiting if (end := _end(history[number])) is not None), default=None)
        for number in waiting:
            spoken = history[number]
            if first_end is not None and spoken.began > first_end:
                continue  # somebody was answered before this one began
            after, exit = model.apply(spoken.message)
            if (spoken.exit is None or spoken.exit == exit) and explained(after, done | 1 << number):
                if said is not None and spoken.exit is None:
                    said[number] = exit
                return True
        failed.add((model, done))
        return False

    return explained(model, 0)


def _end(spoken: Spoken) -> int | None:
    """Return the moment of an answer."""
    return None if spoken.exit is None else spoken.ended
