"""Recorded operations as bytes: bounded, said to be cut, and never a reason to lose a dead letter."""

from __future__ import annotations

from typing import Any, Never, NewType

import anyio
import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.effect import Do, do
from effect_runtime.integration import Redacted, Secrets
from effect_runtime.interpreter import Recording, live
from effect_runtime.outbox import SHOWN, RecordedAttempt, decoded_recording
from effect_runtime.outbox._recording import LARGEST_RECORDING, LARGEST_VALUE, encoded_recording
from effect_runtime.runtime import operation

NO_SECRETS = Secrets()

Email = NewType("Email", Redacted[str])


class Spiteful:
    """An object that refuses to be looked at."""

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":  # what any `isinstance` asks
            return Spiteful
        raise RuntimeError(name)


@frozen
class Echo:
    """Answer with what was asked."""

    @operation(kind="local")
    async def text(self, text: str) -> str:
        """Answer with a text."""
        return text

    @operation(kind="local")
    async def wrong(self, number: int) -> int:
        """Answer with what its annotation does not say."""
        return "no number"  # type: ignore[return-value]  # on purpose

    @operation(kind="local")
    async def emails(self, them: tuple[Email | Spiteful, ...]) -> None:
        """Answer with nothing."""

    @operation(kind="local")
    async def spite(self, it: object) -> object:
        """Answer with an object that refuses to be looked at."""
        return Spiteful()


@do
def saying(*texts: str) -> Do[None, Never, object]:
    """Say texts in order."""
    for text in texts:
        yield from Echo().text(text)


def recorded(*texts: str) -> Recording:
    """Return a recording of texts that were said."""
    recording = Recording()
    recording.begin()
    anyio.run(live.with_interceptors(recording.interceptor).run, saying(*texts))
    return recording


def decoded(recording: Recording) -> RecordedAttempt:
    """Return what is kept of a recording."""
    body = encoded_recording(recording, NO_SECRETS)
    assert body is not None
    assert len(body) <= LARGEST_RECORDING + 200
    return decoded_recording(body)


def test_nothing_is_kept_of_an_attempt_that_was_never_made() -> None:
    """A message that could not be read ran no handler: that is another thing than a handler that asked for nothing."""
    assert encoded_recording(Recording(), NO_SECRETS) is None
    assert decoded(recorded()) == RecordedAttempt(operations=(), cut=0, cut_at=0)


@pytest.mark.parametrize("sizes", [[LARGEST_VALUE - 2] * 40, [LARGEST_VALUE - 2] * 20 + [1] * 100, [9] * 500])
def test_a_large_recording_keeps_its_ends(sizes: list[int]) -> None:
    """The first and the last operations, in order, with the number of those between."""
    texts = [f"{number}{'x' * size}"[:size] for number, size in enumerate(sizes)]
    attempt = decoded(recorded(*texts))
    first, last = attempt.operations[: attempt.cut_at], attempt.operations[attempt.cut_at :]
    assert [each.value for each in first] == texts[: len(first)]
    assert [each.value for each in last] == texts[-len(last) :]
    assert len(first) + len(last) + attempt.cut == len(texts)
    assert attempt.cut > 0
    assert min(len(first), len(last)) >= 3


def test_a_large_value_is_shown_by_its_ends() -> None:
    """It could not be given again, and says so."""
    [kept] = decoded(recorded("x" * LARGEST_VALUE)).operations
    assert kept.is_shown
    assert len(kept.value[SHOWN]) <= 2_000


def test_a_secret_stays_covered_where_it_could_not_be_encoded() -> None:
    """A value too large to keep, or beside what no codec knows, is shown by its annotation."""
    recording = Recording()
    recording.begin()
    around = live.with_interceptors(recording.interceptor)
    anyio.run(around.run, Echo().emails((Email("a@b"), Spiteful())))
    anyio.run(around.run, Echo().emails((Email("a@b"),) * LARGEST_VALUE))
    body = encoded_recording(recording, NO_SECRETS)
    assert body is not None
    assert b"a@b" not in body
    assert decoded_recording(body).operations[0].arguments == {"them": {SHOWN: "[***, <Spiteful>]"}}


def test_objects_that_misbehave_lose_nothing_but_themselves() -> None:
    """An answer against its annotation, and one that refuses to be looked at, are shown by their class."""
    recording = Recording()
    recording.begin()
    around = live.with_interceptors(recording.interceptor)
    anyio.run(around.run, Echo().wrong(1))
    anyio.run(around.run, Echo().spite(Spiteful()))
    assert [(each.arguments, each.value) for each in decoded(recording).operations] == [
        ({"number": 1}, {SHOWN: "'no number'"}),
        ({"it": {SHOWN: "<Spiteful>"}}, {SHOWN: "<Spiteful>"}),
    ]


@given(st.lists(st.text(st.characters(codec=None), max_size=50), max_size=30))
def test_whatever_texts_are_recorded_are_read_back(texts: list[str]) -> None:
    """As they were; one that UTF-8 cannot hold is shown."""
    for text, kept in zip(texts, decoded(recorded(*texts)).operations, strict=True):
        assert kept.value == text or kept.is_shown
