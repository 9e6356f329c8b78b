"""The tutorial's two contexts with the newcomer's third one beside them, written into an empty folder.

What is broken on purpose is a replacement in one file; programs run there as processes of their own.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from tests.docs.pages import read_blocks

ROOT = Path(__file__).parents[3]
TUTORIAL = ROOT / "docs" / "tutorial.md"
CLUB = Path(__file__).parent / "reading_club.py"
NEEDED = ("contracts.py", "lending.py", "lending_sqlite.py", "catalog.py", "app.py")
BINDING = """\
            reading_club.club.bind(
                reading_club.make_club,
                store=SqliteStore("reading_club.db", migrations=reading_club.MIGRATIONS),
            ),
        ],
"""
PRELUDE = """\
import os, resource, signal, sqlite3, subprocess, sys
from pathlib import Path

import anyio
from app import library
from catalog import AddBook, add_book
from lending import BorrowBook, borrow_book


def rows(statement, file="reading_club.db"):
    return sqlite3.connect(file).execute(statement).fetchall()


async def lend(app, *books):
    for book in books:
        await app.run(add_book(AddBook(book)))
        await app.run(borrow_book(BorrowBook(book, f"reader of {book}")))


async def applied(app, count):
    with anyio.fail_after(30):
        while app.counts()["reading_club.db"].consumer.applied < count:
            await anyio.sleep(0.01)

"""
READERS = 'print("readers:", dict(rows("SELECT book, readers FROM reading")))\n'
LEND_DUNE = f"""
async def main():
    async with library().running() as app:
        await lend(app, "dune")
        await app.settled()

anyio.run(main)
{READERS}"""
WAIT_FOR_DUNE = f"""
async def main():
    async with library().running() as app:
        await applied(app, 1)

anyio.run(main)
{READERS}"""

BUILD_EACH = """
import os, sys, traceback

for folder in sys.argv[1:]:
    os.chdir(folder)
    sys.path.insert(0, folder)
    try:
        from app import library

        library().build()
    except Exception:
        traceback.print_exc()
    print("= built =", file=sys.stderr)
    sys.path.remove(folder)
    for name in ("app", "catalog", "contracts", "lending", "lending_sqlite", "reading_club"):
        sys.modules.pop(name, None)
"""


@frozen
class Town:
    """A folder with the three contexts."""

    folder: Path

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace what stands in a file once."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise LookupError(f"{file} has {text.count(old)} times: {old}")
        path.write_text(text.replace(old, new), encoding="utf-8")

    def run(self, program: str) -> str:
        """Run a program that begins with our prelude, and return what it says."""
        (self.folder / "program.py").write_text(PRELUDE + program, encoding="utf-8")
        return self.ran("program.py")

    def ran(self, *arguments: str) -> str:
        """Run Python in the folder and return all that it prints, without what differs from run to run."""
        ended = subprocess.run(
            [sys.executable, "-B", *arguments], cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        return told(self.folder, f"{ended.stdout}\n{ended.stderr}")


def told(folder: Path, said: str) -> str:
    """Return what was said in a folder in one line, without what differs from run to run."""
    said = said.replace(f"{folder}/", "").replace(f"{ROOT}/", "")
    return " ".join(re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "01a2...", said).split())


def built(towns: Sequence[Town]) -> list[str]:
    """Return what is said when the app of each town is built, all in one process, to be quick."""
    folders = [str(town.folder) for town in towns]
    ended = subprocess.run(
        [sys.executable, "-B", "-c", BUILD_EACH, *folders], capture_output=True, text=True, timeout=60, check=False
    )
    each = ended.stderr.split("= built =\n")[:-1]
    return [told(town.folder, said) for town, said in zip(towns, each, strict=True)]


def tutorial_file(name: str) -> str:
    """Return a file as the tutorial writes it last."""
    page = TUTORIAL.read_text(encoding="utf-8")
    return [block.text for block in read_blocks(page) if block.file == ("file", name)][-1]


def found(folder: Path) -> Town:
    """Write the three contexts into a folder."""
    for name in NEEDED:
        (folder / name).write_text(tutorial_file(name), encoding="utf-8")
    club = CLUB.read_text(encoding="utf-8").replace("tests.stories.newcomer.contracts", "contracts")
    (folder / "reading_club.py").write_text(club, encoding="utf-8")
    town = Town(folder)
    town.edit("app.py", "import lending_sqlite\n", "import lending_sqlite\nimport reading_club\n")
    town.edit("app.py", "        ],\n", BINDING)
    return town
