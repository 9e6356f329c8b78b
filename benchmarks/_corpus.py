"""How well the search finds what was planted: the corpus of `tests/simulation/corpus`, bug by bug and twin by twin.

`python -m benchmarks corpus [--json] [--seeds N]` counts runs and processor time to the first failing run over many
seeds, the size of what is reported against the least that shows the bug, alarms on twins, and what three usual ways
find of the same bugs. The bugs were committed before the search.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
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
from effect_runtime.testing._allowance import Allowance
from effect_runtime.testing._explore import Search
from tests.simulation import corpus
from tests.simulation.corpus import bugs, twins
from tests.simulation.corpus.case import Case
from tests.simulation.running import every_fault, simulation_of

_SEEDS: Final = 50
_RUNS: Final = 1_000
_SECONDS: Final = 10.0
_TWIN_RUNS: Final = 40
"""Runs of a twin for each seed; the first seed gets as many as a bug."""


@frozen(kw_only=True)
class Found:
    """How one bug was found: medians and 95th percentiles over the seeds, in runs and seconds of processor time."""

    number: int
    title: str
    needs: tuple[str, ...]
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
    lines: int
    one_order: int
    random_sleeps: int | None
    state_machine: int


@frozen(kw_only=True)
class Silent:
    """How a twin stood the same search."""

    number: int
    runs: int
    alarms: int


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and write `benchmarks/results/corpus.json`; 0 if every bug was found and no twin gave alarm."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks corpus")
    parser.add_argument("--json", action="store_true", help="print the result file")
    parser.add_argument("--seeds", type=int, default=_SEEDS, help="searches for each bug and each twin")
    asked = parser.parse_args(arguments)
    began, started = datetime.now(UTC), time.perf_counter()
    found = [_printed(_found(case, seeds=asked.seeds), asked.json) for case in bugs()]
    silent = [_silent(case, seeds=asked.seeds) for case in twins()]
    record = _record(found, silent, timings(), began=began, seconds=time.perf_counter() - started)
    (RESULTS / "corpus.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record) if asked.json else _readable(record))
    return int(record["verdict"] != "all found, no false alarm")


def _record(
    found: Sequence[Found], silent: Sequence[Silent], speed: Sequence[Timing], *, began: datetime, seconds: float
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


def _found(case: Case, *, seeds: int) -> Found:
    """Search for one bug with every seed."""
    runs, seconds, shrinking, reported = [], [], [], set[int]()
    for seed in range(seeds):
        began = time.process_time()
        allowance = Allowance(time.process_time, began + _SECONDS, _RUNS)
        search = Search(_world(case), allowance, deviations=2, seed=seed)
        began = time.process_time()
        failing = next(search.climb(), None)
        if failing is None:
            continue
        seconds.append(time.process_time() - began)
        runs.append(search.tried)
        began = time.process_time()
        reported.add(len(search.minimal(failing).run.plan))
        shrinking.append(time.process_time() - began)
    return Found(
        number=case.number,
        title=case.title,
        needs=tuple(sorted(case.needs)),
        found=len(runs),
        seeds=seeds,
        runs=median(runs) if runs else 0,
        runs_p95=_p95(runs),
        seconds=round(median(seconds) if runs else 0, 4),
        seconds_p95=round(_p95(seconds), 4),
        least=case.deviations,
        reported=tuple(sorted(reported)),
        shrink_seconds=round(median(shrinking) if runs else 0, 4),
        shrink_seconds_p95=round(_p95(shrinking), 4),
        lines=_lines(case.number),
        one_order=by_one_order(case, seeds=seeds),
        random_sleeps=by_random_sleeps(case, seeds=seeds),
        state_machine=by_state_machine(case, seeds=seeds),
    )


def _silent(case: Case, *, seeds: int) -> Silent:
    """Search a twin with every seed, and count what it is accused of."""
    runs = alarms = 0
    for seed in range(seeds):
        allowed = _RUNS if seed == 0 else _TWIN_RUNS
        try:
            covered = explore(_world(case), runs=allowed, budget=timedelta(minutes=5), seed=seed)
        except Counterexample:
            alarms += 1
        else:
            runs += covered.plans + covered.drawn
    return Silent(number=case.number, runs=runs, alarms=alarms)


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


def _printed(found: Found, quiet: bool) -> Found:
    if not quiet:
        print(_LINE.format(**asdict(found)), flush=True)
    return found


_LINE: Final = (
    "{number:>2} {title:44} found {found:>2}/{seeds}  runs {runs:>5} (p95 {runs_p95:>6.1f})  "
    "{seconds:>6.2f} s (p95 {seconds_p95:>5.2f})  deviations {reported} of {least}  shrink {shrink_seconds:>5.2f} s  "
    "{lines:>2} lines  one order {one_order}, sleeps {random_sleeps}, state machine {state_machine}"
)


def _readable(record: Row) -> str:
    alarms = sum(each["alarms"] for each in record["twins"])
    runs = sum(each["runs"] for each in record["twins"])
    speed: list[Any] = [
        f"  {each['name']}: {each['plans']:,} plans in {each['seconds']} s" for each in record["search"]
    ]
    return "\n".join([f"twins: {alarms} false alarms in {runs:,} runs", *speed, record["verdict"]])
