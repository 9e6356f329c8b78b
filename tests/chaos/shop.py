"""The system under test: a till that takes payments, and a book that posts them and tells the till so.

Two contexts on two files or one, two hops: payment -> posting -> receipt. Beside them, two things that the till does
later by itself: it thanks for each payment after the commit, and reminds of it when that is due. Each row at the end
counts how often it was applied, and each handler says in the ledger outside that it ran.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NewType, Protocol, TypeAlias

from attrs import frozen

from effect_runtime import (
    A,
    Context,
    Do,
    DomainEvent,
    E,
    Eff,
    Outbox,
    Refused,
    Topic,
    emit,
    guard,
    integration_event,
    publish,
)
from effect_runtime.dispatch import Due, EventQueue, send_later, stored
from effect_runtime.events import Events
from tests.chaos.cures import Sickness

PaymentId = NewType("PaymentId", str)
Account = NewType("Account", str)


class TillEvents(Topic, name="till"):
    """What the till tells."""

    __slots__ = ()


class BookEvents(Topic, name="book"):
    """What the book tells."""

    __slots__ = ()


@frozen
@integration_event("till.payment-taken", key="account")
class PaymentTaken(TillEvents):
    """The `number`th payment of an account was taken."""

    account: Account
    payment: PaymentId
    number: int
    sickness: Sickness = Sickness.NONE


@frozen
@integration_event("book.payment-posted", key="account")
class PaymentPosted(BookEvents):
    """The `number`th payment of an account was posted."""

    account: Account
    payment: PaymentId
    number: int


@frozen
@stored("till.payment-taken-occurred")
class PaymentTakenOccurred(DomainEvent):
    """The `number`th payment of an account was taken."""

    account: Account
    payment: PaymentId
    number: int


@frozen
@stored("till.remind")
class Remind:
    """Remind of the `number`th payment of an account: sent when it is taken, due a little later."""

    account: Account
    payment: PaymentId
    number: int


Told: TypeAlias = PaymentTaken | PaymentPosted | PaymentTakenOccurred | Remind


class Payments(Protocol):
    """The payments of the till."""

    def add(self, payment: PaymentId, account: Account) -> Eff[int]:
        """Add a payment and return its number within the account."""
        ...


class Applied(Protocol):
    """What was applied at the far end of a hop, with how often."""

    def add(self, told: Told) -> Eff[None]:
        """Apply an event: a second time would be counted."""
        ...


class Diary(Protocol):
    """The ledger outside the system, as handlers see it."""

    def note(self, hop: str, told: Told) -> Eff[None]:
        """Say that a handler is running."""
        ...

    def is_cured(self, payment: PaymentId) -> Eff[bool]:
        """Tell whether a sick payment has been cured."""
        ...


@frozen
class TillRuntime:
    """What the till may use."""

    payments: Payments
    receipts: Applied
    thanks: Applied
    reminders: Applied
    diary: Diary
    outbox: Outbox[TillEvents]
    events: Events
    due: Due


@frozen
class BookRuntime:
    """What the book may use."""

    postings: Applied
    diary: Diary
    outbox: Outbox[BookEvents]


till = Context("till", TillRuntime, publishes=[TillEvents])
book = Context("book", BookRuntime, publishes=[BookEvents])
counter = EventQueue("counter")
SOON: Final = timedelta(milliseconds=150)
"""How long after a payment its reminder is due."""
Till: TypeAlias = Do[A, E, TillRuntime]
Book: TypeAlias = Do[A, E, BookRuntime]


@frozen
class TakePayment:
    """Take a payment; a `refused` one fails when all has been written and published, and must leave nothing.

    A sick one is taken as any other; what follows is a dead letter until it is cured.
    """

    payment: PaymentId
    account: Account
    refused: bool = False
    sickness: Sickness = Sickness.NONE


@frozen
class PaymentRefused:
    """The payment was not taken."""

    payment: PaymentId


@till.command(access="public")
def take_payment(command: TakePayment) -> Till[int, PaymentRefused]:
    """Write the payment, tell of it, and leave for later what follows."""
    rt = yield from till.runtime
    number = yield from rt.payments.add(command.payment, command.account)
    yield from publish(PaymentTaken(command.account, command.payment, number, command.sickness))
    yield from emit(PaymentTakenOccurred(command.account, command.payment, number))
    yield from send_later(Remind(command.account, command.payment, number), due=SOON)
    yield from guard(not command.refused, PaymentRefused(command.payment))
    return number


@till.after_commit(PaymentTakenOccurred, queue=counter, key="account")
def thank(event: PaymentTakenOccurred) -> Till[None]:
    """Thank for the payments of an account, in their order."""
    rt = yield from till.runtime
    yield from rt.diary.note("thanks", event)
    yield from rt.thanks.add(event)


@till.command(access="internal")
def remind(command: Remind) -> Till[None]:
    """Remind of a payment."""
    rt = yield from till.runtime
    yield from rt.diary.note("reminder", command)
    yield from rt.reminders.add(command)


@frozen
class PostPayment:
    """Post a payment that the till has taken."""

    taken: PaymentTaken


@frozen
class PaymentSick:
    """The payment cannot be posted before it is cured."""

    payment: PaymentId


@book.command(access="internal")
def post_payment(command: PostPayment) -> Book[None, PaymentSick]:
    """Post it and tell of it, in the transaction of the inbox row."""
    rt = yield from book.runtime
    taken = command.taken
    yield from rt.diary.note("posting", taken)
    yield from rt.postings.add(taken)
    if taken.sickness is Sickness.BOOK:
        yield from guard((yield from rt.diary.is_cured(taken.payment)), PaymentSick(taken.payment))
    yield from publish(PaymentPosted(taken.account, taken.payment, taken.number))


@frozen
class KeepReceipt:
    """Keep that a payment was posted."""

    posted: PaymentPosted


@till.command(access="internal")
def keep_receipt(command: KeepReceipt) -> Till[None]:
    """Keep it, in the transaction of the inbox row."""
    rt = yield from till.runtime
    yield from rt.diary.note("receipt", command.posted)
    yield from rt.receipts.add(command.posted)


# One subscription begins with the first event there ever was, the other with the first it sees: the same, here.
payments = book.subscribe(TillEvents, id="book.payments", start="earliest")
receipts = till.subscribe(BookEvents, id="till.receipts", start="now")


@payments.on(PaymentTaken, dead_letter=(PaymentSick,))
def on_payment_taken(event: PaymentTaken) -> Book[None, PaymentSick | Refused]:
    """Go through the book's own dispatch."""
    yield from post_payment(PostPayment(event))


@receipts.on(PaymentPosted)
def on_payment_posted(event: PaymentPosted) -> Till[None, Refused]:
    """Go through the till's own dispatch."""
    yield from keep_receipt(KeepReceipt(event))
