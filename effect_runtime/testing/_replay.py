"""A dead letter as a test: what the files that `dead_letters.reproduce` writes are calling.

Knows how a test fails; what is repeated, and with which answers, is for `app` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import anyio

from effect_runtime.app import Replay
from effect_runtime.dispatch import Context
from effect_runtime.errors import ReplayIncomplete
from effect_runtime.interpreter import relink


def replayed(
    letter: str,
    *,
    context: Context[Any, Any] | None,
    make: Callable[..., Any] | None,
    answers: Mapping[Any, Any] | None = None,
    resources: Any = None,
) -> None:
    """Repeat the last attempt of a dead letter, and return if it succeeds now.

    Handlers run in the real dispatch; operations are answered with what was recorded, or by `answers`, keyed by the
    port's method as `stub` takes them. `make` builds the runtime as it does in the application, from a session and
    `resources` that are stand-ins. Raises the handler's defect as itself, its failure as `errors.UnhandledFailure`,
    `errors.RecordingDiverged` and `errors.AnswerNotRecorded` where the handler asks for what was not recorded.
    """
    if context is None or make is None:
        raise ReplayIncomplete("context" if context is None else "make")
    replay = Replay.of(letter)
    trouble = anyio.run(partial(replay.run, context, make, answers=answers or {}, resources=resources))
    if trouble is not None:
        raise relink(trouble)
