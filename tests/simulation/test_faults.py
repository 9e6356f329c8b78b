"""Faults of stores, clocks and operations: each shows a bug that the others around it do not, and none in its twin."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, Never

import pytest
from attrs import define, field, frozen

from effect_runtime import App, Context, Do, Failed, Refused, Succeeded, Transaction, do, guard, operation, recover
from effect_runtime.dispatch import CommitUnknown
from effect_runtime.effect import Exit, TimedOut, timeout
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.testing import Canonical, Client, Fails, Faults, Linearizable, Planned, Run, Simulation, View
from effect_runtime.testing.loop._host import NOON
from tests.simulation.corpus.office import Doing, Listener, Looking, Program, app_of, office, recorded
from tests.simulation.faulty import MINUTE, SECOND, of, shown
from tests.simulation.ourselves.machinery import counting

RESTART: Final = timedelta(seconds=0.1)

STORES: Final = Faults(crashes=True, storms=True, commits=True, verdicts=True, conflicts=True, slow=(SECOND, MINUTE))


@frozen
class SoldOut:
    """There is none left."""


@frozen
class Look:
    """Ask how many are left, of whoever remembers."""


@frozen
class Sell:
    """Sell one."""


@frozen
class Forget:
    """Ask the store again next time."""


def cached(*, planted: bool, **options: Any) -> Simulation:
    """One copy, and a process that remembers how many are left until it has sold; the twin looks before it sells."""
    shop = office("shop")

    @shop.query(access="public")
    def look(ask: Look) -> Looking[int]:
        rt = yield from shop.reads
        known = yield from rt.memory.recall("left")
        if known is not None and known >= 0:
            return known
        left = 1 - (yield from rt.records.get("sold", "dune"))
        yield from rt.memory.keep("left", left)
        return left

    @shop.command(access="public")
    def sell(cmd: Sell) -> Doing[None, SoldOut]:
        rt = yield from shop.runtime
        sold = yield from rt.records.get("sold", "dune")
        yield from guard(planted or sold == 0, SoldOut())
        yield from rt.records.put("sold", "dune", sold + 1)

    @shop.query(access="public")
    def forget(ask: Forget) -> Looking[None]:
        rt = yield from shop.reads
        yield from rt.memory.keep("left", -1)

    @do
    def buy() -> Program[None, SoldOut | Refused]:
        yield from guard((yield from look(Look())) > 0, SoldOut())
        yield from sell(Sell())
        yield from forget(Forget())

    def nothing_is_sold_twice(view: View) -> bool:
        return recorded(view, "shop", "sold").get("dune", 0) <= 1

    buyers = [Client("ann", [buy(), buy()])]
    return Simulation(app_of(shop, outside=Listener()), buyers, always=[nothing_is_sold_twice], **options)


def test_a_lost_verdict_shows_what_is_done_only_after_success() -> None:
    """A crash forgets the stale number, too; only a process that lives on without an answer goes on believing it."""
    assert shown(cached(planted=True, faults=STORES)) == {"no verdict after it was done"}
    assert shown(cached(planted=False, faults=STORES)) == set()


def answers(run: Run) -> list[int]:
    """Return what all clients were told, sorted; every program must have succeeded."""
    return sorted(exit.value for exits in run.exits.values() for exit in exits if isinstance(exit, Succeeded))


@pytest.mark.parametrize("title", ["no verdict", "no verdict after it was done"])
def test_a_client_without_a_verdict_asks_again_under_its_id_or_is_told_so(title: str) -> None:
    """As production tells everybody to; who gives up holds `CommitUnknown`, after the minute that a store waits."""
    faults = Faults(verdicts=True)
    asks_again = of(counting(faults=faults), title)
    assert (asks_again.failure, [type(exit) for exit in asks_again.exits["ann"]]) == (None, [Succeeded, Succeeded])
    gives_up = of(counting(faults=faults, on_crash="abandon"), title)
    assert (gives_up.failure, gives_up.exits["ann"][0]) == (None, Failed(CommitUnknown("ann-0")))


@frozen
class Counter:
    """A pure model of the counting world."""

    value: int = 0

    def apply(self, message: Any) -> tuple[Counter, Exit[Any, Any]]:
        """Count one more."""
        return Counter(self.value + 1), Succeeded(self.value + 1)


def test_a_message_that_is_asked_again_without_a_verdict_is_one_message() -> None:
    """Whoever saw it done before the second answer saw no miracle."""
    simulation = counting(faults=Faults(verdicts=True), linearizable=Linearizable(Counter()))
    assert shown(simulation) == set()


@frozen
class Bill:
    """Write a bill."""


def billing(*, planted: bool, **options: Any) -> Simulation:
    """A key of a message to the outside that counts attempts in memory, and one that is the command's own."""
    listener, desk = Listener(), office("desk")

    @desk.command(access="public")
    def bill(cmd: Bill) -> Doing[None]:
        rt = yield from desk.runtime
        attempts = 1 + ((yield from rt.memory.recall("attempts")) or 0)
        yield from rt.memory.keep("attempts", attempts)
        yield from rt.records.put("bill", "ann", 1)
        yield from rt.outside.tell("bill", key=str(attempts) if planted else "ann")

    def one_bill_is_sent(view: View) -> bool:
        return listener.told == ["bill"]

    clients = [Client("ann", [bill(Bill())])]
    return Simulation(
        app_of(desk, outside=listener), clients, parties=[listener], eventually=[one_bill_is_sent], **options
    )


