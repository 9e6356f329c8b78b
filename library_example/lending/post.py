"""Lending's notifications: by mail through an SMTP server, or not at all. The fake for tests stands in `memory`.

The idempotency key becomes the Message-ID, by which mail servers and programs tell a repeated message from a new one.
"""

from __future__ import annotations

from contextlib import closing, suppress
from datetime import timedelta
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from hashlib import sha256
from smtplib import SMTP, SMTPException, SMTPRecipientsRefused, SMTPResponseException

from anyio import to_thread
from attrs import frozen
from returns.result import Failure, Result, Success

from effect_runtime import operation
from library_example.lending.domain import Notice, Undeliverable

PERMANENT = range(500, 600)
"""The replies of a server by which it says that trying again will not help."""


@frozen
class SmtpServer:
    """Where mail is handed over, and in whose name. `patience` bounds each step of the conversation."""

    host: str
    port: int = 25
    sender: str = "library@example.org"
    patience: timedelta = timedelta(seconds=10)

    def __call__(self, key: str) -> SmtpNotifications:
        """Return the notifications of one message."""
        return SmtpNotifications(self, key)

    def hand_over(self, message: EmailMessage) -> None:
        """Speak with the server until it has taken the message."""
        with closing(SMTP(self.host, self.port, timeout=self.patience.total_seconds())) as server:
            try:
                server.send_message(message)
            finally:
                # What a server says to a goodbye must not look like its answer to the mail.
                with suppress(SMTPException, OSError):
                    server.quit()


@frozen
class SmtpNotifications:
    """Notices as mail. A server that cannot be reached, or will not have it now, is an error to be tried again."""

    server: SmtpServer
    key: str

    @operation(kind="external", idempotent=True)
    async def send(self, notice: Notice) -> Result[None, Undeliverable]:
        """Hand a notice over to the server, on a thread: `smtplib` blocks."""
        try:
            letter = self.letter(notice)
        except (ValueError, LookupError, MessageError) as error:  # `email` refuses bad addresses in all these ways
            return Failure(Undeliverable(notice.to, f"it cannot be written as mail: {error}"))
        try:
            # Not abandoned when cancelled: whether the mail went out must be known. `patience` bounds the wait.
            await to_thread.run_sync(self.server.hand_over, letter)
        except SMTPRecipientsRefused as refused:
            ((code, reason),) = refused.recipients.values()
            return self._refused(notice, code, reason, refused)
        except SMTPResponseException as refused:
            return self._refused(notice, refused.smtp_code, refused.smtp_error, refused)
        except (SMTPException, OSError) as error:
            raise self._trouble(str(error) or type(error).__name__) from error
        return Success(None)

    def letter(self, notice: Notice) -> EmailMessage:
        """Write a notice as mail; the same key makes the same Message-ID."""
        letter = EmailMessage()
        # The headers of `EmailMessage` refuse line breaks, so no notice can smuggle in a header of its own.
        letter["From"], letter["Subject"] = self.server.sender, notice.subject
        letter["To"] = Address(addr_spec=notice.to)  # one address: a comma in it must not make two
        digest = sha256(self.key.encode()).hexdigest()
        letter["Message-ID"] = f"<{digest}@{self.server.sender.partition('@')[2]}>"
        letter.set_content(notice.text)
        return letter

    def _refused(
        self, notice: Notice, code: int, reason: bytes | str, refused: SMTPException
    ) -> Result[None, Undeliverable]:
        said = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        if code in PERMANENT:
            return Failure(Undeliverable(notice.to, f"{code} {said}"))
        raise self._trouble(f"{code} {said}") from refused

    def _trouble(self, reason: str) -> ConnectionError:
        where = f"{self.server.host}:{self.server.port}"
        return ConnectionError(f"The SMTP server {where} has not taken the mail: {reason}. It will be tried again.")


@frozen
class Silence:
    """Notices that nobody carries: a library without a mail server."""

    @operation(kind="local", idempotent=True)
    async def send(self, notice: Notice) -> None:
        """Do nothing."""


def silent(key: str) -> Silence:
    """Return notifications that reach nobody."""
    return Silence()
