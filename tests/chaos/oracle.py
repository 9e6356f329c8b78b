"""The oracle: what the files and the ledger say when all is quiet, and what of it must not be.

Reads with plain SQL, as somebody would who does not trust the library. `judge` is pure.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from tests.chaos.ledger import Line, read_ledger


@frozen
class Committed:
    """A row that tells that something was committed at the near end of a hop."""

    payment: str
    account: str
    number: int


@frozen
class Effect:
    """A row that an event left at the far end of a hop, and how often it was applied."""

    payment: str
    account: str
    number: int
    count: int


@frozen(kw_only=True)
class Hop:
    """One hop: business rows, outbox rows as (key, sequence), handlers that ran, and effects in their order.

    What a context does later by itself is a hop, too: its `outbox` is None. `ordered`: order is promised for each key.
    """

    name: str
    committed: tuple[Committed, ...]
    outbox: tuple[tuple[str, int], ...] | None
    handled: frozenset[str]
    effects: tuple[Effect, ...]
    ordered: bool = True


@frozen(kw_only=True)
class Evidence:
    """Everything that is judged. `acknowledged`: payments with the number that a caller was told."""

    hops: tuple[Hop, ...]
    acknowledged: tuple[tuple[str, int], ...]
    refused: frozenset[str] = frozenset()
    stuck: tuple[str, ...] = ()
    trouble: tuple[str, ...] = ()


@frozen(kw_only=True)
class Verdict:
    """What is wrong: nothing, if every tuple is empty.

    `lost`: acknowledged or committed, and not arrived. `ghosts`: arrived or kept, and never committed, or refused.
    `effects`: not applied exactly once, though committed and arrived. `order`: applied before a lower number of its
    key. `stuck`: rows that nothing will move any more. `orphans`: business rows without outbox row, or the other way
    round. `answers`: callers that were told what is not so. `trouble`: processes that ended or answered as they
    must not.
    """

    lost: tuple[str, ...] = ()
    ghosts: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    trouble: tuple[str, ...] = ()


def judge(evidence: Evidence) -> Verdict:
    """Compare what was promised with what is there."""
    hops, taken = evidence.hops, {row.payment: row.number for row in evidence.hops[0].committed}
    unkept = {payment for payment, _ in evidence.acknowledged} - set(taken)
    told = [(payment, number) for payment, number in evidence.acknowledged if taken.get(payment, number) != number]
    return Verdict(
        lost=(*_named("acknowledged", unkept), *(each for hop in hops for each in _lost(hop))),
        ghosts=(*_named("refused", evidence.refused & set(taken)), *(each for hop in hops for each in _ghosts(hop))),
        effects=tuple(
            f"{hop.name} {each.payment} x{each.count}" for hop in hops for each in hop.effects if each.count != 1
        ),
        order=tuple(each for hop in hops if hop.ordered for each in inversions(hop)),
        stuck=evidence.stuck,
        orphans=tuple(each for hop in hops for each in _orphans(hop)),
        answers=tuple(f"{payment} was told {number}, is {taken[payment]}" for payment, number in told),
        trouble=evidence.trouble,
    )


def inversions(hop: Hop) -> Iterable[str]:
    """Yield every effect that came after one of a higher number of its key."""
    highest: dict[str, int] = {}
    for effect in hop.effects:
        before = highest.get(effect.account, 0)
        if effect.number <= before:
            yield f"{hop.name} {effect.account}: {effect.number} after {before}"
        highest[effect.account] = max(before, effect.number)


def _lost(hop: Hop) -> Iterable[str]:
    return _named(hop.name, {row.payment for row in hop.committed} - {effect.payment for effect in hop.effects})


def _ghosts(hop: Hop) -> Iterable[str]:
    arrived = {effect.payment for effect in hop.effects} | hop.handled
    return _named(hop.name, arrived - {row.payment for row in hop.committed})


def _orphans(hop: Hop) -> Iterable[str]:
    if hop.outbox is None:
        return ()
    business = Counter((row.account, row.number) for row in hop.committed)
    outbox = Counter(hop.outbox)
    return (
        *_named(f"{hop.name} without outbox row", map(str, (business - outbox).elements())),
        *_named(f"{hop.name} without business row", map(str, (outbox - business).elements())),
    )


def _named(what: str, ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{what} {id}" for id in sorted(ids))


_STUCK: Final = (
    ("lane", "SELECT destination || ' ' || coalesce(key, event) FROM er_lane WHERE latest > last"),
    ("waiting", "SELECT subscription || ' ' || event FROM er_waiting"),
    ("blocked", "SELECT subscription || ' ' || key FROM er_mark WHERE blocked"),
    ("agenda", "SELECT reaction || ' ' || id FROM er_agenda"),
    ("dead letter", "SELECT destination || ' ' || cause FROM er_dead WHERE state = 'dead'"),
)


def stuck_rows(folder: Path) -> tuple[str, ...]:
    """Return every row that waits for something, in every file."""
    found: list[str] = []
    for path in sorted(folder.glob("*.db")):
        with closing(_open(path)) as file:
            for what, statement in _STUCK:
                found += [f"{path.name} {what} {row[0]}" for row in file.execute(statement)]
    return tuple(found)


def progress(folder: Path) -> tuple[int, ...]:
    """Return how many rows there are of each kind: while it changes, something is going on."""
    counts: list[int] = []
    of_till = ("payment", "receipt", "thanks", "reminder", "er_inbox")
    for path, tables in ((_till(folder), of_till), (_book(folder), ("posting", "er_inbox"))):
        with closing(_open(path)) as file:
            counts += [file.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]
    return tuple(counts)


def arrived(folder: Path) -> frozenset[str]:
    """Return the payments that have come all the way: to their receipt, with thanks and a reminder."""
    ends = "SELECT payment FROM receipt INTERSECT SELECT payment FROM thanks INTERSECT SELECT payment FROM reminder"
    with closing(_open(_till(folder))) as till:
        return frozenset(payment for (payment,) in till.execute(ends))


def _till(folder: Path) -> Path:
    """Return the till's file: its own, or the one that both contexts share."""
    shared = folder / "shop.db"
    return shared if shared.exists() else folder / "till.db"


