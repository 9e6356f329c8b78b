"""Every workload there is: what is compared, how much of it, and what should come out."""

from __future__ import annotations

from attrs import evolve

from benchmarks._workload import Side, Target, Workload
from benchmarks.peers import shelf

LINKS = 1_000_000


def itself(count: int) -> int:
    """Expect the count."""
    return count


def twice(count: int) -> list[int]:
    """Expect so many rows and so many events."""
    return [count, count]


def _at_most(bound: float, stretch: float) -> Target:
    return Target(bound, "lower", stretch=stretch)


def _nanoseconds(bound: float, stretch: float) -> Target:
    return Target(bound, "lower", of="ours", stretch=stretch)


INTERPRETER = (
    Workload(
        name="service-operation",
        claim="one service operation in a do-block, against a plain await of the same method",
        unit="ns",
        peer="plain await",
        ours=Side("benchmarks._steps:measure_operations"),
        theirs=Side("benchmarks._steps:measure_awaits"),
        target=_at_most(4, 2),
        count=200_000,
        expected=lambda count: sum(book & 3 for book in range(count)),
    ),
    Workload(
        name="do-step",
        claim="one step of a do-block on an effect built beforehand",
        unit="ns",
        peer="plain await",
        ours=Side("benchmarks._steps:measure_steps"),
        theirs=Side("benchmarks._steps:measure_small_awaits"),
        target=_nanoseconds(150, 100),
        count=400_000,
        expected=itself,
    ),
    Workload(
        name="nested-do-block",
        claim="one level of nested do-blocks, fifty deep, the innermost yielding a step",
        unit="ns",
        peer="plain await",
        ours=Side("benchmarks._steps:measure_nests"),
        theirs=Side("benchmarks._steps:measure_coroutine_nests"),
        target=_nanoseconds(250, 150),
        count=400_000,
        expected=itself,
    ),
    Workload(
        name="caught-failure",
        claim="one typed failure: built, failed with, caught by its type",
        unit="ns",
        peer="plain try and except",
        ours=Side("benchmarks._steps:measure_catches"),
        theirs=Side("benchmarks._steps:measure_excepts"),
        target=_nanoseconds(600, 400),
        count=200_000,
        expected=itself,
    ),
    Workload(
        name="fork-join",
        claim="one fork and its join, a hundred at a time, against `start_soon` in a task group",
        unit="ns",
        peer="anyio",
        ours=Side("benchmarks._forks:measure_forks"),
        theirs=Side("benchmarks._forks:measure_task_groups"),
        target=_at_most(1.3, 1.1),
        count=10_000,
        expected=itself,
    ),
)


def _against(peer: str, environment: str, module: str, count: int, ours: str = "own") -> Workload:
    return Workload(
        name=f"peer-{module.replace('_', '-')}",
        claim=f"the same program, twenty service calls and one failure caught, against `{peer}`",
        unit="ns",
        peer=peer,
        ours=Side("benchmarks.peers.ours:measure", ours),
        theirs=Side(f"benchmarks.peers.{module}:measure", environment),
        target=_at_most(1, 0.5),
        count=count,
        expected=lambda _count: shelf.TOTAL,
        chapter="peers",
    )


PEERS = (
    evolve(_against("plain await", "own", "plain", 20_000), target=_at_most(4, 2)),
    _against("stateless", "stateless", "stateless", 8_000),
    _against("stateless, synchronous service", "stateless", "stateless_sync", 8_000),
    _against("effect-python", "effect-python", "effect_python", 5_000, "ours-3.13"),
    _against("effect-python, synchronous service", "effect-python", "effect_python_sync", 5_000, "ours-3.13"),
    _against("expression", "expression", "expression", 4_000),
    _against("returns", "returns", "returns", 2_000),
    _against("effect, synchronous service", "effect", "effect", 3_000),
)

BINDS = tuple(
    Workload(
        name=f"million-binds-{side}",
        claim=f"peak memory of running a million binds nested to the {side}, over the value itself",
        unit="bytes",
        peer="the same chain, a hundred times shorter",
        ours=Side(f"benchmarks._chains:measure_{side}"),
        theirs=Side(f"benchmarks._chains:measure_{side}_shorter"),
        target=_at_most(1.5, 1.1),
        count=LINKS,
        expected=itself,
        chapter="memory",
        rounds=3,
    )
    for side in ("left", "right")
)

