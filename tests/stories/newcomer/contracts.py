"""What the contexts share, and all they share."""

from attrs import frozen

from effect_runtime import Topic, integration_event


class LendingEvents(Topic, name="lending"):
    __slots__ = ()


@frozen
@integration_event("lending.book-borrowed", key="book")
class BookBorrowed(LendingEvents):
    book: str
    patron: str