def _book(folder: Path) -> Path:
    shared = folder / "shop.db"
    return shared if shared.exists() else folder / "book.db"


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)


def gather(folder: Path, *, trouble: Sequence[str]) -> Evidence:
    """Read the files and the ledger. Nobody may be writing any more."""
    lines = tuple(read_ledger(folder))
    with closing(_open(_till(folder))) as till, closing(_open(_book(folder))) as book:
        paid, posted = "SELECT id, account, number FROM payment", "SELECT payment, account, number FROM posting"
        hops = (
            _hop("posting", till, paid, book, lines, topic="till"),
            _hop("receipt", book, posted, till, lines, topic="book"),
            _hop("thanks", till, paid, till, lines),
            evolve(_hop("reminder", till, paid, till, lines), ordered=False),
        )
    return Evidence(
        hops=hops,
        acknowledged=tuple((line["payment"], line["number"]) for line in lines if line["kind"] == "acknowledged"),
        refused=frozenset(line["payment"] for line in lines if line["kind"] == "refused"),
        stuck=stuck_rows(folder),
        trouble=tuple(trouble),
    )


def _hop(
    name: str,
    near: sqlite3.Connection,
    business: str,
    far: sqlite3.Connection,
    lines: Sequence[Line],
    *,
    topic: str | None = None,
) -> Hop:
    effects = far.execute(f"SELECT payment, account, number, count FROM {name} ORDER BY position")
    outbox = near.execute("SELECT key, sequence FROM er_outbox WHERE topic = ?", (topic,))
    return Hop(
        name=name,
        committed=tuple(Committed(*row) for row in near.execute(business)),
        outbox=None if topic is None else tuple((key, sequence) for key, sequence in outbox),
        handled=frozenset(line["payment"] for line in lines if line["kind"] == "handled" and line["hop"] == name),
        effects=tuple(Effect(*row) for row in effects),
    )
