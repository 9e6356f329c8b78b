"""A bank in two contexts, with a model, and with bugs to find."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Literal, NewType, TypeAlias

from attrs import define, field, frozen
from attrs.validators import ge, le

from effect_runtime import (
    A,
    App,
    Context,
    Do,
    E,
    Failed,
    Outbox,
    ReadTransaction,
    Succeeded,
    Topic,
    Transaction,
    fail,
    guard,
    integration_event,
    operation,
    publish,
)
from effect_runtime.dispatch import Query
from effect_runtime.outbox.memory import MemorySession, MemoryStore
from effect_runtime.runtime import Ids
from effect_runtime.testing.properties import Drawn, Read
from effect_runtime.transports import InProcess

Bug: TypeAlias = Literal["money from nothing", "a zero that is not counted"]

AccountId = NewType("AccountId", str)


class BankEvents(Topic, name="bank"):
    """What the bank tells."""

    __slots__ = ()


@frozen
@integration_event("bank.balance-changed", key="account")
class BalanceChanged(BankEvents):
    """An account holds so much now."""

    account: AccountId
    balance: int


@frozen
class MemoryRows:
    """Numbers by account, in a table of a session."""

    rows: MutableMapping[str, int]

    @operation(kind="transactional")
    async def get(self, id: AccountId) -> int | None:
        """Yield a number, or None."""
        return self.rows.get(id)

    @operation(kind="transactional")
    async def put(self, id: AccountId, number: int) -> None:
        """Keep a number."""
        self.rows[id] = number


@frozen
class BankRuntime:
    """What the bank runs with."""

    accounts: MemoryRows
    ids: Ids
    outbox: Outbox[BankEvents]


@frozen
class Tallies:
    """What the other context runs with."""

    tallies: MemoryRows


@frozen
class Unknown:
    """There is no such account."""

    account: AccountId


@frozen
class TooLittle:
    """There is not so much in it."""

    balance: int


@frozen
class OpenAccount:
    """Open an account with some money."""

    first: int = field(validator=[ge(0), le(5)])


@frozen
class Move:
    """Move money from one account to another."""

    source: AccountId
    target: AccountId
    amount: int = field(validator=[ge(1), le(5)])


@frozen
class GetTally:
    """Ask what the other context believes of an account."""

    account: AccountId


Banking: TypeAlias = Do[A, E, BankRuntime]
Tallying: TypeAlias = Do[A, E, Tallies]


@frozen(eq=False)
class Bank:
    """An application and what tests ask of it."""

    app: App
    bank: Context[BankRuntime, object]
    get_tally: Query[GetTally, int, Any, Tallies]

    def tallies_agree(self, model: BankModel, read: Read) -> bool:
        """The other context has heard of every balance."""
        return all(read(self.get_tally(GetTally(id))) == balance for id, balance in model.rows.items())


def bank_with(bug: Bug | None) -> Bank:
    """Return the bank, sound or with one bug."""
    bank = Context("bank", BankRuntime, publishes=[BankEvents])
    audit = Context("audit", Tallies, reads=Tallies)

    @bank.command(access="public")
    def open_account(command: OpenAccount) -> Banking[AccountId]:
        rt = yield from bank.runtime
        id = AccountId(str((yield from rt.ids.uuid())))
        yield from rt.accounts.put(id, command.first)
        yield from publish(BalanceChanged(id, command.first))
        return id

    @bank.command(access="public")
    def move(command: Move) -> Banking[None, Unknown | TooLittle]:
        rt = yield from bank.runtime
        source = yield from rt.accounts.get(command.source)
        target = yield from rt.accounts.get(command.target)
        if source is None or target is None:
            yield from fail(Unknown(command.source if source is None else command.target))
            return
        yield from guard(source >= command.amount, TooLittle(source))
        if command.source == command.target and bug != "money from nothing":
            return
        yield from rt.accounts.put(command.source, source - command.amount)
        yield from rt.accounts.put(command.target, target + command.amount)
        yield from publish(BalanceChanged(command.source, source - command.amount))
        yield from publish(BalanceChanged(command.target, target + command.amount))

    heard = audit.subscribe(BankEvents, id="audit.balances", start="earliest")

    @heard.on(BalanceChanged)
    def note(event: BalanceChanged) -> Tallying[None]:
        rt = yield from audit.runtime
        if event.balance or bug != "a zero that is not counted":
            yield from rt.tallies.put(event.account, event.balance)

    @audit.query(access="public")
    def get_tally(query: GetTally) -> Tallying[int]:
        rt = yield from audit.reads
        return (yield from rt.tallies.get(query.account)) or 0

    def make_tallies(tx: Transaction[MemorySession]) -> Tallies:
        return Tallies(MemoryRows(tx.session.table("tallies")))

    def make_reads(tx: ReadTransaction[Any]) -> Tallies:
        return Tallies(MemoryRows(tx.session.table("tallies")))

    contexts = [
        bank.bind(make_bank, store=MemoryStore("bank")),
        audit.bind(make_tallies, make_reads, store=MemoryStore("audit")),
    ]
    return Bank(App("bank", wire=InProcess(), contexts=contexts), bank, get_tally)


def make_bank(tx: Transaction[MemorySession]) -> BankRuntime:
    """Build the bank's runtime."""
    return BankRuntime(MemoryRows(tx.session.table("accounts")), tx.ids, tx.outbox)


@define
class BankModel:
    """The bank's rules over one dictionary."""

    rows: dict[AccountId, int] = field(factory=dict)

    def apply(self, message: Any, drawn: Drawn) -> Succeeded[Any] | Failed[Any]:
        """Handle one command."""
        match message:
            case OpenAccount(first):
                id = AccountId(str(drawn.uuid()))
                self.rows[id] = first
                return Succeeded(id)
            case Move(source, target, amount):
                for id in (source, target):
                    if id not in self.rows:
                        return Failed(Unknown(id))
                if self.rows[source] < amount:
                    return Failed(TooLittle(self.rows[source]))
                self.rows[source] -= amount
                self.rows[target] += amount
                return Succeeded(None)
        raise TypeError(message)
