"""Where workers come from: one process that has imported everything, and forks.

`python -m tests.chaos.nursery SOCKET`. Whoever connects sends the settings of a worker as one line of JSON; the worker
has the connection as its input and output. Births and deaths are told on the nursery's own output. It ends, and all
that it has borne with it, when its input ends.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import anyio
from anyio.lowlevel import checkpoint

from tests.chaos.worker import Settings, serve


class Nursery:
    """The children that live. A child leaves this module's frames never: it ends in `_live`."""

    def __init__(self, path: str) -> None:
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(path)
        self._door.listen(64)
        self._children: dict[int, str] = {}

    def run(self) -> None:
        """Bear whoever is asked for until the input ends."""
        wake, woken = socket.socketpair()
        woken.setblocking(False)
        wake.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        with selectors.DefaultSelector() as ears:
            for ear in (self._door, wake, sys.stdin):
                ears.register(ear, selectors.EVENT_READ)
            _say(open=True)
            while True:
                heard = [key.fileobj for key, _ in ears.select()]
                if wake in heard:
                    wake.recv(4096)
                self._bury()
                if sys.stdin in heard:
                    break
                if self._door in heard:
                    self._bear(ears)
        for child in self._children:
            os.kill(child, signal.SIGKILL)

    def _bear(self, ears: selectors.BaseSelector) -> None:
        line, _ = self._door.accept()
        with line:
            settings = Settings(**json.loads(_line_of(line)))
            child = os.fork()
            if child == 0:
                ears.close()
                self._door.close()
                _live(settings, line)
        self._children[child] = settings.name
        _say(born=settings.name, pid=child)

    def _bury(self) -> None:
        for child in list(self._children):
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                _say(dead=self._children.pop(child), status=os.waitstatus_to_exitcode(status))


def _line_of(connection: socket.socket) -> bytes:
    """Read one line and not a byte more: the rest is the worker's."""
    line = b""
    while not line.endswith(b"\n"):
        line += connection.recv(1)
    return line


def _live(settings: Settings, line: socket.socket) -> NoReturn:
    """Be a worker, and end without going back."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        errors = os.open(Path(settings.folder, f"{settings.name}.err"), os.O_WRONLY | os.O_CREAT)
        for old, new in ((line.fileno(), 0), (line.fileno(), 1), (errors, 2)):
            os.dup2(old, new)
        line.close()
        anyio.run(serve, settings, backend=settings.engine)
        status = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    for engine in ("asyncio", "trio"):  # each is imported when it is first used
        anyio.run(checkpoint, backend=engine)
    gc.collect()
    gc.freeze()
    Nursery(sys.argv[1]).run()
