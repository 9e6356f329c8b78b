"""A file's migrations, shown and run on purpose; a file compared with them; old and new versions on one file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from attrs import evolve

from effect_runtime.dispatch import AgendaItem
from effect_runtime.errors import MigrationChanged, MigrationsPending, SchemaDiffers, SchemaTooNew, StoreDown
from effect_runtime.outbox.sqlite import Migration, SqliteStore
from effect_runtime.outbox.sqlite.__main__ import main
from effect_runtime.outbox.sqlite._connection import connect, make_durable
from effect_runtime.outbox.sqlite._migration import migrate, pending
from effect_runtime.outbox.sqlite._schema import SCHEMA
from tests.outbox.stores.migrating import STEPS
from tests.outbox.stores.test_inbox_store import within
from tests.outbox.stores.world import (
    CATALOG,
    NOON,
    ROWS,
    a_letter,
    accepted,
    an_event,
    claim,
    ids,
    publish,
    sqlite_store,
    still_host,
)

pytestmark = pytest.mark.anyio

LAST = SCHEMA[-1].version


def next_step(*statements: str) -> Migration:
    """Return what a next version of the library would run."""
    return Migration(LAST + 1, "next", statements, owner="effect_runtime")


@contextmanager
def migrated(path: Path, *more: Migration, upto: int = LAST) -> Iterator[sqlite3.Connection]:
    """Give a connection to a file that has the library's steps up to one, and some more."""
    with closing(connect(path)) as connection:
        make_durable(connection, "test")
        migrate(connection, [*SCHEMA[:upto], *more], store="test", now=NOON)
        yield connection


async def opened(store: SqliteStore) -> None:
    """Open a store and close it again."""
    async with store.opened(still_host()):
        pass


async def test_the_plan_shows_every_statement_and_applying_it_leaves_none(tmp_path: Path) -> None:
    """SqliteStore.plan, apply: shown before they run; run when it is said so; told what was run."""
    store = SqliteStore(tmp_path / "a.db", migrations=[ROWS], migrate=False)
    text = store.plan()
    assert not (tmp_path / "a.db").exists()
    assert text.startswith("-- effect_runtime 1 units of work\nCREATE TABLE er_command(")
    assert text.endswith(
        "\n-- application 1 rows\nCREATE TABLE rows(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;\n"
    )
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(text)
    with pytest.raises(MigrationsPending):
        await opened(store)
    assert await store.apply(still_host()) == (*SCHEMA, ROWS)
    assert (store.plan(), await store.apply(still_host())) == ("", ())
    await opened(store)


async def test_a_file_that_its_migrations_made_is_verified(tmp_path: Path) -> None:
    """SqliteStore.verify: also when it was made by several versions, and when somebody added what is theirs."""
    with migrated(tmp_path / "a.db", upto=3):
        pass
    store = SqliteStore(tmp_path / "a.db", migrations=[ROWS])
    await store.apply(still_host())
    with closing(connect(tmp_path / "a.db")) as connection:
        connection.execute("CREATE INDEX mine ON rows(value)")
        connection.execute("CREATE TABLE mine_too(a TEXT)")
    store.verify()


async def test_every_difference_is_told_at_once(tmp_path: Path) -> None:
    """SqliteStore.verify: steps that were edited or have not run, objects that are missing or were changed."""
    with migrated(tmp_path / "a.db", ROWS) as connection:
        connection.execute("DROP INDEX er_lane_due")
        connection.execute("DROP TABLE er_waiting")
        connection.execute("ALTER TABLE rows ADD COLUMN colour TEXT")
    late = Migration(2, "late", ["CREATE TABLE late(a TEXT) STRICT"])
    edited = evolve(SCHEMA[0], name="units")
    store = SqliteStore(tmp_path / "a.db", migrations=[ROWS, late])
    store._migrations = (edited, *store._migrations[1:])
    with pytest.raises(SchemaDiffers) as caught:
        store.verify()
    assert caught.value.differences == (
        "migration effect_runtime 1 units reads differently from the one that has run",
        "migration application 2 late has not run",
        "index er_lane_due is missing",
        "table er_waiting is missing",
        "index er_waiting_due is missing",
        "index er_waiting_line is missing",
        "index er_waiting_gap is missing",
        "table rows is not as its migrations left it: CREATE TABLE rows(key TEXT PRIMARY KEY, value TEXT NOT NULL,"
        " colour TEXT) STRICT",
    )
    assert str(caught.value).startswith(f"Store '{tmp_path / 'a.db'}' differs from its migrations in 8 places.\n  migr")
    with pytest.raises(MigrationChanged):
        store.pending()


