"""A newcomer's first afternoon: a third context beside the tutorial's two, then one tired mistake after the other.

Every message is compared with `docs/guides/ten-mistakes.md`, which quotes it; every event must be there afterwards.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import cast

import pytest
from attrs import frozen

from tests.docs.pages import read_blocks
from tests.stories.newcomer.town import CLUB, LEND_DUNE, READERS, ROOT, WAIT_FOR_DUNE, Town, built, found, tutorial_file

PAGE = ROOT / "docs" / "guides" / "ten-mistakes.md"
COUNTED = "readers: {'dune': 1, 'emma': 0}"
UNCOUNTED = "readers: {'dune': 0, 'emma': 0}"
HANDLER = "    yield from rt.readings.count_up(command.book)\n"
REPLAY = f"""
async def main():
    async with library().running() as app:
        for letter in await app.dead_letters.list():
            await app.dead_letters.replay(letter.id)
        await applied(app, 1)
        await app.settled()
        print("letters:", await app.dead_letters.list())

anyio.run(main)
{READERS}"""


@pytest.fixture
def town(tmp_path: Path) -> Town:
    """The three contexts in a folder of their own."""
    return found(tmp_path)


def quoted(title: str) -> str:
    """Return what the page quotes under the heading of a mistake."""
    _, _, section = PAGE.read_text(encoding="utf-8").partition(f"\n## {title}\n")
    [block] = [block for block in read_blocks(section.partition("\n## ")[0]) if block.info == "text"]
    return " ".join(block.text.split())


def test_the_third_context_takes_less_than_sixty_lines(town: Town) -> None:
    """And hears of a loan at the first start."""
    assert len(CLUB.read_text(encoding="utf-8").splitlines()) < 60
    assert town.run(LEND_DUNE) == COUNTED


def test_the_shared_contract_is_the_one_of_the_tutorial() -> None:
    """What the checkers see beside the third context is what the tutorial tells to write."""
    kept = (CLUB.parent / "contracts.py").read_text(encoding="utf-8")
    assert ast.dump(ast.parse(kept)) == ast.dump(ast.parse(tutorial_file("contracts.py")))


DEFINED_WRONG = [
    pytest.param(
        "A handler without an annotation",
        [("reading_club.py", "(command: CountReader)", "(command)")],
        "ER101 reading_club.py:39 reading_club.count_reader: no annotation for command.",
        id="annotation",
    ),
    pytest.param(
        "An async def handler",
        [
            ("reading_club.py", "def count_reader", "async def count_reader"),
            ("reading_club.py", "yield from club.runtime", "await club.runtime"),
            ("reading_club.py", HANDLER, HANDLER.replace("yield from", "await")),
        ],
        "ER102 reading_club.py:39 reading_club.count_reader: the handler is an async def",
        id="async",
    ),
    pytest.param(
        "A command that nobody may send",
        [("reading_club.py", '@club.command(access="internal")', "@club.command")],
        "ER108 reading_club.py:39 reading_club.count_reader: it does not say who may use it.",
        id="access",
    ),
    pytest.param(
        "An event that is not flat",
        [("contracts.py", "    patron: str\n", "    patron: dict[str, str]\n")],
        "contracts.BookBorrowed: The field 'patron' of BookBorrowed: dict[str, str] is a mutable or nested",
        id="flat",
    ),
    pytest.param(
        "The wrong runtime",
        [("app.py", "                reading_club.make_club,", "                lending_sqlite.make_lending,")],
        "make_lending makes LendingRuntime, but context 'reading_club' runs with ClubRuntime.",
        id="runtime",
    ),
    pytest.param(
        "A failure that is not mapped",
        [("reading_club.py", ", dead_letter=(NotOnTheList,)", "")],
        "reading_club.on_book_borrowed: nothing says what NotOnTheList means for delivery.",
        id="mapping",
    ),
    pytest.param(
        "Two subscriptions with one id",
        [("reading_club.py", 'id="reading_club.lending-events"', 'id="catalog.lending-events"')],
        "the id 'catalog.lending-events' is taken by the subscription at catalog.py:",
        id="id",
    ),
    pytest.param(
        "Another context's events",
        [
            ("reading_club.py", "import Context, Do,", "import Context, Do, Outbox,"),
            (
                "reading_club.py",
                "    readings: Readings\n",
                "    readings: Readings\n    outbox: Outbox[LendingEvents]\n",
            ),
            ("reading_club.py", "ClubRuntime(Readings(tx.session))", "ClubRuntime(Readings(tx.session), tx.outbox)"),
        ],
        "its field 'outbox' publishes LendingEvents, which 'reading_club' does not own.",
        id="topic",
    ),
]


@frozen
class Mistake:
    """A mistake in a town of its own, and what was said about it."""

    town: Town
    said: str


@pytest.fixture(scope="module")
def mistakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Mistake]:
    """Make each mistake in a folder of its own, and build them all."""
    towns: dict[str, Town] = {}
    for title, edits, _ in (case.values for case in DEFINED_WRONG):
        towns[str(title)] = town = found(tmp_path_factory.mktemp("town"))
        for file, old, new in cast("list[tuple[str, str, str]]", edits):
            town.edit(file, old, new)
    said = built(list(towns.values()))
    return {title: Mistake(towns[title], text) for title, text in zip(towns, said, strict=True)}


@pytest.mark.parametrize(("title", "edits", "essential"), DEFINED_WRONG)
def test_what_is_wrong_before_the_first_message_is_refused_then(
    mistakes: dict[str, Mistake], title: str, edits: object, essential: str
) -> None:
    """With the place and the way out; nothing was opened, so nothing can be lost."""
    mistake = mistakes[title]
    assert essential in mistake.said
    assert quoted(title) in mistake.said
    assert list(mistake.town.folder.glob("*.db")) == []


def test_a_lost_effect_is_named_by_the_check_and_by_a_debugging_app(town: Town) -> None:
    """A statement without `yield from` does nothing: the check says so beforehand, `debug=True` while it happens."""
    town.edit("reading_club.py", HANDLER, HANDLER.replace("yield from ", ""))
    town.edit("app.py", '        "library",\n', '        "library",\n        debug=True,\n')
    said = town.ran("-m", "effect_runtime.check", "reading_club.py")
    assert said == quoted("A forgotten yield from")
    said = town.run(LEND_DUNE)
    assert "reading_club.py:42 in count_reader: <Readings.count_up(...) operation> was built and is lost" in said
    assert UNCOUNTED in said


def test_a_handler_that_sends_nothing_keeps_its_event(town: Town) -> None:
    """Its only `yield from` is missing, so it returns None: the event waits for the mended handler, and is applied."""
    town.edit("reading_club.py", "    yield from count_reader(", "    count_reader(")
    said = town.run(LEND_DUNE)
    assert quoted("A handler without any yield from") in said
    assert UNCOUNTED in said
    town.edit("reading_club.py", "    count_reader(", "    yield from count_reader(")
    assert town.run(WAIT_FOR_DUNE) == COUNTED


def test_a_subscriber_that_always_raises_leaves_a_letter_to_replay(town: Town) -> None:
    """Each letter names the line of the bug and its own id; after the mending its event is applied once."""
    town.edit("reading_club.py", HANDLER, f'    raise RuntimeError("no coffee")\n{HANDLER}')
    town.edit("reading_club.py", 'start="earliest"', 'start="earliest", schedule=ONCE_MORE')
    town.edit(
        "reading_club.py",
        "\nlending_events",
        "\nfrom datetime import timedelta\nfrom effect_runtime import Schedule\n"
        "ONCE_MORE = Schedule.fixed(timedelta(0)).times(1)\nlending_events",
    )
    said = town.run(
        LEND_DUNE.replace("await app.settled()", "await buried(app)").replace(
            "\nasync def main",
            "\nasync def buried(app):\n    with anyio.fail_after(30):\n"
            "        while not await app.dead_letters.list():\n            await anyio.sleep(0.01)\n\nasync def main",
            1,
        )
    )
    assert quoted("A subscriber that always raises") in said
    assert UNCOUNTED in said
    town.edit("reading_club.py", '    raise RuntimeError("no coffee")\n', "")
    assert town.run(REPLAY) == f"letters: () {COUNTED}"


def test_an_event_of_a_newer_version_waits_for_the_newer_contracts(town: Town) -> None:
    """The old reader keeps it as a dead letter; the new one replays it."""
    newer = tutorial_file("contracts.py").replace('key="book")', 'key="book", version=2)')
    newer += "\n\n@upcaster(BookBorrowed, version=1)\ndef with_patron(payload, envelope):\n    return payload\n"
    newer = newer.replace("from attrs", "from effect_runtime.integration import upcaster\nfrom attrs")
    (town.folder / "contracts.py").write_text(newer, encoding="utf-8")
    assert town.run(LEND_DUNE.replace("running()", "running(relay=False, consumers=False)")) == UNCOUNTED
    (town.folder / "contracts.py").write_text(tutorial_file("contracts.py"), encoding="utf-8")
    said = town.run(LEND_DUNE.replace('await lend(app, "dune")', "pass"))
    assert quoted("An event from a newer version") in said
    (town.folder / "contracts.py").write_text(newer, encoding="utf-8")
    assert town.run(REPLAY) == f"letters: () {COUNTED}"


KILLED = f"""
async def dying():
    async with library().running() as app:
        await lend(app, "dune", "emma")
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with library().running() as app:
        with anyio.fail_after(30):
            while rows("SELECT sum(readers) FROM reading") != [(2,)]:
                await anyio.sleep(0.01)
        await app.settled()

