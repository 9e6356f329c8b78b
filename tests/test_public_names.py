"""What users may import: every public name once, at one door, as the snapshot says.

`python -m tests.test_public_names` writes the snapshot anew; the change belongs in the changelog, too.
"""

from __future__ import annotations

import pkgutil
import re
from collections import Counter
from importlib import import_module
from pathlib import Path

import effect_runtime

SNAPSHOT = Path(__file__).with_name("public_names.txt")
DOCS = Path(__file__).parents[1] / "docs"


def doors() -> dict[str, tuple[str, ...]]:
    """Return every public module of the library with the names that it offers."""
    names = ["effect_runtime"]
    for module in pkgutil.walk_packages(effect_runtime.__path__, "effect_runtime."):
        if not any(part.startswith("_") for part in module.name.split(".")):
            names.append(module.name)
    return {name: tuple(getattr(import_module(name), "__all__", ())) for name in names}


def snapshot() -> str:
    """Return one line for each public name, sorted."""
    return "".join(sorted(f"{door}.{name}\n" for door, names in doors().items() for name in names))


def test_the_public_names_are_those_of_the_snapshot() -> None:
    """A name that comes, goes or moves shows in the diff of one file."""
    assert snapshot().splitlines() == SNAPSHOT.read_text(encoding="utf-8").splitlines()


def test_every_public_name_exists() -> None:
    """Each name in an `__all__` is really there."""
    missing = [f"{door}.{name}" for door, names in doors().items() for name in names if not _has(door, name)]
    assert missing == []


def _has(door: str, name: str) -> bool:
    return hasattr(import_module(door), name)


def test_every_name_has_one_import_path() -> None:
    """No name is public at two doors."""
    counts = Counter(name for names in doors().values() for name in names)
    assert {name for name, count in counts.items() if count > 1} == set()


def test_the_front_door_holds_at_most_40_names() -> None:
    """The names of daily use are few; the rest stand at their chapter's door."""
    assert 0 < len(doors()["effect_runtime"]) <= 40


def test_the_doors_list_their_names_in_order() -> None:
    """Each `__all__` is sorted and free of repetition."""
    assert [door for door, names in doors().items() if sorted(set(names)) != sorted(names)] == []


def test_the_docs_list_the_names_of_the_front_door() -> None:
    """The reference has one row for each name that newcomers import first."""
    rows = re.findall(r"^\| `(\w+)` \|", (DOCS / "reference" / "names.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(doors()["effect_runtime"])


if __name__ == "__main__":
    SNAPSHOT.write_text(snapshot(), encoding="utf-8")
