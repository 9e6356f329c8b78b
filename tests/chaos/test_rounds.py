"""Rounds as records: cut by seed, added up, and named so that each can be played again."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from tests.chaos.driver import Counts, Result, Settings, waves
from tests.chaos.oracle import Verdict
from tests.chaos.plan import CELLS, Cell, planned
from tests.chaos.rounds import ROUND, added_up, again, cell_named, named, played, ranges, read_log, recorded, rounds

CELL = Cell(producers=2, relays=1, consumers=3, files=1)
SETTINGS = Settings(kills=2, seed=7, cell=CELL)
COUNTS = Counts(
    acknowledged=5,
    unknown=0,
    refused=1,
    unavailable=0,
    received=11,
    duplicates=1,
    handled=10,
    stale=1,
    letters=2,
    deaths=3,
    engines={"trio": 3},
    points={"F2": 2, "outside": 1},
)
RESULT = Result(
    settings=SETTINGS,
    verdict=Verdict(),
    recovery=(1.5,),
    counts=COUNTS,
    dealt={"kills": 2, "stops": 1},
    missed=0,
    quiet=0.1,
    seconds=9.0,
)


def test_a_run_is_cut_into_rounds_with_seeds_of_their_own() -> None:
    """The last one has the rest of the kills; the cells are those of the first seed's order."""
    cut = list(rounds(Settings(kills=2 * ROUND + 5, seed=3), None))
    assert [(each.kills, each.seed) for each in cut] == [(ROUND, 3), (ROUND, 4), (5, 5)]
    assert len({each.cell for each in cut}) == 3
    assert {each.cell for each in rounds(Settings(kills=90, seed=3), CELL)} == {CELL}


def test_a_wave_has_its_kills() -> None:
    """A plan is cut behind every twentieth kill; nothing is left out."""
    plan = planned(1, 45, CELL)
    cut = waves(plan)
    assert len(cut) == 3
    assert tuple(blow for wave in cut for blow in wave) == plan


@pytest.mark.parametrize("cell", CELLS[::7])
def test_a_cell_is_read_as_it_is_named(cell: Cell) -> None:
    """What a log says is what `--cell` takes."""
    assert cell_named(named(cell)) == cell


@pytest.mark.parametrize("text", ["4/1/1/1", "1/1/1/3", "1/1/1", "one"])
def test_a_cell_that_there_is_not_is_refused(text: str) -> None:
    """One to three of each kind, on one file or two."""
    with pytest.raises(ValueError):
        cell_named(text)


def test_a_round_says_how_it_is_played_again() -> None:
    """Seed, cell and everything else that decided it."""
    settings = evolve(SETTINGS, points=("F3", "stop:F8"), sabotage="drop-fence")
    assert again(settings) == (
        "python -m tests.chaos --kills 2 --seed 7 --cell 2/1/3/1w --accounts 40 --sick 0.06"
        " --points F3,stop:F8 --sabotage drop-fence --keep"
    )


def test_rounds_are_added_up() -> None:
    """Counts and points are summed, the worst is kept, and nothing wrong in n kills bounds the rate by 3/n."""
    first = recorded(RESULT) | {"commit": "a"}
    other = evolve(RESULT, settings=evolve(SETTINGS, seed=8, kills=4), recovery=(0.5, 4.0))
    total = added_up([first, recorded(other) | {"commit": "a"}])
    assert (total["kills"], total["rounds"], total["ok"], total["bound"]) == (6, 2, True, 0.5)
    assert (total["stale"], total["deaths"], total["points"]) == (2, 6, {"F2": 4, "outside": 2})
    assert total["recovery"] == {"median": 1.5, "worst": 4.0, "waves": 3}
    assert (total["seeds"], total["commits"]) == (["7-8"], ["a"])
    assert total["cells"] == {"2/1/3/1w": {"rounds": 2, "kills": 6, "deaths": 6}}


def test_a_broken_promise_leaves_no_bound() -> None:
    """The sum says what, with the seed that shows it."""
    broken = evolve(RESULT, verdict=Verdict(lost=("posting p1",)))
    total = added_up([recorded(broken) | {"commit": "a"}])
    assert (total["ok"], total["lost"], total["bound"]) == (False, 1, None)
    assert total["examples"] == {"7": {"lost": ["posting p1"]}}


def test_a_round_that_a_log_has_is_not_played_again(tmp_path: Path) -> None:
    """A run goes on where it was cut; a line that was torn is no round."""
    log = tmp_path / "rounds.jsonl"
    log.write_text('{"seed": 7, "kills": 2}\n{"seed": 8, "ki')
    assert list(played([SETTINGS], commit="a", log=log, keep=False)) == [{"seed": 7, "kills": 2}]
    assert list(read_log(log)) == [{"seed": 7, "kills": 2}]


def test_seeds_are_told_as_ranges() -> None:
    """Neighbours stand together."""
    assert ranges([1, 2, 3, 7, 9, 10]) == ["1-3", "7", "9-10"]
    assert ranges([]) == []
