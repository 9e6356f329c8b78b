"""Programs whose store cannot work on this machine."""

from __future__ import annotations

from effect_runtime.errors import Code
from effect_runtime.outbox.sqlite._connection import require_version
from tests.codes.registry import fails_with


@fails_with(Code.ER404)
def an_old_sqlite() -> None:
    """Open a store on a system whose SQLite has no STRICT tables."""
    require_version((3, 31, 1))
