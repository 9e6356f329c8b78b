"""Slips in do-blocks: each is found on its line, with its code and its cure; sound programs raise no alarm."""

from __future__ import annotations

from textwrap import dedent

import pytest

from effect_runtime.check import check_source

PROLOGUE = """\
from typing import Protocol, TypeAlias
import effect_runtime as er
from effect_runtime import A, Context, Do, E, Eff, ask, do, emit, fail, for_each, guard, publish, succeed
from elsewhere import LendingRuntime, lending
Lending: TypeAlias = Do[A, E, LendingRuntime]
class Patrons(Protocol):
    def get(self, id: int) -> Eff[int]: ...
    def describe(self) -> str: ...
def helper(id: int) -> Eff[int]:
    return succeed(id)
"""


def slips(block: str) -> list[tuple[int, str]]:
    """Check a program after the common prologue; lines count from its own first line."""
    source = PROLOGUE + dedent(block).lstrip("\n")
    offset = PROLOGUE.count("\n")
    return [(slip.line - offset, slip.code.name) for slip in check_source(source, filename="program.py")]


LOST = {
    "through a chapter": """
        from effect_runtime import effect
        @do
        def block(cmd) -> Do[None]:
            effect.timeout(helper(1), cmd)
    """,
    "through a chapter by another name": """
        import effect_runtime.effect as fx
        @do
        def block(cmd) -> Do[None]:
            fx.timeout(helper(1), cmd)
    """,
    "a method of its own class": """
        class Desk:
            def borrow(self, id: int) -> Do[None]: ...
            def lend(self, id: int) -> Do[None]:
                self.borrow(id)
    """,
    "a function inside the block": """
        def block(cmd) -> Do[None]:
            def inner() -> Do[None]: ...
            inner()
    """,
    "a library effect": """
        @do
        def block(cmd) -> Do[None]:
            emit(cmd)
    """,
    "through the package": """
        def block(cmd) -> Do[None]:
            er.emit(cmd)
    """,
    "under a context's alias": """
        def block(cmd) -> Lending[None]:
            publish(cmd)
    """,
    "a function of the module": """
        @lending.command(access="public")
        def block(cmd):
            helper(cmd)
    """,
    "a port of the runtime": """
        def block(cmd) -> Lending[None]:
            rt = yield from lending.runtime
            # the next line but one
            yield from guard(True, cmd)
            rt.patrons.save(cmd)
    """,
    "a port of a protocol asked for": """
        def block(cmd) -> Lending[None]:
            rt = yield from ask[Patrons]()
            rt.patrons.save(cmd)
    """,
    "a port held in a name": """
        def block(cmd) -> Lending[None]:
            rt = yield from lending.reads
            patrons = rt.patrons
            patrons.get(cmd)
    """,
    "a port that is a parameter": """
        @do
        def block(patrons: Patrons) -> Do[None]:
            patrons.get(1)
    """,
    "a transformed effect": """
        @do
        def block(cmd) -> Do[None]:
            succeed(1).map(str)
    """,
    "a chain": """
        @do
        def block(cmd) -> Do[None]:
            emit(1) >> emit(2)
    """,
    "one of two": """
        @do
        def block(cmd) -> Do[None]:
            emit(1) if cmd else None
    """,
    "a comprehension": """
        @do
        def block(cmd) -> Do[None]:
            [emit(item) for item in cmd]
    """,
    "an effect in a name that nobody reads": """
        @do
        def block(cmd) -> Do[None]:
            kept = emit(cmd)
    """,
    "an effect returned as the answer": """
        def block(cmd) -> Lending[int]:
            rt = yield from lending.runtime
            return rt.patrons.get(cmd)
    """,
    "inside a branch inside a loop": """
        @do
        def block(cmd) -> Do[None]:
            for item in cmd:
                if item:
                    emit(item)
    """,
    "in a method": """
        class Desk:
            def block(self, cmd) -> Eff[None]:
                emit(cmd)
                return succeed(None)
    """,
    "a constructor of Eff": """
        @do
        def block(cmd) -> Do[None]:
            Eff.from_value(cmd)
    """,
    "the body of a command": """
        @lending.command(access="public")
        def first(cmd): return helper(cmd)
        def block(cmd) -> Lending[None]:
            first.program(cmd)
    """,
}

BARE = {
    "yielded and bound": """
        def block(cmd) -> Lending[int]:
            rt = yield from lending.runtime
            patron = yield rt.patrons.get(cmd)
            return patron
    """,
    "anything at all in a do-block": """
        @do
        def block(cmd) -> Do[None]:
            yield unknown(cmd)
    """,
    "a known effect in an undecorated generator": """
        def block(cmd):
            yield from helper(cmd)
            yield emit(cmd)
    """,
}

FALLING = {
    "in a branch": """
        def block(found) -> Lending[int]:
            if found is None:
                yield from fail("missing")
            return found
    """,
    "in a case": """
        def block(found) -> Lending[int]:
            match found:
                case None:
                    yield from fail("missing")
            return found
    """,
    "in a loop": """
        def block(found) -> Lending[None]:
            for item in found:
                yield from fail(item)
    """,
    "in a handler of exceptions": """
        def block(found) -> Lending[int]:
            try:
                value = int(found)
            except ValueError:
                yield from er.fail("no number")
            return value
    """,
}


@pytest.mark.parametrize("block", LOST.values(), ids=LOST.keys())
def test_a_lost_effect_is_found(block: str) -> None:
    """An effect that is built in a do-block and never run is ER501."""
    assert [code for _, code in slips(block)] == ["ER501"]


