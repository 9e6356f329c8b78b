"""An SMTP server on the loopback: as much of RFC 5321 as a test needs, over real sockets. It keeps what it was told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import Message

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream
from attrs import define, field

LINE = 1000
LETTER = 100_000


@define
class MailServer:
    """Take mail, or answer chosen commands with chosen replies: `replies={"RCPT": "550 no such user"}`."""

    port: int
    replies: dict[str, str] = field(factory=dict)
    letters: list[Message] = field(factory=list)

    async def serve(self, stream: SocketStream) -> None:
        """Speak with one client until it has enough."""
        async with stream:
            lines = BufferedByteReceiveStream(stream)
            await stream.send(b"220 loopback\r\n")
            while True:
                line = (await lines.receive_until(b"\r\n", LINE)).decode()
                verb = line.partition(" ")[0].upper()
                reply = self.replies.get(verb, {"QUIT": "221 bye", "DATA": "354 go on"}.get(verb, "250 OK"))
                await stream.send(f"{reply}\r\n".encode())
                if verb == "QUIT" or reply.startswith("421"):
                    return
                if reply.startswith("354"):
                    body = await lines.receive_until(b"\r\n.\r\n", LETTER)
                    self.letters.append(message_from_bytes(body.replace(b"\r\n..", b"\r\n.")))
                    await stream.send(b"250 taken\r\n")


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    """Run a server on a free port."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0) as listener:
        server = MailServer(listener.extra(anyio.abc.SocketAttribute.local_port))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, server.serve)
            yield server
            tasks.cancel_scope.cancel()
