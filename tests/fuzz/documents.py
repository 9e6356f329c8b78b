"""Wire manifests and database files that somebody edited, cut off, or kept on a broken disk.

Reading one gives a value or a documented error, never anything else; nothing is written into a file that is refused.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

import anyio

from effect_runtime.errors import BadManifest, EffectRuntimeError
from effect_runtime.integration import Message
from effect_runtime.manifest import WireManifest, compare
from effect_runtime.outbox.sqlite import SqliteStore
from effect_runtime.transports import InProcess
from tests.fuzz.hostile import damaged_bytes, damaged_text, message
from tests.fuzz.listener import SUBSCRIPTION, Ears, Verdict, listener

MANIFEST: Final = Path(__file__).parents[2] / "library_example" / "wire.json"

WOUNDS: Final[Sequence[str]] = (
    "DELETE FROM er_migration WHERE number = {number}",
    "DELETE FROM er_migration",
    "DROP TABLE er_migration",
    "UPDATE er_migration SET number = number + {number}",
    "UPDATE er_migration SET checksum = 'x' WHERE number = {number}",
    "UPDATE er_migration SET name = 'other', owner = 'nobody'",
    "INSERT INTO er_migration SELECT number + 1000, owner, name, checksum, at FROM er_migration",
    "DROP TABLE er_dead",
    "DROP TABLE er_waiting",
    "DROP TABLE er_lane",
    "ALTER TABLE er_dead RENAME TO er_gone",
    "UPDATE er_dead SET history = '{{'",
    "UPDATE er_dead SET recording = x'00'",
    "UPDATE er_dead SET at = 1 << 62",
    "UPDATE er_dead SET state = 'undead'",
    "UPDATE er_waiting SET reason = 'none'",
    "UPDATE er_waiting SET body = x''",
    "PRAGMA user_version = 7",
    "PRAGMA application_id = 7",
)
"""What a careless hand does to a file."""


def read_manifest(seed: str) -> str:
    """Read a damaged manifest and compare it with the sound one; return what came of it."""
    random = Random(seed)
    text = MANIFEST.read_text(encoding="utf-8")
    sound = WireManifest.from_text(text)
    try:
        damaged = WireManifest.from_text(damaged_text(text, random))
    except BadManifest:
        return "refused"
    changes = compare(sound, damaged)
    assert compare(damaged, damaged) == ()
    assert WireManifest.from_text(damaged.to_text()) == damaged
    return "different" if changes else "the same"


async def sound_file(path: Path) -> None:
    """Make a file that holds a bit of everything: applied, parked and dead."""
    wire = InProcess()
    app = listener(SqliteStore(path), wire, Ears())
    async with app.running(relay=False):
        for number in range(60):
            try:
                await wire.publish(SUBSCRIPTION, Message(message(f"file/{number}")))
            except EffectRuntimeError:
                continue


def wounded(sound: bytes, path: Path, random: Random) -> None:
    """Write a damaged copy of a file: by single bytes, or by statements."""
    if random.random() < 0.6:
        path.write_bytes(damaged_bytes(sound, random))
        return
    path.write_bytes(sound)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for wound in random.sample(WOUNDS, random.choice((1, 1, 2))):
            try:
                connection.execute(wound.format(number=random.randrange(1, 8)))
            except sqlite3.Error:
                continue
    finally:
        connection.close()


async def opened_file(path: Path, seed: str) -> str:
    """Open a damaged file, look at everything and hand over messages; return the error that was met, if any."""
    wire = InProcess()
    app = listener(SqliteStore(path), wire, Ears())
    try:
        async with app.running(relay=False):
            await app.dead_letters.list(state=None)
            await app.health()
            for number in range(3):
                await wire.publish(SUBSCRIPTION, Message(message(f"{seed}/{number}")))
    except EffectRuntimeError as error:
        return type(error).__name__
    return "opened"


def damaged_files(seeds: Sequence[str]) -> Verdict:
    """Open a damaged file for each seed."""
    verdict, outcomes = Verdict(), Counter[str]()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "sound.db"
        anyio.run(sound_file, path)
        sound = path.read_bytes()
        for seed in seeds:
            damaged = Path(folder) / "damaged.db"
            for suffix in ("", "-wal", "-shm"):
                Path(f"{damaged}{suffix}").unlink(missing_ok=True)
            wounded(sound, damaged, Random(seed))
            try:
                outcomes[anyio.run(opened_file, damaged, seed)] += 1
            except BaseException as error:
                verdict.wrong.setdefault("crash", f"file {seed}: {type(error).__name__}: {error}")
                outcomes[f"crash {type(error).__name__}"] += 1
    verdict.outcomes = outcomes
    return verdict


def damaged_manifests(seeds: Sequence[str]) -> Verdict:
    """Read a damaged manifest for each seed."""
    verdict = Verdict()
    for seed in seeds:
        try:
            verdict.outcomes[read_manifest(seed)] += 1
        except BaseException as error:
            verdict.wrong.setdefault("crash", f"manifest {seed}: {type(error).__name__}: {error}")
            verdict.outcomes[f"crash {type(error).__name__}"] += 1
    return verdict