def test_a_file_that_is_not_there_lacks_everything(tmp_path: Path) -> None:
    """SqliteStore.verify: and asking does not make it."""
    with pytest.raises(SchemaDiffers) as caught:
        SqliteStore(tmp_path / "a.db").verify()
    assert caught.value.differences == tuple(f"migration {each} has not run" for each in SCHEMA)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    """SqliteStore.verify: as opening it would."""
    (tmp_path / "a.db").write_bytes(b"no database at all" * 100)
    for ask in (SqliteStore(tmp_path / "a.db").verify, SqliteStore(tmp_path / "a.db").plan):
        with pytest.raises(StoreDown, match="not a database"):
            ask()


async def test_a_newer_version_may_add_what_an_older_one_need_not_know(tmp_path: Path) -> None:
    """Scenario 41: new tables, columns that may be left out, indexes; the older one opens, works and verifies."""
    step = next_step(
        "ALTER TABLE er_outbox ADD COLUMN extra TEXT",
        "ALTER TABLE er_lane ADD COLUMN weight INTEGER NOT NULL DEFAULT 1",
        "CREATE TABLE er_extra(a TEXT PRIMARY KEY) STRICT",
        "CREATE INDEX er_outbox_extra ON er_outbox(extra)",
    )
    with migrated(tmp_path / "store.db", step):
        pass
    async with sqlite_store(tmp_path).opened(still_host()) as store:
        await store.register([CATALOG])
        await publish(store, an_event("e-1"))
        assert ids(await claim(store)) == [["e-1"]]
    sqlite_store(tmp_path).verify()


@pytest.mark.parametrize(
    ("statements", "difference"),
    [
        (["ALTER TABLE er_outbox DROP COLUMN tracestate"], "column er_outbox.tracestate is missing"),
        (["ALTER TABLE er_audit RENAME TO er_trail"], "table er_audit is missing"),
        (["DROP TABLE er_route"], "table er_route is missing"),
        (["DROP INDEX er_lane_key"], "index er_lane_key is missing"),
        (
            ["CREATE UNIQUE INDEX er_once ON er_audit(command_id)"],
            "index er_once forbids rows of er_audit that were allowed",
        ),
        (
            ["DROP TABLE er_route", "CREATE TABLE er_route(topic TEXT, destination TEXT, since INTEGER NOT NULL)"],
            "column er_route.since is new and has no default",
        ),
    ],
)
async def test_a_newer_version_that_took_something_away_is_refused(
    tmp_path: Path, statements: list[str], difference: str
) -> None:
    """SchemaTooNew: before anything is written, and with what is in the way."""
    with migrated(tmp_path / "a.db", next_step(*statements)):
        pass
    store = SqliteStore(tmp_path / "a.db")
    with pytest.raises(SchemaTooNew, match="newer version") as caught:
        await opened(store)
    assert difference in caught.value.differences
    with pytest.raises(SchemaDiffers):
        store.verify()