def test_a_conflict_shows_what_may_not_run_twice_in_one_process() -> None:
    """A crash begins with another memory, a slow disk runs nothing twice: only a re-run meets its own traces."""
    faults = Faults(crashes=True, conflicts=True, slow=(SECOND,))
    assert shown(billing(planted=True, faults=faults)) == {"conflict"}
    assert shown(billing(planted=False, faults=faults)) == set()


def test_a_conflict_is_re_run_by_the_schedule_of_the_binding() -> None:
    """Before the first write, and at the commit: the command is answered as if nothing had happened."""
    simulation = counting(faults=Faults(conflicts=True))
    offered = [site.operation for site, titles in of(simulation, "conflict").asked if "conflict" in titles]
    assert {"Transaction.begin", "Transaction.commit"} <= set(offered)
    assert [answers(of(simulation, "conflict", nth=nth)) for nth in (1, 2)] == [[1, 2, 3, 4, 5, 6]] * 2


@frozen
class Set:
    """Let a sign say a number."""

    number: int


def signs(*, planted: bool, **options: Any) -> Simulation:
    """The newest number wins: by the clock on the wall, or by a count."""
    desk = office("desk")

    @desk.command(access="public")
    def write(cmd: Set) -> Doing[None]:
        rt = yield from desk.runtime
        last = yield from rt.records.get("stamp", "sign")
        now = yield from rt.clock.now()
        stamp = int(now.timestamp()) if planted else last + 1
        if stamp >= last:
            yield from rt.records.put("stamp", "sign", stamp)
            yield from rt.records.put("number", "sign", cmd.number)

    def the_sign_says_two(view: View) -> bool:
        return recorded(view, "desk", "number") == {"sign": 2}

    clients = [Client("ann", [write(Set(1)), write(Set(2))])]
    return Simulation(app_of(desk, outside=Listener()), clients, eventually=[the_sign_says_two], **options)


def test_a_clock_that_is_set_back_shows_what_takes_it_for_an_order() -> None:
    """What measures time passing goes on as before, so schedules and leases of this process do not notice."""
    faults = Faults(crashes=True, conflicts=True, slow=(SECOND,), pauses=(MINUTE,), clocks=(MINUTE, -MINUTE))
    assert shown(signs(planted=True, faults=faults)) == {"clock 60 s back"}
    assert shown(signs(planted=False, faults=faults)) == set()


def test_a_clock_stays_as_it_was_set_over_a_crash_and_is_right_once_faults_have_stopped() -> None:
    """It belongs to the machine. Healing sets it right, so that what is due comes due."""
    moments: list[datetime] = []
    desk = office("desk")

    @desk.command(access="public")
    def note(cmd: Set) -> Doing[None]:
        rt = yield from desk.runtime
        moments.append((yield from rt.clock.now()))

    clients = [Client("ann", [note(Set(1))]), Client("bob", [note(Set(2))], after=SECOND)]
    simulation = Simulation(
        app_of(desk, outside=Listener()), clients, faults=Faults(clocks=(MINUTE,), crashes=True), on_crash="retry"
    )
    run = simulation.run(Canonical())
    (early, *_) = [site for site, titles in run.asked if "clock 60 s ahead" in titles]
    (*_, late) = [site for site, titles in run.asked if "crash before" in titles and site.fiber == "ann"]
    moments.clear()
    assert simulation.run(Planned({early: 1, late: 1})).is_sound
    assert moments == [NOON + MINUTE, NOON + MINUTE + RESTART, NOON + MINUTE + SECOND]


@frozen
class Pay:
    """Pay once."""


