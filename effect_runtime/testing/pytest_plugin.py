"""A pytest plugin: a fixture that searches simulations, a budget for all searches, and replay of one found plan.

    pytest --simulate-budget 60                      each search goes on for a minute
    pytest -k test_loans --simulate-replay sim1:...  the run of a report, once more

What a search has covered, and the trace of a run, are shown with a test that fails. Every pytest loads this module, so
it loads nothing of the library before a test asks for the fixture.
"""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from effect_runtime.testing.search._explorer import Explorer, Replays

_BUDGET: Final = "--simulate-budget"
_SEED: Final = "--simulate-seed"
_REPLAY: Final = "--simulate-replay"

_REPLAYS: Final[pytest.StashKey[Replays]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("simulate", "effect_runtime simulations")
    group.addoption(_BUDGET, type=float, metavar="SECONDS", help="how long each search goes on")
    group.addoption(_SEED, type=int, metavar="NUMBER", help="the order of plans, and what is drawn after them")
    group.addoption(_REPLAY, metavar="BLOB", help="repeat one run instead of searching")


def pytest_configure(config: pytest.Config) -> None:
    """Read the blob, if there is one; a damaged one ends pytest before any test."""
    blob = config.getoption(_REPLAY)
    if blob is not None:
        try:
            config.stash[_REPLAYS] = _library().Replays.of(blob)
        except import_module("effect_runtime.errors").BlobUnreadable as error:
            raise pytest.UsageError(f"{_REPLAY}: {error}") from error


@pytest.fixture
def explorer(request: pytest.FixtureRequest) -> Explorer:
    """Search simulations: `explorer(simulation)` is `explore` with the budget and the seed of the command line."""
    config, node = request.config, request.node
    seconds = config.getoption(_BUDGET)
    found: Explorer = _library().Explorer(
        node.nodeid,
        tell=lambda title, text: node.add_report_section("call", title, text),
        budget=None if seconds is None else timedelta(seconds=seconds),
        seed=config.getoption(_SEED),
        replays=config.stash.get(_REPLAYS, None),
    )
    return found


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail if the plan on the command line belongs to no world that was met: nothing was repeated."""
    replays = session.config.stash.get(_REPLAYS, None)
    if (
        replays is not None
        and not replays.repeated
        and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say where the plan on the command line was repeated, or why nowhere."""
    replays = config.stash.get(_REPLAYS, None)
    if replays is not None:
        terminalreporter.section("simulation replay")
        for line in replays.lines():
            terminalreporter.write_line(line)


def _library() -> Any:
    """Load what needs the library: at first use, and not whenever pytest starts."""
    return import_module("effect_runtime.testing.search._explorer")
