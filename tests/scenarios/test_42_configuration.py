"""Scenario 42: nothing carries a published event, two handlers of one command, a field that is not flat.

Observable: the program refuses to start, or to be defined, before anything is opened; each fault names the type, the
field and the fix, and they are told all at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Never

import pytest
from attrs import frozen

from effect_runtime import App, Context, Do, Topic, Transaction, integration_event, succeed
from effect_runtime.errors import ConfigurationError
from effect_runtime.outbox.sqlite import SqliteStore
from tests.dispatch.world import NoteEvents

pytestmark = pytest.mark.anyio


@frozen
class Runtime:
    """What handlers may use."""


@frozen
class Ask:
    """Ask for something."""


def make(tx: Transaction[Any]) -> Runtime:
    """Build nothing."""
    return Runtime()


async def test_scenario_42_a_wrong_application_does_not_start(tmp_path: Path) -> None:
    """Two faults of two kinds in one refusal, each with its way out; no file was made."""
    context = Context("asking", Runtime, publishes=[NoteEvents])

    @context.command(access="public")
    def first(command: Ask) -> Do[None, Never, Runtime]:
        yield from succeed(None)

    @context.command(access="public")
    def second(command: Ask) -> Do[None, Never, Runtime]:
        yield from succeed(None)

    path = tmp_path / "asking.db"
    app = App("asking", contexts=[context.bind(make, store=SqliteStore(path))])
    with pytest.raises(ConfigurationError) as caught:
        async with app.running():
            raise AssertionError("it started")
    told = {fault.code.name: str(fault) for fault in caught.value.faults}
    assert sorted(told) == ["ER106", "ER405"]
    assert "Ask" in told["ER106"]
    assert "first" in told["ER106"]
    assert "nothing carries 'notes'" in told["ER405"]
    assert told["ER405"].endswith("Give the app a wire: App('asking', wire=InProcess(), ...).")
    assert not path.exists()


def test_scenario_42_an_event_that_is_not_flat_is_refused_where_it_is_defined() -> None:
    """With every field that is wrong, not the first one alone."""

    class AskEvents(Topic, name="scenario.ask"):
        __slots__ = ()

    with pytest.raises(ConfigurationError) as caught:

        @frozen
        @integration_event("scenario.ask.asked", key="missing")
        class Asked(AskEvents):
            who: object
            entity: Runtime
            words: list[str]

    told = {fault.code.name: str(fault) for fault in caught.value.faults}
    assert "ER205" in told
    for field in ("who", "entity", "words"):
        assert any(f"{field}" in str(fault) and "Asked" in str(fault) for fault in caught.value.faults)
