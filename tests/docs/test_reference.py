"""The reference says what the source says, and every link of the docs leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.life_cycles import tables
from tests.docs.pages import ROOT, pages
from tests.docs.reference import CHAPTERS, FOLDER
from tests.docs.reference import pages as reference_pages
from tests.test_public_names import doors

REFERENCE = reference_pages()
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(?P<title>.+?) *$", re.MULTILINE)
FENCED = re.compile(r"^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", REFERENCE)
def test_the_reference_is_what_the_docstrings_say(name: str) -> None:
    """A changed docstring changes its page: `python -m tests.docs.reference` writes it anew."""
    assert (FOLDER / name).read_text(encoding="utf-8") == REFERENCE[name]


def test_every_public_door_has_a_page() -> None:
    """No chapter is left out."""
    on_pages = {f"effect_runtime.{door}" for group in CHAPTERS.values() for door in group}
    assert {door for door, names in doors().items() if names} == on_pages | {"effect_runtime"}


def test_every_public_name_is_on_exactly_one_page_with_a_docstring() -> None:
    """Names of daily use stand on the page of the chapter that defines them, the others on that of their door."""
    headed = re.compile(
        r"^## `(\w+)`\n\nFrom `([\w.]+)`\.\n\n```text\n.*?\n```\n\n(?=\S)(?!## )", re.MULTILINE | re.DOTALL
    )
    found = [f"{door}.{name}" for text in REFERENCE.values() for name, door in headed.findall(text)]
    assert sorted(found) == sorted(f"{door}.{name}" for door, names in doors().items() for name in names)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """A relative link names a file that exists, and a heading that it has."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    targets = [match["target"] for match in LINK.finditer(text) if "://" not in match["target"]]
    assert [target for target in targets if not _exists(page, target)] == []


def _exists(page: Path, target: str) -> bool:
    path, _, anchor = unquote(target).partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.exists():
        return False
    return not anchor or anchor in _anchors(file)


def _anchors(page: Path) -> set[str]:
    """Return the anchors that a heading gets on the usual sites: lower case, no punctuation, dashes for spaces."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    titles = (match["title"].lower() for match in HEADING.finditer(text))
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def test_every_transition_table_of_the_library_is_drawn() -> None:
    """The lane, the event of a subscription and the breaker have a diagram each, and so will the next table."""
    assert {"outbox.BREAKER", "outbox.EVENT", "outbox.LANE"} <= set(tables())
    page = REFERENCE["life-cycles.md"]
    assert [name for name in tables() if f"## `effect_runtime.{name}`" not in page] == []