async def test_statements_of_an_older_version_run_on_a_file_of_this_one(tmp_path: Path) -> None:
    """Scenario 41: a process that knows the first three steps goes on beside us, and we read what it writes."""
    async with sqlite_store(tmp_path).opened(still_host()) as store:
        await store.register([CATALOG])
        await publish(store, an_event("e-1"))
        with closing(connect(tmp_path / "store.db")) as old:
            old.execute(
                "INSERT INTO er_dead(id, side, destination, topic, key, sequence, event, type, body, cause, history,"
                " attempts, blocks, at, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                ("letter of e-1", "inbox", "catalog.loans", "loans", "k", 1, "e-1", "lending.book-borrowed",
                 b"body of e-1", "ValueError: no", '["first", "ValueError: no"]', 2, 1, 1_777_636_800_000_000, "dead"),
            )  # fmt: skip
            assert await store.dead_letters() == (a_letter("e-1"),)
            old.execute("UPDATE er_dead SET state = ? WHERE id = ?", ("discarded", "letter of e-1"))
            old.execute("UPDATE er_lane SET owner = 'old', token = token + 1, due = due + 30000000")
        assert await claim(store) == ()
        assert [letter.state for letter in await store.dead_letters(state=None)] == ["discarded"]


async def test_what_this_version_adds_is_there_for_a_file_that_an_older_one_made(tmp_path: Path) -> None:
    """Migration: events, letters and lanes of before are worked on, and the agenda begins empty."""
    with migrated(tmp_path / "store.db", upto=3) as old:
        old.execute("INSERT INTO er_route(topic, destination) VALUES ('loans', 'catalog')")
    async with sqlite_store(tmp_path).opened(still_host()) as store:
        assert await store.agenda_entries() == ()
        await publish(store, an_event("e-1"))
        await store.settle([accepted(each) for each in await claim(store)])
        await within(store, lambda unit: unit.agenda.add(AgendaItem(reaction="notify", envelope=an_event("i-1"))))
        assert await store.agenda_backlog(None, limit=9) == 1


def test_a_process_that_dies_while_it_migrates_leaves_each_step_whole_or_not_at_all(tmp_path: Path) -> None:
    """F16: killed before every single statement in turn, the file is as before or as after a step, and can go on."""
    program = [sys.executable, "-m", "tests.outbox.stores.migrating", str(tmp_path)]
    subprocess.run(program, check=True, timeout=120)
    reached = set()
    for path in tmp_path.glob("*.db"):
        with closing(connect(path)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            waiting = pending(connection, STEPS, store="test")
            reached.add(len(waiting))
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
            assert ("er_outbox" in names, "er_lane_blocked" in names) == (len(waiting) < len(STEPS) - 1,) * 2
            migrate(connection, STEPS, store="test", now=NOON)
        SqliteStore(path, migrations=[ROWS]).verify()
    assert reached == set(range(len(STEPS) + 1))


def test_the_command_line_plans_applies_and_verifies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m effect_runtime.outbox.sqlite`: exit status 0 when all is well, 1 for a finding, 2 for trouble."""
    file, ours = str(tmp_path / "a.db"), "--migrations=tests.outbox.stores.test_sqlite_verify:OURS"
    assert main(["plan", file, ours]) == 1
    assert capsys.readouterr().out.endswith("-- application 1 rows\n" + ROWS.statements[0] + ";\n")
    assert main(["verify", file, ours]) == 1
    assert main(["apply", file, ours]) == 0
    assert capsys.readouterr().out.endswith(f"effect_runtime {LAST} {SCHEMA[-1].name}\napplication 1 rows\n")
    assert [main([command, file, ours]) for command in ("plan", "verify", "apply")] == [0, 0, 0]
    assert capsys.readouterr().out == f"{file}: nothing is pending\n{file}: as its migrations left it\n"
    (tmp_path / "b.db").write_bytes(b"no database at all" * 100)
    assert main(["apply", str(tmp_path / "b.db")]) == 2
    assert "not a database" in capsys.readouterr().err
    for wrong in ("--migrations=json:loads", "--migrations=nowhere:at_all"):
        with pytest.raises(SystemExit):
            main(["plan", file, wrong])
        assert "MODULE:NAME" in capsys.readouterr().err


OURS = [ROWS]
