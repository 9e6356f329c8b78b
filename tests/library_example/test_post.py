"""The post of lending over real sockets: what an SMTP server gets, and what its answers mean."""

from __future__ import annotations

from datetime import timedelta
from email.header import decode_header, make_header
from pathlib import Path

import anyio
import pytest
from attrs import evolve

from effect_runtime import Failed, Principal, Succeeded, run_exit
from effect_runtime.effect import Died
from library_example.app import library
from library_example.catalog.domain import Isbn
from library_example.catalog.handlers import AddBook, ChangeCopies, add_book, change_copies
from library_example.contracts import AuthorId
from library_example.lending.domain import Notice, Undeliverable
from library_example.lending.handlers import PlaceHold, RegisterPatron, place_hold, register_patron
from library_example.lending.post import SmtpServer
from tests.library_example.mail import MailServer, mail_server

pytestmark = pytest.mark.anyio

NOTICE = Notice("ann@example.org", "Überfällig", "Straße 7\n.\n.. please bring it back.")


def post(server: MailServer) -> SmtpServer:
    """Describe the server to the adapter."""
    return SmtpServer("127.0.0.1", server.port, patience=timedelta(seconds=5))


async def test_a_notice_arrives_as_it_was_written() -> None:
    """Addresses, subject and text, with signs of any script and lines of one dot."""
    async with mail_server() as server:
        assert await run_exit(post(server)("key").send(NOTICE)) == Succeeded(None)
    (letter,) = server.letters
    assert (letter["From"], letter["To"]) == ("library@example.org", "ann@example.org")
    assert str(make_header(decode_header(letter["Subject"]))) == "Überfällig"
    text = letter.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert text.decode().splitlines() == NOTICE.text.splitlines()


@pytest.mark.parametrize("to", ["ann,bob@example.org", "ann", "ann@example.org\nBcc: bob@example.org", ""])
async def test_what_is_no_address_is_a_failure(to: str) -> None:
    """Nothing is sent to anybody: not to the parts of it, either."""
    async with mail_server() as server:
        exit = await run_exit(post(server)("key").send(evolve(NOTICE, to=to)))
    assert isinstance(exit, Failed)
    assert exit.error.reason.startswith("it cannot be written as mail: ")
    assert server.letters == []


async def test_one_key_makes_one_message_id() -> None:
    """Sent again under its key a notice is the same message; under another key it is another one."""
    async with mail_server() as server:
        for key in ("lending.remind/1", "lending.remind/1", "lending.remind/2"):
            await run_exit(post(server)(key).send(NOTICE))
    first, again, other = (letter["Message-ID"] for letter in server.letters)
    assert first == again
    assert first != other
    assert first.endswith("@example.org>")


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
async def test_a_permanent_refusal_is_a_failure(verb: str) -> None:
    """Whatever the server refuses for good is told as such, with its words."""
    async with mail_server() as server:
        server.replies[verb] = "550 no such user"
        exit = await run_exit(post(server)("key").send(NOTICE))
    assert exit == Failed(Undeliverable("ann@example.org", "550 no such user"))
    assert server.letters == []


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
async def test_a_passing_refusal_is_trouble_to_be_tried_again(verb: str) -> None:
    """A reply of the 400s is an error that names the server, not a failure."""
    async with mail_server() as server:
        server.replies[verb] = "450 come back later"
        exit = await run_exit(post(server)("key").send(NOTICE))
    assert isinstance(exit, Died)
    assert isinstance(exit.exception, ConnectionError)
    assert str(exit.exception) == (
        f"The SMTP server 127.0.0.1:{server.port} has not taken the mail: 450 come back later. It will be tried again."
    )


async def test_what_a_server_says_to_a_goodbye_is_no_refusal() -> None:
    """The mail was taken before: one notice, one letter, no failure."""
    async with mail_server() as server:
        server.replies = {"QUIT": "554 stay"}
        assert await run_exit(post(server)("key").send(NOTICE)) == Succeeded(None)
    assert len(server.letters) == 1


async def test_a_server_that_is_not_there_is_trouble_to_be_tried_again() -> None:
    """Nobody listens on the port; the cause is kept."""
    async with mail_server() as server:
        pass
    exit = await run_exit(post(server)("key").send(NOTICE))
    assert isinstance(exit, Died)
    assert f"The SMTP server 127.0.0.1:{server.port} has not taken the mail" in str(exit.exception)
    assert isinstance(exit.exception.__cause__, OSError)


async def test_a_server_that_hangs_up_is_trouble_to_be_tried_again() -> None:
    """It closes the connection in the middle of the conversation."""
    async with mail_server() as server:
        server.replies["DATA"] = "421 we are closing"
        exit = await run_exit(post(server)("key").send(NOTICE))
    assert isinstance(exit, Died)
    assert "421 we are closing" in str(exit.exception)


async def test_a_server_that_says_nothing_is_not_waited_for_for_ever() -> None:
    """The connection stands, no greeting comes: the patience of the adapter ends it."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0) as listener:
        silent = SmtpServer(
            "127.0.0.1",
            listener.extra(anyio.abc.SocketAttribute.local_port),
            patience=timedelta(milliseconds=50),
        )
        exit = await run_exit(silent("key").send(NOTICE))
    assert isinstance(exit, Died)
    assert isinstance(exit.exception, ConnectionError)


async def test_the_library_sends_mail_with_no_transaction_open(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From a hold to a letter at the server; an external call inside a transaction would have been warned of."""
    async with mail_server() as server:
        app = library(tmp_path, post=post(server))
        async with app.running():
            staff = Principal("desk", roles=frozenset({"staff"}))
            added = AddBook(title="Dune", isbn=Isbn("9780441172719"), author=AuthorId("frank-herbert"), copies=0)
            book = await app.run(add_book(added), principal=staff)
            await app.settled()
            ann = await app.run(register_patron(RegisterPatron("Ann", "ann@example.org")))
            await app.run(place_hold(PlaceHold(ann, book)))
            await app.run(change_copies(ChangeCopies(book, 1)), principal=staff)
            await app.settled()
    assert [(letter["To"], letter["Subject"]) for letter in server.letters] == [
        ("ann@example.org", "The book you waited for")
    ]
    assert caplog.messages == []
