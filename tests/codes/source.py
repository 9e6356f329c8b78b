"""Programs that the source check refuses."""

from __future__ import annotations

from effect_runtime.check import Finding, check_source
from effect_runtime.errors import Code
from tests.codes.registry import fails_with

PROLOGUE = "from effect_runtime import Do, do, emit, fail\n@do\ndef block(found: int | None) -> Do[int, str]:\n"


def check(*body: str) -> tuple[Finding, ...]:
    """Check a do-block with this body."""
    return check_source(PROLOGUE + "".join(f"    {line}\n" for line in body), filename="program.py")


@fails_with(Code.ER501)
def lost_effect() -> tuple[Finding, ...]:
    """Build an effect and drop it."""
    return check("emit(found)", "return 1")


@fails_with(Code.ER502)
def bare_yield() -> tuple[Finding, ...]:
    """Yield an effect without `from`."""
    return check("answer = yield emit(found)", "return answer")


@fails_with(Code.ER503)
def unreturned_failure() -> tuple[Finding, ...]:
    """Fail in a branch without `return`."""
    return check("if found is None:", "    yield from fail('missing')", "return found")
