"""What usual ways find of the planted bugs: one order once, a real loop with random sleeps, a state machine.

Each is given the same applications, clients and claims, and no fault that its users could not make by themselves.
"""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from random import Random
from typing import Any, Final, final

import anyio
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from effect_runtime import App
from effect_runtime.effect import Operation
from effect_runtime.interpreter import Interceptor, Perform, live
from effect_runtime.outbox.sqlite import SqliteStore
from effect_runtime.testing import Canonical, Client
from effect_runtime.transports import InProcess
from tests.simulation.corpus.case import Case
from tests.simulation.corpus.office import TABLES
from tests.simulation.running import simulation_of

_TRIES: Final = 3
"""Runs for each seed: tests with random sleeps are repeated a few times, not a thousand."""

_PATIENCE: Final = 1.0
_EXAMPLES: Final = 25


def by_one_order(case: Case, *, seeds: int) -> int:
    """Run once for each seed, in the one order there is; return how often the bug shows."""
    world = simulation_of(case)
    return sum(not world.run(Canonical()).is_sound for _ in range(min(seeds, 1))) * seeds


def by_state_machine(case: Case, *, seeds: int) -> int:
    """Let hypothesis choose who runs a program next, one at a time; return how often the bug shows."""
    return sum(_stepped(case, seed) for seed in range(seeds))


def _stepped(case: Case, seed: int) -> bool:
    world = simulation_of(case)
    failures: list[str] = []

    class Clients(RuleBasedStateMachine):
        """Programs in the order of the rules that were drawn; run when the drawing has ended."""

        def __init__(self) -> None:
            super().__init__()
            self.waiting = [list(client.programs) for client in world.clients]
            self.drawn: list[Any] = []

        @rule(who=st.integers(0, len(world.clients) - 1))
        def next_program(self, who: int) -> None:
            """Take the next program of a client, if there is one."""
            if self.waiting[who]:
                self.drawn.append(self.waiting[who].pop(0))

        def teardown(self) -> None:
            """Run what was drawn, and look at the claims."""
            run = world.among([Client("all", self.drawn)]).run(Canonical())
            if run.failure is not None:
                failures.append(run.failure)

    quick = settings(
        max_examples=_EXAMPLES,
        stateful_step_count=6,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    run_state_machine_as_test(seeded(seed)(Clients), settings=quick)
    return bool(failures)


def by_random_sleeps(case: Case, *, seeds: int) -> int | None:
    """Run on a real loop with random sleeps before operations; None where a case needs a broker or a long wait."""
    if case.hears or any(client.after for client in case.clients):
        return None
    found = 0
    for seed in range(seeds):
        random = Random(seed)
        found += any(anyio.run(_slept, case, random) for _ in range(_TRIES))
    return found


async def _slept(case: Case, random: Random) -> bool:
    """Run once on stores in a directory of its own; return whether a claim is broken or nobody comes to an end."""
    for party in case.parties:
        party.reset()
    with tempfile.TemporaryDirectory() as folder:
        ways = {binding.name: Path(folder, f"{binding.name}.db") for binding in case.app.bindings}
        app = case.app.moved(
            live.host,
            lambda binding: SqliteStore(ways[binding.name], migrations=[TABLES]),
            wire=InProcess(),
            interceptors=[_sleeping(random)],
        )
        ended = False
        with anyio.move_on_after(_PATIENCE):
            async with app.running():
                for program in case.given:
                    await app.run_exit(program)
                async with anyio.create_task_group() as group:
                    for client in case.clients:
                        group.start_soon(_visit, app, client.programs)
                with anyio.move_on_after(_PATIENCE / 2):
                    await app.settled()
                ended = True
        view = _Files(ways)
        return not ended or not all(claim(view) for claim in (*case.always, *case.at_end, *case.eventually))


async def _visit(app: App, programs: Any) -> None:
    for program in programs:
        await app.run_exit(program)


def _sleeping(random: Random) -> Interceptor:
    def around(perform: Perform) -> Perform:
        async def slept(operation: Operation, runtime: Any) -> Any:
            await anyio.sleep(random.random() * 0.002)
            return await perform(operation, runtime)

        return slept

    return around


@final
class _Files:
    """What files hold, as claims ask for it."""

    def __init__(self, ways: dict[str, Path]) -> None:
        self._ways = ways

    def query(self, context: str, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        connection = sqlite3.connect(self._ways[context])
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()
