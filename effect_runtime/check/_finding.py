"""What the source check found, and how it reads. Knows no syntax tree."""

from __future__ import annotations

from operator import attrgetter

from attrs import field, frozen

from effect_runtime.errors import Code


@frozen(order=True)
class Finding:
    """Name one slip: where it stands, what is wrong and how to mend it.

    Lines and columns count from 1. Findings sort by file, then by position.
    """

    filename: str
    line: int
    column: int
    code: Code = field(order=attrgetter("name"))
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.filename}:{self.line}:{self.column}: {self.code.name} {self.problem} {self.fix}"
