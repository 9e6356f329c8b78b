"""What a search says: the run that refutes a claim, claims that nothing reached, plans that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence

from effect_runtime.errors._root import EffectRuntimeError


class Counterexample(EffectRuntimeError, AssertionError):
    """Report the smallest run found in which a claim does not hold. `blob` repeats it.

    `least`: everything smaller was tried and is sound; None where nobody has looked, as when a blob is repeated.
    """

    def __init__(
        self,
        claim: str,
        *,
        deviations: Sequence[str],
        least: bool | None,
        trace: Sequence[str],
        hint: str | None,
        covered: str,
        blob: str,
    ) -> None:
        super().__init__(claim, tuple(deviations), least, tuple(trace), hint, covered, blob)
        self.claim = claim
        self.deviations = tuple(deviations)
        self.least = least
        self.trace = tuple(trace)
        self.hint = hint
        self.covered = covered
        self.blob = blob

    def __str__(self) -> str:
        count = len(self.deviations)
        size = f"{count or 'no'} deviation{'' if count == 1 else 's'}"
        proof = {True: " (all smaller plans pass)", False: " (no smaller plan was found)", None: ""}[self.least]
        proof = proof if count else ""
        lines = "\n".join(self.trace)
        hint = f"\n  hint: {self.hint}" if self.hint else ""
        return f"FAIL {self.claim}    {size}{proof}    replay: {self.blob}\n{lines}{hint}\n  {self.covered}"


class ClaimBroken(EffectRuntimeError):
    """Report a claim that cannot tell whether it holds: an error of the claim, not of what it is about.

    Its cause is what the claim raised, with the traceback.
    """

    def __init__(self, claim: str, *, place: str, reason: str) -> None:
        super().__init__(claim, place, reason)
        self.claim = claim
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"the claim {self.claim!r} ({self.place}) cannot tell whether it holds: {self.reason}. "
            f"Let it return True or False, or raise AssertionError with what it has seen."
        )


class NeverReached(EffectRuntimeError, AssertionError):
    """Report claims of `sometimes` that held in no run: whatever they stand for was never tested."""

    def __init__(self, claims: Sequence[str], *, covered: str) -> None:
        super().__init__(tuple(claims), covered)
        self.claims = tuple(claims)
        self.covered = covered

    def __str__(self) -> str:
        return (
            f"no run reached {', '.join(self.claims)}; {self.covered}. "
            f"Let clients, faults or the budget make it possible, or drop the claim."
        )


class BlobUnreadable(EffectRuntimeError, ValueError):
    """Refuse a text that is no plan to replay, or one of another version of the kit."""

    def __init__(self, text: str, *, reason: str) -> None:
        super().__init__(text, reason)
        self.text = text
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"{self.text[:40]!r} cannot be replayed: {self.reason}. "
            f"Copy the whole word after `replay:` in a report, or search again."
        )
