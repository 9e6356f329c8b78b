"""The example library in four worlds, with its rules as claims about what the two stores have committed.

The rules of the library are those of its own page; nothing here knows how a handler keeps them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias

from attrs import define, evolve, field

from effect_runtime import Do, Eff, Principal, do
from effect_runtime.testing import Canonical, Client, Faults, Simulation, View
from library_example.app import library
from library_example.catalog.domain import Isbn
from library_example.catalog.handlers import AddBook, ChangeCopies, add_book, change_copies
from library_example.contracts import AuthorId, BookId, LoanId, PatronId
from library_example.lending.domain import Notice
from library_example.lending.handlers import (
    BorrowBook,
    GetPatronLoans,
    PlaceHold,
    RegisterPatron,
    ReturnBook,
    borrow_book,
    get_patron_loans,
    place_hold,
    register_patron,
    return_book,
)
from library_example.lending.memory import MemoryNotifications

STAFF: Final = Principal("clerk", roles=frozenset({"staff"}))
Claim: TypeAlias = Callable[[View], bool]
NAMES: Final = ("ann", "bob", "cid")
DUNE: Final = AddBook("Dune", Isbn("9780441172719"), AuthorId("herbert"))

EVERYTHING: Final = Faults(
    crashes=True,
    cancels=True,
    power=True,
    storms=True,
    commits=True,
    verdicts=True,
    conflicts=True,
    messages=True,
    slow=(timedelta(seconds=1), timedelta(minutes=1)),
    answers=(timedelta(minutes=1),),
    pauses=(timedelta(minutes=1),),
    clocks=(timedelta(minutes=1), -timedelta(minutes=1)),
)


@define(eq=False)
class Mailbox:
    """A post office outside: it keeps each notice under its key, and forgets them before each run."""

    notices: dict[str, Notice] = field(factory=dict)

    def __call__(self, key: str) -> MemoryNotifications:
        """Return the notifications of one message."""
        return MemoryNotifications(self.notices, key)

    def reset(self) -> None:
        """Forget everything."""
        self.notices.clear()

    def count(self, subject: str) -> int:
        """Return how many different notices have this subject."""
        return sum(notice.subject == subject for notice in self.notices.values())


def _rows(view: View, statement: str) -> list[tuple[Any, ...]]:
    return view.query("lending", statement)


def one_loan_per_copy(view: View) -> bool:
    """A copy is out once."""
    return not _rows(view, "SELECT 1 FROM loan WHERE returned_at IS NULL GROUP BY book_id, copy HAVING count(*) > 1")


def active_loans_are_open_loans(view: View) -> bool:
    """A patron's count is right after each commit: it is kept in the same transaction."""
    counts = "SELECT count(*) FROM loan WHERE patron_id = patron.id AND returned_at IS NULL"
    return not _rows(view, f"SELECT 1 FROM patron WHERE active_loans <> ({counts}) OR active_loans > 5")


def no_copy_stands_while_somebody_waits(view: View) -> bool:
    """A return, and a new copy, serve the line before anybody else can ask."""
    out = "SELECT count(*) FROM loan WHERE loan.book_id = shelf.book_id AND returned_at IS NULL"
    return not _rows(view, f"SELECT 1 FROM shelf JOIN hold USING (book_id) WHERE copies > ({out})")


def holds_are_served_in_order(view: View) -> bool:
    """Who waited longer got the copy before: told by the numbers of the events that said so."""
    told = _rows(view, "SELECT key, type, data FROM er_outbox ORDER BY key, sequence")
    lines: dict[str, list[str]] = {}
    for book, type_, data in told:
        line = lines.setdefault(book, [])
        patron = json.loads(data)["patron_id"]
        if type_ == "lending.hold-placed":
            line.append(patron)
        elif type_ == "lending.book-borrowed" and line:
            if line[0] != patron:
                return False
            line.pop(0)
    return True


def nothing_is_dead(view: View) -> bool:
    """No fault of this world is one that a message could be given up for."""
    return not any(view.query(context, "SELECT 1 FROM er_dead") for context in ("catalog", "lending"))


