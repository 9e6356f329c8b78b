"""How the story is told: numbered steps, aligned lines, and claims that are checked while it goes on.

Knows paper 88 columns wide and nothing of libraries.
"""

from __future__ import annotations

from textwrap import wrap

from attrs import define, field, frozen

WIDTH = 88
LABEL = 22


@frozen
class Claim:
    """Something that must be true at one point of the story."""

    text: str
    expected: object
    seen: object

    @property
    def holds(self) -> bool:
        """Tell whether what was seen is what was expected."""
        return self.seen == self.expected


@define
class Telling:
    """Print a story as it happens, and keep its claims for the summary."""

    claims: list[Claim] = field(factory=list)
    steps: int = 0

    def headline(self, text: str) -> None:
        """Print a headline."""
        print(f"\n{text}\n{'=' * len(text)}", flush=True)

    def remark(self, text: str) -> None:
        """Print a paragraph."""
        print("\n" + "\n".join(wrap(text, WIDTH, break_on_hyphens=False)), flush=True)

    def step(self, text: str) -> None:
        """Begin the next step."""
        self.steps += 1
        first, *rest = wrap(text, WIDTH - 4)
        print(f"\n{self.steps:>2}  {first}", *(f"    {line}" for line in rest), sep="\n", flush=True)

    def line(self, label: str, *texts: str) -> None:
        """Print one fact, with its label on the left; more texts go below each other."""
        for text in texts or ("none",):
            for part in wrap(text, WIDTH - LABEL - 4, break_on_hyphens=False) or [""]:
                print(f"    {label:<{LABEL}}{part}", flush=True)
                label = ""

    def claim(self, text: str, *, expected: object, seen: object) -> None:
        """Check a claim; one that does not hold is told at once."""
        claim = Claim(text, expected, seen)
        self.claims.append(claim)
        if not claim.holds:
            self.line("NOT AS TOLD", f"{text}: expected {expected!r}, saw {seen!r}")

    def summary(self) -> bool:
        """Print all claims as a table, and tell whether all hold."""
        self.headline("What was claimed, and what was seen")
        width = max(len(claim.text) for claim in self.claims)
        for claim in self.claims:
            print(f"{'  ok  ' if claim.holds else 'FAILED'}  {claim.text:<{width}}  {claim.seen}")
            if not claim.holds:
                print(f"{'':8}{'as told':<{width}}  {claim.expected}")
        failed = sum(not claim.holds for claim in self.claims)
        print(f"\n{len(self.claims)} claims, {failed} failed.", flush=True)
        return failed == 0
