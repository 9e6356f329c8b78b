"""The stable code of every configuration fault and of every finding of the source check.

ER1xx: handlers and contexts. ER2xx: events on the wire. ER3xx: subscriptions. ER4xx: the composed application.
ER5xx: source of do-blocks. It knows meanings only: who raises a code builds the sentence around it.
"""

from __future__ import annotations

from enum import Enum, unique


@unique
class Code(Enum):
    """Name every configuration fault by a stable code; the value is what goes wrong, in one line.

    A code is never reused or renumbered. `docs/codes.md` lists each with an example and its fix.
    """

    ER101 = "a handler is not annotated"
    ER102 = "a handler is an async def"
    ER103 = "a handler returns neither a do-block nor an Eff"
    ER104 = "a handler needs another runtime than its context has"
    ER105 = "a handler needs a capability that its runtime lacks"
    ER106 = "a command or query has two handlers"
    ER107 = "a handler's module is not imported by its context"
    ER108 = "a command states no access decision"
    ER109 = "a command's answer cannot be stored"
    ER110 = "a domain event is handled or emitted outside its context"
    ER111 = "a command's type belongs to another context"
    ER112 = "a domain event's handler fails with more than its event declares"
    ER113 = "a handler of domain events names no domain event"
    ER114 = "what a context stores for later has no stored identity"
    ER115 = "two stored classes of a context share one identity"
    ER116 = "an after-commit handler's key names no field"
    ER117 = "two after-commit handlers share one title"
    ER118 = "two queues of a context share one name"
    ER119 = "a queue is defined with settings that cannot work"
    ER120 = "a context is defined with arguments that cannot work"

    ER201 = "an integration event has no identity"
    ER202 = "two integration events share one identity"
    ER203 = "an integration event's identity is malformed"
    ER204 = "an integration event inherits its identity"
    ER205 = "an integration event's key names no field"
    ER206 = "an integration event's field is not flat"
    ER207 = "an integration event is not frozen"
    ER208 = "an integration event's field cannot be serialised"
    ER209 = "a context publishes a topic that it does not own"
    ER210 = "two contexts publish one topic"
    ER211 = "a chain of upcasters is broken"
    ER212 = "a topic has no name of its own"
    ER213 = "an integration event has more than one event base"
    ER214 = "a change breaks the committed wire manifest"
    ER215 = "a golden payload is missing or is not read"
    ER216 = "a wire manifest cannot be read"

    ER301 = "a subscription stands inside the publisher's context"
    ER302 = "a subscription names an unknown topic"
    ER303 = "a subscription leaves a failure of its handler unmapped"
    ER304 = "two subscriptions share one id"
    ER305 = "a subscription has two handlers for one event"
    ER306 = "a subscription handles an event of another topic"

    ER401 = "the immediate transport is used in production"
    ER402 = "an extra is not installed"
    ER403 = "two contexts have one name, or one context is bound twice"
    ER404 = "the SQLite library is too old"
    ER405 = "a published topic has no wire or outbox that carries it"
    ER406 = "an app is given something that is no bound context"
    ER407 = "a context is bound to something that is no store"

    ER501 = "an effect is built and lost"
    ER502 = "an effect is yielded without `from`"
    ER503 = "a failure is raised without `return`, so that checkers do not narrow"

    @property
    def title(self) -> str:
        """Return the one-line meaning of the code."""
        return self.value