@pytest.mark.parametrize("block", BARE.values(), ids=BARE.keys())
def test_a_bare_yield_is_found(block: str) -> None:
    """An effect that is yielded without `from` is ER502."""
    assert [code for _, code in slips(block)] == ["ER502"]


@pytest.mark.parametrize("block", FALLING.values(), ids=FALLING.keys())
def test_a_failure_that_is_not_returned_is_found(block: str) -> None:
    """A `yield from fail(...)` with code after it that checkers think alive is ER503."""
    assert [code for _, code in slips(block)] == ["ER503"]


def test_the_way_out_is_one_that_checkers_take() -> None:
    """mypy refuses `return (yield from ...)` in a block that answers None, so another way is named there."""
    source = "from effect_runtime import Do, do, fail\n@do\ndef block(x) -> Do[{}, str]:\n"
    body = "    if x:\n        yield from fail(x)\n    x()\n"
    fixes = [
        [found.fix for found in check_source(source.format(answer) + body, filename="slip.py")]
        for answer in ("None", "int")
    ]
    assert fixes == [["Write `return` below it."], ["Write `return (yield from fail(x))`."]]


CLEAN = {
    "everything run": """
        def block(cmd) -> Lending[int]:
            rt = yield from lending.runtime
            patron = yield from rt.patrons.get(cmd)
            if patron is None:
                return (yield from fail(cmd))
            effects = [emit(item) for item in cmd]
            yield from for_each(effects, limit=2)
            kept = emit(cmd)
            yield from kept
            return patron
    """,
    "a failure with a return below it": """
        def block(found) -> Lending[None, str]:
            if found is None:
                yield from fail("nothing found")
                return
            yield from emit(found)
    """,
    "a failure as the last word": """
        @lending.on(int)
        def block(event) -> Lending[None, str]:
            yield from fail("no")
    """,
    "an effect returned by a plain function": """
        @lending.command(access="public")
        def block(cmd) -> Eff[int]:
            return helper(cmd)
    """,
    "an answer that is an effect": """
        @do
        def block(cmd) -> Do[Eff[int]]:
            yield from emit(cmd)
            return helper(cmd)
    """,
    "an ordinary generator": """
        def walk(tree):
            yield from walk(tree.left)
            yield tree.value
            tree.visit()
    """,
    "a method that builds no effect": """
        @do
        def block(patrons: Patrons) -> Do[None]:
            patrons.describe()
            yield from patrons.get(1)
    """,
    "a local name that hides an effect": """
        @do
        def block(emit) -> Do[None]:
            emit(1)
            yield from succeed(None)
    """,
    "effects built outside of do-blocks": """
        def test_building() -> None:
            emit(1)
    """,
    "a plain method of its own class": """
        class Desk:
            def note(self) -> None: ...
            def lend(self, id: int) -> Do[None]:
                self.note()
                yield from helper(id)
            @staticmethod
            def renew(self) -> Do[None]:
                self.lend(1)
                yield from helper(1)
    """,
    "a function inside the block that reads the effect": """
        @do
        def block(cmd) -> Do[int]:
            kept = helper(cmd)
            return (yield from again(lambda: kept))
    """,
    "the runtime's own books": """
        def block(cmd) -> Lending[None]:
            rt = yield from lending.runtime
            rt.outbox.add(cmd)
    """,
    "a line that the author accepts": """
        @do
        def block(cmd) -> Do[None]:
            emit(cmd)  # noqa: ER501
            yield emit(cmd)  # noqa: ER501, ER502
    """,
}


@pytest.mark.parametrize("block", CLEAN.values(), ids=CLEAN.keys())
def test_a_sound_program_raises_no_alarm(block: str) -> None:
    """What runs its effects, or is no do-block, has no findings."""
    assert slips(block) == []


@pytest.mark.parametrize("block", [*(LOST | BARE).values()], ids=[*(LOST | BARE).keys()])
def test_a_finding_names_its_line(block: str) -> None:
    """The finding stands on the slip's own line."""
    marked = [number for number, line in enumerate(dedent(block).strip("\n").splitlines(), 1) if _slips(line)]
    assert [line for line, _ in slips(block)] == marked[-1:]


def _slips(line: str) -> bool:
    """Tell whether a line of the programs above holds the slip: the last effect without `yield from`."""
    words = (
        "emit(",
        "publish(",
        "helper(",
        "save(",
        "get(",
        "succeed(1)",
        "from_value(",
        ".program(",
        "yield unknown(",
        "self.borrow(",
        "inner()",
    )
    return any(word in line for word in words) and "yield from" not in line and "def " not in line


def test_a_finding_says_where_what_and_how_to_mend_it() -> None:
    """The sentence holds file, line, column, code, the effect and the line to write instead."""
    source = "from effect_runtime import Do, do, emit\n@do\ndef block() -> Do[None]:\n    emit(1)\n"
    (found,) = check_source(source, filename="lending.py")
    assert str(found) == (
        "lending.py:4:5: ER501 `emit(1)` is built and lost: nothing runs it. Write `yield from emit(1)`."
    )


def test_findings_come_in_reading_order() -> None:
    """Several slips of one source are sorted by position."""
    block = """
        @do
        def block(cmd) -> Do[None]:
            yield emit(cmd)
            emit(cmd)
            if cmd:
                yield from fail(cmd)
            emit(cmd)
    """
    assert slips(block) == [(3, "ER502"), (4, "ER501"), (6, "ER503"), (7, "ER501")]
