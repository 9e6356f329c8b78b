"""Ports and adapters: what `@operation` keeps of a method, and which adapters satisfy which ports."""

from __future__ import annotations

from returns.result import Result, Success
from typing_extensions import assert_type

from effect_runtime import Eff, operation
from tests.typing.world import Patron, Patrons, PatronUnknown


class SqlitePatrons:
    """An adapter of async methods."""

    @operation(kind="transactional")
    async def get(self, id: int) -> Result[Patron, PatronUnknown]:
        return Success(Patron(id, 0))

    @operation(kind="transactional")
    async def save(self, patron: Patron, *, force: bool = False) -> None: ...

    @operation(kind="external", idempotent=True)
    async def name(self, id: int, prefix: str = "") -> str:
        return prefix


class ForgetfulPatrons:
    """An adapter whose `get` may not fail, and whose `save` has no keyword."""

    @operation(kind="local")
    async def get(self, id: int) -> Patron:
        return Patron(id, 0)

    @operation(kind="local")
    async def save(self, patron: Patron) -> None: ...


class SternPatrons:
    """An adapter that fails with more than the port declares."""

    @operation(kind="local")
    async def get(self, id: int) -> Result[Patron, PatronUnknown | str]:
        return Success(Patron(id, 0))

    @operation(kind="local")
    async def save(self, patron: Patron, *, force: bool = False) -> None: ...


class CoroutinePatrons:
    """An adapter that forgot to reify its methods."""

    async def get(self, id: int) -> Patron:
        return Patron(id, 0)

    async def save(self, patron: Patron, *, force: bool = False) -> None: ...


# An operation turns `Result[A, E]` into `Eff[A, E]` and a plain answer into `Eff[A]`.
adapter = SqlitePatrons()
assert_type(adapter.get(1), Eff[Patron, PatronUnknown])
assert_type(adapter.save(Patron(1, 1)), Eff[None])
assert_type(adapter.name(1), Eff[str])

# It keeps parameter names and keyword-only arguments.
adapter.get(id=1)
adapter.save(patron=Patron(1, 1), force=True)
adapter.name(1, prefix="x")
adapter.get("1")  # rejected
adapter.get(number=1)  # rejected
adapter.save(Patron(1, 1), True)  # rejected
adapter.save(Patron(1, 1), froce=True)  # rejected
adapter.name()  # rejected

# An adapter of async methods satisfies a port of effects; one that promises less does not.
port: Patrons = SqlitePatrons()
without_keyword: Patrons = ForgetfulPatrons()  # rejected
fails_with_more: Patrons = SternPatrons()  # rejected
not_reified: Patrons = CoroutinePatrons()  # rejected


class WrongKind:
    """An operation must say what it touches."""

    @operation(kind="sometimes")  # rejected
    async def get(self, id: int) -> Patron:
        return Patron(id, 0)