@define(eq=False)
class Bank:
    """A bank outside, which may not answer in time."""

    paid: list[str] = field(factory=list)

    def reset(self) -> None:
        """Forget everything."""
        self.paid.clear()

    @operation(kind="external", idempotent=True)
    async def pay(self, key: str) -> None:
        """Pay, once under each key."""
        if key not in self.paid:
            self.paid.append(key)


@frozen
class Wallet:
    """What paying needs."""

    bank: Bank


def paying(*, planted: bool, **options: Any) -> Simulation:
    """A payment that is tried again after a time-out, under a new key or under the same."""
    bank, till = Bank(), Context("till", Wallet)

    @till.command(access="public")
    def pay(cmd: Pay) -> Do[None, Never, Wallet]:
        rt = yield from till.runtime
        for attempt in range(2):
            try:
                yield from rt.bank.pay(f"ann-{attempt}" if planted else "ann")
            except TimeoutError:
                continue
            return

    def one_payment_was_made(view: View) -> bool:
        return len(bank.paid) == 1

    def make(tx: Transaction[Any]) -> Wallet:
        return Wallet(bank)

    app = App("till", contexts=[till.bind(make, store=MemoryStore())], diagnostics=lambda _: None)
    clients = [Client("ann", [pay(Pay())])]
    return Simulation(app, clients, parties=[bank], eventually=[one_payment_was_made], **options)


TIMES_OUT = (Fails(Bank.pay, TimeoutError()), Fails(Bank.pay, TimeoutError(), applied=True))


def test_a_time_out_is_a_failure_once_done_and_once_not_done() -> None:
    """Only where the payment was made, and its answer lost, does a second key pay twice."""
    faults = Faults(crashes=True, fails=TIMES_OUT)
    assert shown(paying(planted=True, faults=faults)) == {"TimeoutError after it was done"}
    assert shown(paying(planted=False, faults=faults)) == set()


def hurrying(*, planted: bool, **options: Any) -> Simulation:
    """A payment that is tried again when no answer has come for ten seconds, under a new key or under the same."""
    bank, till = Bank(), Context("till", Wallet)

    @till.command(access="public")
    def pay(cmd: Pay) -> Do[None, TimedOut, Wallet]:
        rt = yield from till.runtime
        first = timeout(rt.bank.pay("ann"), timedelta(seconds=10))
        again = rt.bank.pay("ann again" if planted else "ann")
        yield from recover(first, lambda _: again)

    def one_payment_was_made(view: View) -> bool:
        return len(bank.paid) == 1

    app = App("till", contexts=[till.bind(lambda tx: Wallet(bank), store=MemoryStore())], diagnostics=lambda _: None)
    clients = [Client("ann", [pay(Pay())])]
    return Simulation(app, clients, parties=[bank], eventually=[one_payment_was_made], **options)


def test_a_late_answer_shows_who_takes_silence_for_a_no() -> None:
    """What only begins late is cut off before it is done; what is answered late is done, and nobody hears of it."""
    faults = Faults(crashes=True, slow=(SECOND, MINUTE), answers=(MINUTE,))
    assert shown(hurrying(planted=True, faults=faults)) == {"answer 60 s late"}
    assert shown(hurrying(planted=False, faults=faults)) == set()


def test_a_commit_is_durable_long_before_it_is_answered() -> None:
    """Others see it meanwhile; the client is told what is true, only late."""
    run = of(counting(faults=Faults(answers=(MINUTE,))), "answer 60 s late")
    ends = [step.at for step in run.trace.steps if step.what == "end" and step.fiber == "ann"]
    assert (run.failure, answers(run), ends[0]) == (None, [1, 2, 3, 4, 5, 6], 60.0)


def test_a_defect_that_was_put_there_fails_no_run_and_one_of_the_programs_own_does() -> None:
    """A program that dies has a bug, whatever else holds; its report says of what."""
    till = Context("till", Wallet)

    @till.command(access="public")
    def pay(cmd: Pay) -> Do[None, Never, Wallet]:
        rt = yield from till.runtime
        try:
            yield from rt.bank.pay("ann")
        except OSError as error:
            raise KeyError("ann") from error
        except LookupError:
            raise KeyError("bob")

    app = App("till", contexts=[till.bind(lambda tx: Wallet(Bank()), store=MemoryStore())], diagnostics=lambda _: None)
    fails = tuple(Fails(Bank.pay, error) for error in (OSError("no route"), ValueError("odd"), LookupError("none")))
    simulation = Simulation(app, [Client("ann", [pay(Pay())])], faults=Faults(fails=fails))
    failures = {title: of(simulation, title).failure for title in ("OSError", "ValueError", "LookupError")}
    assert failures == {"OSError": None, "ValueError": None, "LookupError": "died(KeyError)"}
