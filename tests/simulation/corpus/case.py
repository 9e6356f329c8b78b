"""The shape of one case: an application, who uses it, and what must hold, as values.

Written against the library's public names only, and before anything that could search it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, Protocol, TypeAlias

from attrs import frozen

from effect_runtime import App, Eff
from effect_runtime.integration import Message, Topic

Need: TypeAlias = Literal[
    "order", "crash", "duplicate", "reorder", "time", "ambiguous", "failure", "cancel", "liveness"
]
"""What has to happen for a bug to show."""


class View(Protocol):
    """What may be looked at between two steps: what the stores have committed, and nothing else."""

    def query(self, context: str, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the store of one context."""
        ...


class Party(Protocol):
    """Somebody outside whom a crash of ours does not touch. Duty: `reset` forgets everything, before each run."""

    def reset(self) -> None:
        """Forget everything."""
        ...


class Delivery(Protocol):
    """One message of a broker, handed to a consumer written by hand; what is not acknowledged comes again."""

    @property
    def message(self) -> Message:
        """Return the message."""
        ...

    async def ack(self) -> None:
        """Tell the broker that it need not come again."""
        ...


Claim: TypeAlias = Callable[[View], bool]
"""Something that must hold. Its name is the claim."""


@frozen
class Client:
    """Somebody who uses the application: programs one after the other, the first no earlier than `after`.

    A program that a crash interrupts is begun again, or given up: both must be fine, unless a case says otherwise.
    """

    name: str
    programs: Sequence[Eff[Any, Any, Any]]
    after: timedelta = timedelta(0)


@frozen
class Hears:
    """A consumer written by hand: `receive` is given the running application and one delivery of the topic."""

    context: str
    topic: type[Topic]
    id: str
    receive: Callable[[App, Delivery], Awaitable[None]]


@frozen
class Fails:
    """A failure that an external operation declares, and that may meet its caller.

    `applied`: it may also meet the caller after the operation took effect; only its answer was lost.
    """

    method: Any
    failure: Any
    applied: bool = False


@frozen(kw_only=True)
class Case:
    """A planted bug, or its twin, with everything that a search may know.

    Each context of `app` is a process of its own. `given` runs before everything else, undisturbed. `deviations` is
    the least number of departures from the boring run that shows the bug. `always` must hold between any two steps,
    `at_end` when a run has ended, `eventually` once faults have stopped and all is quiet; and every client ends.
    `excluded` names what the case does not claim to survive.
    """

    number: int
    title: str
    needs: frozenset[Need]
    deviations: int
    app: App
    clients: Sequence[Client]
    given: Sequence[Eff[Any, Any, Any]] = ()
    parties: Sequence[Party] = ()
    hears: Sequence[Hears] = ()
    fails: Sequence[Fails] = ()
    always: Sequence[Claim] = ()
    at_end: Sequence[Claim] = ()
    eventually: Sequence[Claim] = ()
    excluded: frozenset[Need] = frozenset()
    contexts: Mapping[str, Sequence[str]] = {}
    """Processes that are not one context each, by name."""
