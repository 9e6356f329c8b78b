"""The load: customers who pay, and an operator who cures what became a dead letter.

Knows doors, and where to look for receipts.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Final, final

from anyio import sleep
from attrs import define, field

from tests.chaos.cures import Sickness
from tests.chaos.fleet import Fleet, Reply
from tests.chaos.ledger import Ledger
from tests.chaos.oracle import arrived

THINKING: Final = 0.06
"""Seconds between two payments of a customer, on average."""
ROUNDS: Final = 0.4
"""Seconds between two rounds of the operator."""
LOOKS: Final = 0.1
"""Seconds between two looks at what has arrived."""
CROWD: Final = 60
"""Payments that may be on their way before further customers wait: a slow machine must not drown in its queue."""


@final
@define(eq=False)
class Customers:
    """Payments one after the other, each under an id of its own, asked again until its fate is known.

    One in eight gives up when it is left without an answer: whatever became of it must be whole. `sick`: the share of
    payments that become dead letters. `arrived`: those that have come all the way, by the last look.
    """

    fleet: Fleet
    ledger: Ledger
    seed: int
    accounts: int
    sick: float
    closed: bool = False
    acknowledged: list[str] = field(factory=list)
    arrived: frozenset[str] = frozenset()
    trouble: list[str] = field(factory=list)

    async def pay(self, number: int) -> None:
        """Be one customer until the shop is closed."""
        chance = Random(f"customer {self.seed} {number}")
        count = 0
        while not self.closed:
            count += 1
            await self._pay_once(f"{number}-{count}", chance)
            await sleep(chance.expovariate(1 / THINKING))
            while len(self.acknowledged) - len(self.arrived) > CROWD and not self.closed:
                await sleep(LOOKS)

    async def look(self, folder: Path) -> None:
        """Look at what has arrived, again and again, until cancelled."""
        while True:
            await sleep(LOOKS)
            if self.acknowledged:  # so there are tables
                self.arrived = arrived(folder)

    async def operate(self) -> None:
        """Cure and replay dead letters, at any worker, until cancelled."""
        chance = Random(f"operator {self.seed}")
        while True:
            await sleep(ROUNDS)
            ready = [worker for worker in self.fleet.workers.values() if worker.ready.is_set()]
            if ready:
                await chance.choice(ready).tell(mend=True)

    async def _pay_once(self, payment: str, chance: Random) -> None:
        # A few accounts take most of the payments: keys with a queue and keys without.
        facts = {
            "account": f"account-{int(self.accounts * chance.random() ** 2)}",
            "refused": chance.random() < 0.1,
            "sickness": self._sickness(chance).value,
        }
        gives_up = chance.random() < 0.125
        while True:
            worker = await self.fleet.door(chance)
            reply = await worker.ask(payment, **facts)
            if reply is not None and "again" not in reply:
                break
            if gives_up:
                self.ledger.write("unknown", payment=payment)
                return
            if reply is not None:
                self.ledger.jot("again", payment=payment, reason=reply["again"])
            await sleep(chance.expovariate(1 / THINKING))
        self._note(payment, reply)
        if chance.random() < 0.1:
            await self._ask_again(payment, facts, reply, chance)

    def _sickness(self, chance: Random) -> Sickness:
        if chance.random() >= self.sick:
            return Sickness.NONE
        return chance.choice((Sickness.BOOK, Sickness.WIRE))

    def _note(self, payment: str, reply: Reply) -> None:
        if "defect" in reply:
            self.trouble.append(f"{payment} was answered {reply['defect']}")
        elif reply.get("refused"):
            self.ledger.write("refused", payment=payment)
        else:
            self.ledger.write("acknowledged", payment=payment, number=reply["number"])
            self.acknowledged.append(payment)

    async def _ask_again(self, payment: str, facts: Reply, told: Reply, chance: Random) -> None:
        """Ask for what is known already: the answer must be the same."""
        reply = await (await self.fleet.door(chance)).ask(payment, **facts)
        if reply is not None and "again" not in reply and reply != told:
            self.trouble.append(f"{payment} was answered {told}, then {reply}")