def copies_on_loan_are_open_loans(view: View) -> bool:
    """Once all is quiet both contexts agree."""
    out = dict(_rows(view, "SELECT book_id, count(*) FROM loan WHERE returned_at IS NULL GROUP BY book_id"))
    return all(on_loan == out.get(id, 0) for id, on_loan in view.query("catalog", "SELECT id, on_loan FROM book"))


def shelves_are_what_the_catalog_says(view: View) -> bool:
    """Once all is quiet lending knows how many copies there are."""
    return dict(_rows(view, "SELECT book_id, copies FROM shelf")) == dict(
        view.query("catalog", "SELECT id, total FROM book")
    )


def every_event_is_applied_once(view: View) -> bool:
    """Each event that the other context handles has its mark in the inbox there, and none waits."""
    return all(
        view.query(sender, "SELECT event FROM er_outbox WHERE type <> 'lending.hold-placed' ORDER BY event")
        == view.query(receiver, "SELECT event FROM er_inbox WHERE outcome = 'applied' ORDER BY event")
        and not view.query(receiver, "SELECT 1 FROM er_waiting")
        for sender, receiver in (("catalog", "lending"), ("lending", "catalog"))
    )


def nothing_is_left_to_send(view: View) -> bool:
    """Every lane has reached its last event."""
    return not any(view.query(each, "SELECT 1 FROM er_lane WHERE latest > last") for each in ("catalog", "lending"))


def somebody_waits(view: View) -> bool:
    """The line is not empty at some moment."""
    return bool(_rows(view, "SELECT 1 FROM hold"))


def a_hold_is_served(view: View) -> bool:
    """Somebody who waited got a copy."""
    told = [type_ for (type_,) in _rows(view, "SELECT type FROM er_outbox ORDER BY position")]
    return "lending.hold-placed" in told and "lending.book-borrowed" in told[told.index("lending.hold-placed") :]


ALWAYS: Final = (
    one_loan_per_copy,
    active_loans_are_open_loans,
    holds_are_served_in_order,
    nothing_is_dead,
)
EVENTUALLY: Final = (
    copies_on_loan_are_open_loans,
    shelves_are_what_the_catalog_says,
    every_event_is_applied_once,
    nothing_is_left_to_send,
)


@do
def bring_back(patron: PatronId) -> Do[None, Any, Any]:
    """Return whatever a patron has, as somebody does who begins again after a crash."""
    mine = yield from get_patron_loans(GetPatronLoans(patron))
    for loan in mine.loans:
        if loan.is_open:
            yield from return_book(ReturnBook(LoanId(loan.id)))


def opening(*names: str, copies: int) -> list[Eff[Any, Any, Any] | Client]:
    """Register patrons, and add a book."""
    founder = Client("founder", [add_book(evolve(DUNE, copies=copies))], principal=STAFF)
    return [founder, *(register_patron(RegisterPatron(name, f"{name}@example.org")) for name in names)]


def notices_of(box: Mailbox) -> Claim:
    """Return the claim that each hold that was served, and each loan that is overdue, was told once."""

    def each_notice_is_sent_once(view: View) -> bool:
        """Whom a copy was kept for, and who forgot one, has been told: once under each key."""
        told = _rows(view, "SELECT type FROM er_outbox")
        placed = sum(type_ == "lending.hold-placed" for (type_,) in told)
        ((left, late),) = _rows(view, "SELECT (SELECT count(*) FROM hold), (SELECT count(*) FROM loan WHERE overdue)")
        expected: tuple[int, int] = (placed - left, late)
        return (box.count("The book you waited for"), box.count("A book is overdue")) == expected

    return each_notice_is_sent_once