if sys.argv[1:]:
    anyio.run(dying)
print("ended:", subprocess.run([sys.executable, "program.py", "child"]).returncode)
anyio.run(main)
{READERS}"""


def test_a_killed_process_loses_nothing(town: Town) -> None:
    """It dies right after its second commit, delivery under way; the next start delivers each event once.

    What the dead relay had borrowed is idle until its lease ends, so that it is a short one here.
    """
    leases = "relay=RelayPolicy(lease=SECOND, publish_within=SECOND / 2, margin=SECOND / 4)"
    town.edit("app.py", '        "library",\n', f'        "library",\n        {leases},\n')
    town.edit(
        "app.py",
        "from lending import lending\n",
        "from lending import lending\nfrom datetime import timedelta\n"
        "from effect_runtime.outbox import RelayPolicy\nSECOND = timedelta(seconds=1)\n",
    )
    assert town.run(KILLED) == "ended: -9 readers: {'dune': 1, 'emma': 1}"


TOGETHER = f"""
async def working(name):
    async with library().running() as app:
        await lend(app, *(f"{{name}}-{{number}}" for number in range(10)), name)
        await app.settled()

async def main():
    async with library().running() as app:
        with anyio.fail_after(30):
            while rows("SELECT sum(readers) FROM reading") != [(2,)]:
                await anyio.sleep(0.01)
            while rows("SELECT sum(borrowed) FROM book", "catalog.db") != [(22,)]:
                await anyio.sleep(0.01)
        await app.settled()

