"""The reading club: how often the books that it reads were borrowed."""

from attrs import frozen
from returns.result import Failure, Result, Success

from effect_runtime import Context, Do, Refused, Transaction, operation
from effect_runtime.outbox.sqlite import Migration, SqliteSession
from tests.stories.newcomer.contracts import BookBorrowed, LendingEvents


@frozen
class NotOnTheList:
    book: str


@frozen
class Readings:
    session: SqliteSession

    @operation(kind="transactional")
    async def count_up(self, book: str) -> Result[None, NotOnTheList]:
        changed = await self.session.execute("UPDATE reading SET readers = readers + 1 WHERE book = ?", (book,))
        return Success(None) if changed else Failure(NotOnTheList(book))


@frozen
class ClubRuntime:
    readings: Readings


club = Context("reading_club", ClubRuntime, modules=["reading_club"])


@frozen
class CountReader:
    book: str


@club.command(access="internal")
def count_reader(command: CountReader) -> Do[None, NotOnTheList, ClubRuntime]:
    rt = yield from club.runtime
    yield from rt.readings.count_up(command.book)


lending_events = club.subscribe(LendingEvents, id="reading_club.lending-events", start="earliest")


@lending_events.on(BookBorrowed, dead_letter=(NotOnTheList,))
def on_book_borrowed(event: BookBorrowed) -> Do[None, NotOnTheList | Refused, ClubRuntime]:
    yield from count_reader(CountReader(event.book))


TABLE = "CREATE TABLE reading (book TEXT PRIMARY KEY, readers INTEGER NOT NULL) STRICT"
MIGRATIONS = (Migration(1, "readings", (TABLE, "INSERT INTO reading VALUES ('dune', 0), ('emma', 0)")),)


def make_club(tx: Transaction[SqliteSession]) -> ClubRuntime:
    return ClubRuntime(Readings(tx.session))
