"""Runs a workload: rounds of fresh processes, theirs against theirs first, then ours against theirs.

The one place that starts workers. An answer that differs from the expected one ends the run: a fast wrong program has
no figure.
"""

from __future__ import annotations

import subprocess
from ast import literal_eval
from datetime import UTC, datetime
from math import ceil
from time import perf_counter

from attrs import frozen

from benchmarks._environments import ROOT, interpreter_of
from benchmarks._workload import Interval, Side, Verdict, Workload, median_interval, noise_of, ratio_interval

SEED = 20_240_607
NOISE_SHARE = 2 / 3
"""Rounds of theirs against theirs, for each round of ours against theirs."""
WORKER = "from benchmarks._worker import main; main()"
OBSERVATION_DEADLINE_SECONDS = 600


class WrongResult(Exception):
    """A side answered something else than the workload's result."""

    def __init__(self, workload: str, side: Side, answer: object, expected: object) -> None:
        super().__init__(
            f"{workload}: {side.place} answered {answer!r}, not {expected!r}. Correct the program, then measure."
        )


class WorkerFailed(Exception):
    """A worker ended without a figure."""

    def __init__(self, side: Side, message: str) -> None:
        super().__init__(f"{side.place} in environment {side.environment!r} failed:\n{message}")


@frozen
class Comparison:
    """All that one run of one workload showed."""

    workload: Workload
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    same: tuple[tuple[float, float], ...]
    ratio: Interval
    ours_alone: Interval
    noise: float
    verdict: Verdict
    began: datetime
    seconds: float
    pythons: tuple[str, str]


def compare(workload: Workload, *, rounds: int | None = None) -> Comparison:
    """Observe both sides of a workload, in as many rounds as it names itself or as are asked for, and judge them.

    Raises `EnvironmentUnavailable`, `WrongResult` or `WorkerFailed`.
    """
    began, start = datetime.now(UTC), perf_counter()
    pythons = (interpreter_of(workload.ours.environment), interpreter_of(workload.theirs.environment))
    rounds = rounds or workload.rounds
    same = _interleaved(workload, workload.theirs, workload.theirs, ceil(rounds * NOISE_SHARE))
    pairs = _interleaved(workload, workload.ours, workload.theirs, rounds)
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    noise = noise_of(ratio_interval([a for a, _ in same], [b for _, b in same], seed=SEED))
    ratio, alone = ratio_interval(ours, theirs, seed=SEED), median_interval(ours, seed=SEED)
    return Comparison(
        workload=workload,
        ours=tuple(ours),
        theirs=tuple(theirs),
        same=tuple(same),
        ratio=ratio,
        ours_alone=alone,
        noise=noise,
        verdict=workload.target.judge(ratio if workload.target.of == "ratio" else alone, noise),
        began=began,
        seconds=perf_counter() - start,
        pythons=(_version(pythons[0]), _version(pythons[1])),
    )


def observe(workload: Workload, side: Side, count: int) -> float:
    """Run one side once in a fresh process; give its figure if its answer is right."""
    command = [interpreter_of(side.environment), "-c", WORKER, side.place, str(count)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=OBSERVATION_DEADLINE_SECONDS, check=False
    )
    if done.returncode:
        raise WorkerFailed(side, done.stderr.strip())
    figure, answer = literal_eval(done.stdout)
    if answer != workload.expected(count):
        raise WrongResult(workload.name, side, answer, workload.expected(count))
    return float(figure)


def _interleaved(workload: Workload, first: Side, second: Side, rounds: int) -> list[tuple[float, float]]:
    """Observe two sides once a round; who goes first alternates, as the second may find warmer caches."""
    pairs = []
    for number in range(rounds):
        order = (second, first) if number % 2 else (first, second)
        figures = [observe(workload, side, workload.count) for side in order]
        pairs.append((figures[1], figures[0]) if number % 2 else (figures[0], figures[1]))
    return pairs


def _version(python: str) -> str:
    command = [python, "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
