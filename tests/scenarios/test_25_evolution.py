"""Scenario 25: schemas change: a newer producer, an older one, a rename, and dead letters of a month ago on new code.

Observable: older versions and former names are read through upcasters; a version that is newer than the code is a dead
letter, never dropped, and is handled by a replay once the code knows it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Never

import pytest
from attrs import evolve, frozen

from effect_runtime import App, Context, Do, Schedule, Topic, Transaction, integration_event, operation
from effect_runtime.integration import Envelope, Message, Payload, upcaster
from effect_runtime.interpreter import Host
from effect_runtime.outbox.sqlite import Migration, SqliteStore
from effect_runtime.transports import InProcess
from tests.outbox.world import TurnedTime

pytestmark = pytest.mark.anyio

SUBSCRIPTION = "readers.news"


class OldNews(Topic, name="news"):
    """The topic as old code knows it."""

    __slots__ = ()


@frozen
@integration_event("news.told", version=1, key="paper")
class OldTold(OldNews):
    """Version 1."""

    paper: str
    words: str


class News(Topic, name="news"):
    """The topic as new code knows it."""

    __slots__ = ()


@frozen
@integration_event("news.reported", version=2, key="paper", formerly=["news.told"])
class Reported(News):
    """Version 2: renamed, its words called text, and with a language."""

    paper: str
    text: str
    language: str = "en"


@upcaster(Reported, version=1)
def _rename_words(payload: Payload, envelope: Envelope) -> Payload:
    return {"paper": payload["paper"], "text": payload["words"]}


@frozen
class Heard:
    """Where what was read is kept."""

    session: Any

    @operation(kind="transactional")
    async def keep(self, text: str) -> None:
        """Keep it."""
        await self.session.execute("INSERT INTO heard (text) VALUES (?)", (text,))


@frozen
class ReaderRuntime:
    """What readers may use."""

    heard: Heard


KEPT = Migration(1, "heard", ("CREATE TABLE heard (position INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT",))


@asynccontextmanager
async def readers(
    folder: Path, topic: type[Topic], event: Any, *, time: TurnedTime | None = None
) -> AsyncIterator[tuple[App, InProcess]]:
    """Run a program that hears one version of the topic, always under the same subscription."""
    context = Context("readers", ReaderRuntime)
    subscription = context.subscribe(topic, id=SUBSCRIPTION, start="earliest", schedule=Schedule().times(1))

    def hear(told: Any) -> Do[None, Never, ReaderRuntime]:
        rt = yield from context.runtime
        yield from rt.heard.keep(told.text if isinstance(told, Reported) else told.words)

    hear.__annotations__["told"] = event
    subscription.on(event)(hear)

    def make(tx: Transaction[Any]) -> ReaderRuntime:
        return ReaderRuntime(Heard(tx.session))

    wire = InProcess()
    app = App(
        "readers",
        wire=wire,
        foreign_topics=[topic],
        diagnostics=lambda _: None,
        contexts=[context.bind(make, store=SqliteStore(folder / "readers.db", migrations=[KEPT]))],
        host=Host() if time is None else evolve(Host(), time=time),
    )
    async with app.running(relay=False):
        yield app, wire


def message(number: int, type: str, version: int, **data: str) -> Message:
    """Return a message of the paper."""
    attributes = {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": "/news",
        "type": type,
        "topic": "news",
        "time": "2026-03-01T12:00:00Z",
        "correlationid": "c",
        "eventversion": version,
        "partitionkey": "times",
        "sequence": str(number),
        "data": {"paper": "times", **data},
    }
    return Message(json.dumps(attributes).encode())


async def heard(folder: Path) -> list[str]:
    """Return what was kept, in order."""
    async with SqliteStore(folder / "readers.db").opened(Host()) as store, store.reading() as session:
        return [row["text"] for row in await session.fetch_all("SELECT text FROM heard ORDER BY position")]


OLD = message(1, "news.told", 1, words="one")
NEWER = message(2, "news.told", 2, text="two")
RENAMED = message(3, "news.reported", 2, text="three", language="fr", unknown="ignored")


async def test_scenario_25_new_code_reads_every_version_and_name(tmp_path: Path) -> None:
    """Version 1 under the former name, version 2 under both; a field that it does not know is ignored."""
    async with readers(tmp_path, News, Reported) as (app, wire):
        for each in (OLD, NEWER, RENAMED):
            await wire.publish(SUBSCRIPTION, each)
        assert await app.dead_letters.list() == ()
    assert await heard(tmp_path) == ["one", "two", "three"]


async def test_scenario_25_a_newer_version_waits_as_a_dead_letter_for_newer_code(tmp_path: Path) -> None:
    """Old code keeps it and blocks its key; a month later new code replays it, and the key goes on in order."""
    async with readers(tmp_path, OldNews, OldTold) as (app, wire):
        for each in (OLD, NEWER, message(3, "news.told", 1, words="three")):
            await wire.publish(SUBSCRIPTION, each)
        [letter] = await app.dead_letters.list()
        assert (letter.event, letter.body, letter.blocks) == ("e-2", NEWER.body, True)
        assert "version 2" in letter.cause
    assert await heard(tmp_path) == ["one"]
    async with readers(tmp_path, News, Reported) as (app, _):
        await app.dead_letters.replay(letter.id)
        await app.settled()
        assert await app.dead_letters.list() == ()
    assert await heard(tmp_path) == ["one", "two", "three"]


async def test_scenario_25_a_letter_of_a_month_ago_outlives_retention(tmp_path: Path) -> None:
    """What is open is never purged, so that new code finds it."""
    async with readers(tmp_path, OldNews, OldTold) as (app, wire):
        await wire.publish(SUBSCRIPTION, OLD)
        await wire.publish(SUBSCRIPTION, NEWER)
    time = TurnedTime()
    time.turn(timedelta(days=365))
    async with readers(tmp_path, News, Reported, time=time) as (app, _):
        await app.purge()
        [letter] = await app.dead_letters.list()
        await app.dead_letters.replay(letter.id)
        await app.settled()
    assert await heard(tmp_path) == ["one", "two"]