MEMORY = (
    *BINDS,
    Workload(
        name="suspended-fiber",
        claim="memory of one forked fiber that waits in a service operation, against a task that waits for the same",
        unit="bytes",
        peer="anyio task group",
        ours=Side("benchmarks._memory:measure_fibers"),
        theirs=Side("benchmarks._memory:measure_tasks"),
        target=_at_most(2, 1.5),
        count=10_000,
        expected=itself,
        chapter="memory",
        rounds=3,
    ),
    Workload(
        name="queued-event",
        claim="memory of one event that waits in a volatile queue, against the event in a list",
        unit="bytes",
        peer="a list of the events",
        ours=Side("benchmarks._memory:measure_queued"),
        theirs=Side("benchmarks._memory:measure_kept"),
        target=Target(2048, "lower", of="ours", stretch=1024),
        count=5_000,
        expected=itself,
        chapter="memory",
        rounds=3,
    ),
)

IMPORT = (
    Workload(
        name="import-time",
        claim="`import effect_runtime`, against importing its five dependencies",
        unit="ms",
        peer="its dependencies",
        ours=Side("benchmarks._imports:measure_ours"),
        theirs=Side("benchmarks._imports:measure_dependencies"),
        target=_at_most(1.3, 1.1),
        count=1,
        expected=lambda _count: "imported",
        chapter="import",
    ),
    Workload(
        name="import-application",
        claim="`from effect_runtime import App`, which opens nearly every chapter, against its five dependencies",
        unit="ms",
        peer="its dependencies",
        ours=Side("benchmarks._imports:measure_application"),
        theirs=Side("benchmarks._imports:measure_dependencies"),
        target=_at_most(1.3, 1.1),
        count=1,
        expected=lambda _count: "imported",
        chapter="import",
    ),
)


def _durable(name: str, claim: str, unit: str, peer: str, function: str, target: Target, count: int) -> Workload:
    """Describe a workload whose two sides have the same function names in their two modules."""
    answer = itself if unit == "ms" else twice
    return Workload(
        name=name,
        claim=claim,
        unit=unit,
        peer=peer,
        ours=Side(f"benchmarks._durable:{function}"),
        theirs=Side(f"benchmarks._handwritten:{function}"),
        target=target,
        count=count,
        expected=answer,
        chapter="durable",
    )


DURABLE = (
    _durable(
        "durable-command",
        "one row and one event committed on SQLite, one caller, against SQL by hand in the same transaction shape",
        "/s",
        "by hand",
        "measure_sequential",
        Target(0.7, "higher", stretch=0.9),
        1_500,
    ),
    _durable(
        "group-commit",
        "the same from 64 concurrent callers, against one fsync for each command by hand",
        "/s",
        "by hand",
        "measure_concurrent",
        Target(2.5, "higher", stretch=4),
        4_000,
    ),
    _durable(
        "commit-to-subscriber-p50",
        "from sending a command into an idle system until its subscriber is called, in one process, median",
        "ms",
        "by hand",
        "measure_p50",
        Target(5, "lower", of="ours", stretch=2),
        200,
    ),
    _durable(
        "commit-to-subscriber-p99",
        "from sending a command into an idle system until its subscriber is called, in one process, 99th percentile",
        "ms",
        "by hand",
        "measure_p99",
        Target(20, "lower", of="ours", stretch=10),
        200,
    ),
)

BACKLOG = tuple(
    Workload(
        name=f"backlog-{length.replace('_', '-')}",
        claim=f"events a second that a relay takes from a backlog of {words} on SQLite, against one of a thousand",
        unit="/s",
        peer="the same, a thousand waiting",
        ours=Side(f"benchmarks._backlog:measure_{length}"),
        theirs=Side("benchmarks._backlog:measure_thousand"),
        target=Target(0.8, "higher", stretch=0.95),
        count=1_000,
        expected=itself,
        chapter="durable",
        rounds=rounds,
    )
    for length, words, rounds in (("hundred_thousand", "a hundred thousand", 5), ("million", "a million", 3))
)

WORKLOADS = {each.name: each for each in (*INTERPRETER, *PEERS, *MEMORY, *IMPORT, *DURABLE, *BACKLOG)}
