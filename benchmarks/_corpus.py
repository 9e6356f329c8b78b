"""How well the search finds what was planted: the corpus of `tests/simulation/corpus`, bug by bug and twin by twin.

`python -m benchmarks corpus [--json] [--seeds N]` counts runs and processor time to the first failing run over many
seeds, the size of what is reported against the least that shows the bug, alarms on twins, and what three usual ways
find of the same bugs. The bugs were committed before the search. Those of `tests/simulation/strangers`, by people who
did not write it and with nothing but its documentation, are searched in the same way.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from pkgutil import iter_modules
from statistics import median, quantiles
from typing import Any, Final

from attrs import asdict, frozen

from benchmarks._corpus_others import by_one_order, by_random_sleeps, by_state_machine
from benchmarks._results import RESULTS, Row, machine, revision
from benchmarks._searching import Timing, timings
from benchmarks._simulation import figures
from effect_runtime.errors import Counterexample
from effect_runtime.testing import Simulation, explore
from effect_runtime.testing.search._allowance import Allowance
from effect_runtime.testing.search._explore import Search
from tests.simulation import corpus
from tests.simulation.corpus import bugs, twins
from tests.simulation.corpus.case import Case
from tests.simulation.running import every_fault, simulation_of
from tests.simulation.strangers import strangers

_SEEDS: Final = 50
_STRANGE_SEEDS: Final = 10
_RUNS: Final = 1_000
_SECONDS: Final = 10.0
_TWIN_RUNS: Final = 40
"""Runs of a twin for each seed; the first seed gets as many as a bug."""


@frozen(kw_only=True)
class Found:
    """How one bug was found: medians and 95th percentiles over the seeds, in runs and seconds of processor time."""

    title: str
    found: int
    seeds: int
    runs: float
    runs_p95: float
    seconds: float
    seconds_p95: float
    least: int
    reported: tuple[int, ...]
    shrink_seconds: float
    shrink_seconds_p95: float


@frozen(kw_only=True)
class Compared(Found):
    """How a bug of the corpus was found, and by whom else: of as many seeds."""

    number: int
    needs: tuple[str, ...]
    lines: int
    one_order: int
    random_sleeps: int | None
    state_machine: int


@frozen(kw_only=True)
class Silent:
    """How a twin stood the same search."""

    title: str
    runs: int
    alarms: int


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and write `benchmarks/results/corpus.json`; 0 if every bug was found and no twin gave alarm."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks corpus")
    parser.add_argument("--json", action="store_true", help="print the result file")
    parser.add_argument("--seeds", type=int, default=_SEEDS, help="searches for each bug and each twin")
    asked = parser.parse_args(arguments)
    began, started = datetime.now(UTC), time.perf_counter()
    found = [_printed(_compared(case, seeds=asked.seeds), asked.json) for case in bugs()]
    silent = [_silent(case.title, partial(_world, case), seeds=asked.seeds) for case in twins()]
    strange, well = _strange(seeds=min(asked.seeds, _STRANGE_SEEDS), is_quiet=asked.json)
    record = _record(found, silent, timings(), began=began, seconds=time.perf_counter() - started)
    record["strangers"] = [asdict(each) for each in strange]
    record["strangers_twins"] = [asdict(each) for each in well]
    (RESULTS / "corpus.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record) if asked.json else _readable(record))
    return int(record["verdict"] != "all found, no false alarm")


def _record(
    found: Sequence[Compared], silent: Sequence[Silent], speed: Sequence[Timing], *, began: datetime, seconds: float
) -> Row:
    commit, clean = revision()
    alarms = sum(each.alarms for each in silent)
    everywhere = "all found" if all(each.found == each.seeds for each in found) else "not all found"
    return {
        "name": "corpus",
        "verdict": f"{everywhere}, {alarms or 'no'} false alarm{'s' * (alarms > 1)}",
        "commit": commit,
        "clean": clean,
        "began": began.isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "clock": "processor time of one process",
        "seeds": found[0].seeds,
        "bound": {"runs": _RUNS, "seconds": _SECONDS},
        "machine": machine(),
        "bugs": [asdict(each) for each in found],
        "twins": [asdict(each) for each in silent],
        "search": [asdict(each) for each in speed],
        "worlds": [asdict(each) for each in figures()],
    }


def _world(case: Case) -> Simulation:
    return simulation_of(case, faults=every_fault(case))


def _found(title: str, world: Callable[[], Simulation], *, least: int, seeds: int) -> Found:
    """Search for one bug with every seed."""
    runs, seconds, shrinking, reported = [], [], [], set[int]()
    for seed in range(seeds):
        simulation = world()
        began = time.process_time()
        search = Search(simulation, Allowance(time.process_time, began + _SECONDS, _RUNS), deviations=2, seed=seed)
        failing = next(search.climb(), None)
        if failing is None:
            continue
        seconds.append(time.process_time() - began)
        runs.append(search.tried)
        began = time.process_time()
        reported.add(len(search.minimal(failing).run.plan))
        shrinking.append(time.process_time() - began)
    return Found(
        title=title,
        found=len(runs),
        seeds=seeds,
        runs=median(runs) if runs else 0,
        runs_p95=_p95(runs),
        seconds=round(median(seconds) if runs else 0, 4),
        seconds_p95=round(_p95(seconds), 4),
        least=least,
        reported=tuple(sorted(reported)),
        shrink_seconds=round(median(shrinking) if runs else 0, 4),
        shrink_seconds_p95=round(_p95(shrinking), 4),
    )


def _compared(case: Case, *, seeds: int) -> Compared:
    """Search for a bug of the corpus, and let others look for it, too."""
    return Compared(
        **asdict(_found(case.title, partial(_world, case), least=case.deviations, seeds=seeds)),
        number=case.number,
        needs=tuple(sorted(case.needs)),
        lines=_lines(case.number),
        one_order=by_one_order(case, seeds=seeds),
        random_sleeps=by_random_sleeps(case, seeds=seeds),
        state_machine=by_state_machine(case, seeds=seeds),
    )


def _strange(*, seeds: int, is_quiet: bool) -> tuple[list[Found], list[Silent]]:
    """Search the bugs of strangers, and their twins."""
    found, silent = [], []
    for each in strangers():
        one = _found(each.title, partial(each.world, True), least=each.deviations, seeds=seeds)
        found.append(one)
        silent.append(_silent(each.title, partial(each.world, False), seeds=seeds))
        if not is_quiet:
            print(_STRANGE.format(**asdict(one)), flush=True)
    return found, silent


def _silent(title: str, world: Callable[[], Simulation], *, seeds: int) -> Silent:
    """Search a twin with every seed, and count what it is accused of."""
    runs = alarms = 0
    for seed in range(seeds):
        allowed = _RUNS if seed == 0 else _TWIN_RUNS
        try:
            covered = explore(world(), runs=allowed, budget=timedelta(minutes=5), seed=seed)
        except Counterexample:
            alarms += 1
        else:
            runs += covered.plans + covered.drawn
    return Silent(title=title, runs=runs, alarms=alarms)


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20)[-1] if len(values) > 1 else max(values, default=0)


def _lines(number: int) -> int:
    """Count what somebody wrote to have a bug found: its claims, and who comes."""
    names = sorted(module.name for module in iter_modules(corpus.__path__) if module.name.startswith("bug_"))
    module = import_module(f"{corpus.__name__}.{names[number - 1]}")
    counted = 0
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        is_claim = isinstance(node, ast.FunctionDef) and any(
            isinstance(each.annotation, ast.Name) and each.annotation.id == "View" for each in node.args.args
        )
        is_case = isinstance(node, ast.Return) and isinstance(node.value, ast.Call) and _is_case(node.value)
        if isinstance(node, ast.FunctionDef | ast.Return) and (is_claim or is_case):
            counted += (node.end_lineno or node.lineno) - node.lineno + 1
    return counted


def _is_case(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "Case"


def _printed(found: Compared, quiet: bool) -> Compared:
    if not quiet:
        print(_LINE.format(**asdict(found)), flush=True)
    return found


_LINE: Final = (
    "{number:>2} {title:44} found {found:>2}/{seeds}  runs {runs:>5} (p95 {runs_p95:>6.1f})  "
    "{seconds:>6.2f} s (p95 {seconds_p95:>5.2f})  deviations {reported} of {least}  shrink {shrink_seconds:>5.2f} s  "
    "{lines:>2} lines  one order {one_order}, sleeps {random_sleeps}, state machine {state_machine}"
)


_STRANGE: Final = (
    "{title:46} found {found:>2}/{seeds}  runs {runs:>5} (p95 {runs_p95:>6.1f})  "
    "{seconds:>6.2f} s (p95 {seconds_p95:>5.2f})  deviations {reported} of {least}  shrink {shrink_seconds:>5.2f} s"
)


def _readable(record: Row) -> str:
    alarms = sum(each["alarms"] for each in record["twins"])
    runs = sum(each["runs"] for each in record["twins"])
    speed: list[Any] = [
        f"  {each['name']}: {each['plans']:,} plans in {each['seconds']} s" for each in record["search"]
    ]
    found = sum(each["found"] == each["seeds"] for each in record["strangers"])
    strange = f"strangers: {found} of {len(record['strangers'])} always found"
    return "\n".join([f"twins: {alarms} false alarms in {runs:,} runs", strange, *speed, record["verdict"]])