if sys.argv[1:]:
    anyio.run(working, sys.argv[1])
    sys.exit()
children = [subprocess.Popen([sys.executable, "program.py", name]) for name in ("dune", "emma")]
print("ended:", [child.wait() for child in children])
anyio.run(main)
print("most:", rows("SELECT max(borrowed) FROM book", "catalog.db"))
{READERS}"""


def test_two_processes_at_once_apply_each_event_once(town: Town) -> None:
    """Both lend, relay and consume on the same three files."""
    said = town.run(TOGETHER)
    assert said.startswith("ended: [0, 0] most: [(1,)] readers: {'dune': 1, 'emma': 1}")


ALONE = """
from effect_runtime import run

try:
    anyio.run(run, borrow_book(BorrowBook("dune", "ann")))
except Exception as error:
    print(f"{type(error).__name__}: {error}")
print(Path("lending.db").exists())
"""


def test_a_command_outside_of_an_app_says_where_it_belongs(town: Town) -> None:
    """Nothing was opened, and nothing was done."""
    assert town.run(ALONE) == f"{quoted('A command outside of an app')} False"


REUSED = f"""
async def main():
    async with library().running() as app:
        await app.run(borrow_book(BorrowBook("dune", "ann")), command_id="desk/1")
        try:
            await app.run(borrow_book(BorrowBook("emma", "bob")), command_id="desk/1")
        except Exception as error:
            print(f"{{type(error).__name__}}: {{error}}")
        await applied(app, 1)

anyio.run(main)
print(rows("SELECT book, patron FROM loan", "lending.db"))
{READERS}"""


def test_a_command_id_is_not_taken_for_another_payload(town: Town) -> None:
    """The first loan stands, the second is refused, and one event is told."""
    said = town.run(REUSED)
    assert quoted("A command id for two payloads") in said
    assert f"[('dune', 'ann')] {COUNTED}" in said


FULL = f"""
async def filling():
    async with library().running() as app:
        await lend(app, "dune")
        await applied(app, 1)
        largest = max(path.stat().st_size for path in Path().glob("*.db*"))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 200_000, resource.RLIM_INFINITY))
        stored = 1
        try:
            while True:
                await app.run(borrow_book(BorrowBook("b" * 20_000 + str(stored), f"reader {{stored}}")))
                stored += 1
        except Exception as error:
            print(f"{{type(error).__name__}}: {{error}}")
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await app.run(borrow_book(BorrowBook("emma", "bob")))
        print("as answered:", rows("SELECT count(*) FROM loan", "lending.db") == [(stored + 1,)])
        await applied(app, 2)

anyio.run(filling)
{READERS}"""


def test_a_full_disk_refuses_the_command_and_nothing_else(town: Town) -> None:
    """What was answered stands, what was refused left nothing, and with space again the same app goes on."""
    said = town.run(FULL)
    assert quoted("A full disk") in said
    assert "as answered: True" in said
    assert said.count("readers: {'dune': 1, 'emma': 1}") == 1


def test_an_edited_migration_is_refused_with_its_file_untouched(town: Town) -> None:
    """The text of a migration that has run is known; restored, all is there."""
    assert town.run(LEND_DUNE) == COUNTED
    town.edit("reading_club.py", "('emma', 0)", "('ulysses', 0)")
    assert quoted("An edited migration") in town.run(LEND_DUNE)
    town.edit("reading_club.py", "('ulysses', 0)", "('emma', 0)")
    assert town.run(LEND_DUNE.replace('await lend(app, "dune")', "pass")) == COUNTED


def test_a_deleted_file_takes_its_own_past_along_and_no_other(town: Town) -> None:
    """The subscriber starts empty: what it had applied is gone with it, what comes later is applied."""
    assert town.run(LEND_DUNE) == COUNTED
    for file in town.folder.glob("reading_club.db*"):
        file.unlink()
    assert town.run(LEND_DUNE.replace('"dune"', '"emma"')) == "readers: {'dune': 0, 'emma': 1}"
