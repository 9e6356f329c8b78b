"""Stable codes: each has a program that triggers it, a sentence that helps, and a line in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from effect_runtime.errors import Code
from tests.codes.registry import Program, failing_programs, offences

CASES = [
    pytest.param(code, program, id=f"{code.name}-{getattr(program, '__name__', 'program')}")
    for code, programs in sorted(failing_programs().items(), key=lambda entry: entry[0].name)
    for program in programs
]
DOCS = Path(__file__).parents[1] / "docs" / "codes.md"


def test_no_code_lacks_a_failing_program() -> None:
    """Every member of `Code` is triggered by at least one registered program."""
    assert sorted(code.name for code in set(Code) - set(failing_programs())) == []


@pytest.mark.parametrize(("code", "program"), CASES)
def test_a_failing_program_is_refused_with_exactly_its_code(code: Code, program: Program) -> None:
    """The program breaks one rule, and one fault with that rule's code is reported."""
    assert [offence.code for offence in offences(program)] == [code]


@pytest.mark.parametrize(("code", "program"), CASES)
def test_a_fault_names_its_code_and_ends_with_the_way_out(code: Code, program: Program) -> None:
    """The sentence holds the code, says what is wrong, and its last words are a fix."""
    (offence,) = offences(program)
    assert code.name in str(offence)
    assert offence.problem.strip()
    assert offence.fix.strip()
    assert str(offence).endswith(offence.fix)


def test_the_docs_list_exactly_the_codes() -> None:
    """`docs/codes.md` has one row for each code, in order, with its meaning in the code's own words."""
    rows = re.findall(r"^\| *`?(ER\d{3})`? *\| *(.*?) *\|", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert rows == [(code.name, code.title) for code in Code]


def test_codes_are_grouped_by_chapter_and_never_reused() -> None:
    """Names are ER and three digits, in ascending order, with distinct meanings."""
    names = [code.name for code in Code]
    assert names == sorted(set(names))
    assert all(re.fullmatch(r"ER[1-5]\d\d", name) for name in names)
    assert len({code.title for code in Code}) == len(names)
