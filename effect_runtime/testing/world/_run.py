"""What came of a run, to be read when it is over: what was asked and answered, what happened, what did not hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from effect_runtime.effect import Exit
from effect_runtime.testing.loop._sequencer import Ending, Order, Rest
from effect_runtime.testing.loop._site import Alternative, Plan, Site
from effect_runtime.testing.loop._trace import Trace
from effect_runtime.testing.world._history import Spoken


@frozen(kw_only=True, eq=False)
class Run:
    """What came of a run. `asked` lists every site with its alternatives, in order; `plan` the deviations taken.

    `broken` names the claims that did not hold, `failure` the first that went wrong, and in which way; `troubles` is
    what nobody caught. `ending` tells whether the clients came to an end: "quiet" is a deadlock, "restless" a
    livelock; `busiest` is how much happened at one instant. `exits` has each client's programs; None is one that was
    given up. `said` has what each broken claim said, or looked at; `reached` names the claims of `sometimes` that held;
    `unexplained` has the messages for which no order accounts. `remains` tells, of each place that can fail, what a
    crash before and after it would leave behind. `has_changed`: repeated from a blob, and the program does something
    else than when that was made.
    """

    plan: Plan
    order: Order
    asked: Sequence[tuple[Site, Sequence[Alternative]]]
    trace: Trace
    ending: Ending
    exits: Mapping[str, Sequence[Exit[Any, Any] | None]]
    broken: tuple[str, ...]
    failure: str | None
    troubles: tuple[BaseException, ...]
    crashes: int
    busiest: int
    reached: tuple[str, ...] = ()
    said: Mapping[str, tuple[str, ...]] = {}
    unexplained: Sequence[Spoken] = ()
    remains: Mapping[Site, tuple[Rest | None, Rest | None]] = field(factory=dict)
    has_changed: bool = False

    @property
    def is_sound(self) -> bool:
        """Tell whether it ended, every claim held, and nothing was left uncaught."""
        return self.failure is None