@define
class Opened:
    """A library after its opening day: who is registered, and its one book."""

    simulation: Simulation
    patrons: dict[str, PatronId]
    book: BookId

    def visited(self, *clients: Client) -> Simulation:
        """Return the world with these clients."""
        return self.simulation.among(clients)

    def borrow(self, name: str, days: int = 14) -> Eff[Any, Any, Any]:
        """Return the command."""
        return borrow_book(BorrowBook(self.patrons[name], self.book, days))

    def wait(self, name: str) -> Eff[Any, Any, Any]:
        """Return the command."""
        return place_hold(PlaceHold(self.patrons[name], self.book))

    def bring_back(self, name: str) -> Eff[Any, Any, Any]:
        """Return the program."""
        return bring_back(self.patrons[name])

    def stock(self, copies: int) -> Eff[Any, Any, Any]:
        """Return the command."""
        return change_copies(ChangeCopies(self.book, copies))


def opened(*names: str, copies: int = 1, always: Sequence[Claim] = (), **options: Any) -> Opened:
    """Open a library, each context as a process of its own unless `options` say otherwise."""
    box = Mailbox()
    found: dict[str, Any] = {}

    def look(view: View) -> bool:
        found["patrons"] = {name: PatronId(id) for id, name in _rows(view, "SELECT id, name FROM patron")}
        ((found["book"],),) = view.query("catalog", "SELECT id FROM book")
        return True

    given = opening(*names, copies=copies)
    options.setdefault("faults", EVERYTHING)
    processes = options.get("processes")
    Simulation(library(Path("library")), [], given=given, at_end=[look], processes=processes).run(Canonical())
    simulation = Simulation(
        library(Path("library"), post=box),
        [],
        given=given,
        parties=[box],
        always=(*ALWAYS, *always),
        eventually=(*EVENTUALLY, notices_of(box)),
        **options,
    )
    return Opened(simulation, found["patrons"], BookId(found["book"]))


def last_copy(**options: Any) -> Simulation:
    """Three patrons and one copy: one has it and brings it back, two wait for it."""
    place = opened(
        *NAMES, always=[no_copy_stands_while_somebody_waits], sometimes=[somebody_waits, a_hold_is_served], **options
    )
    return place.visited(
        Client("ann", [place.borrow("ann"), place.bring_back("ann")]),
        Client("bob", [place.borrow("bob"), place.wait("bob")]),
        Client("cid", [place.wait("cid"), place.bring_back("cid")]),
    )


def changing_stock(**options: Any) -> Simulation:
    """A clerk gives copies away and buys new ones while patrons borrow and wait."""
    place = opened("ann", "bob", copies=2, **options)
    return place.visited(
        Client("clerk", [place.stock(0), place.stock(2)], principal=STAFF),
        Client("ann", [place.borrow("ann"), place.bring_back("ann")]),
        Client("bob", [place.wait("bob")]),
    )


def overdue(**options: Any) -> Simulation:
    """Both contexts in one process, on its own wire: a day passes, and who forgot to bring a book back is told."""
    place = opened(
        "ann",
        "bob",
        copies=2,
        processes={"library": ["catalog", "lending"]},
        horizon=timedelta(days=1, hours=1),
        faults=evolve(EVERYTHING, messages=False, power=False),  # one process, and its wire doubles nothing
        sometimes=[a_loan_is_overdue],
        **options,
    )
    late = timedelta(days=1)
    return place.visited(
        Client("ann", [place.borrow("ann", days=1)]),
        Client("bob", [place.borrow("bob", days=1)]),
        Client("bob-later", [place.bring_back("bob")], after=late),
    )


def a_loan_is_overdue(view: View) -> bool:
    """Somebody forgot."""
    return bool(_rows(view, "SELECT 1 FROM loan WHERE overdue"))


def two_desks(**options: Any) -> Simulation:
    """Two processes of lending on one store: two relays, two workers, one truth."""
    place = opened(
        "ann",
        "bob",
        processes={"desk-1": ["lending"], "desk-2": ["lending"], "catalog": ["catalog"]},
        **options,
    )
    return place.visited(
        Client("ann", [place.borrow("ann"), place.bring_back("ann")]),
        Client("bob", [place.wait("bob")]),
    )
