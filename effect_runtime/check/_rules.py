"""What is a slip inside a do-block, and how it reads. Pure: a block in, findings out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial
from operator import attrgetter

from attrs import field, frozen

from effect_runtime.check._blocks import Block, own_nodes
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


def slips_of(block: Block, *, filename: str) -> Iterator[Finding]:
    """Yield every slip of one do-block, unordered."""
    found = partial(_finding, filename=filename)
    for node in own_nodes(block.function):
        match node:
            case ast.Expr(value=value) if block.is_effect(value):
                yield found(Code.ER501, value, f"{_shown(value)} is built and lost: nothing runs it.", _run(value))
            case ast.Return(value=ast.expr() as value) if _returned_unrun(block, value):
                yield found(
                    Code.ER501,
                    value,
                    f"{_shown(value)} is returned unrun.",
                    f"Write `return (yield from {_shown(value)[1:-1]})`.",
                )
            case ast.Yield(value=ast.expr() as value) if block.certain or block.is_effect(value):
                yield found(Code.ER502, node, f"`yield {_shown(value)[1:-1]}` does not run the effect.", _run(value))
    for name, assignment in _never_read(block):
        problem = f"the effect assigned to `{name}` is never used: nothing runs it."
        yield found(
            Code.ER501,
            assignment,
            problem,
            f"Write `{name} = yield from ...`, or `yield from {name}` where it should happen.",
        )
    for fail in _falling_fails(block, block.function.body, followed=False):
        call = _shown(fail.value)[1:-1]
        problem = f"checkers do not know that `yield from {call}` ends the block."
        # Where nothing is answered, mypy takes no `return` with a value, not even one that is never reached.
        fix = "Write `return` below it." if _answers_none(block) else f"Write `return (yield from {call})`."
        yield found(Code.ER503, fail, problem, fix)


def _finding(code: Code, node: ast.expr | ast.stmt, problem: str, fix: str, *, filename: str) -> Finding:
    return Finding(filename, node.lineno, node.col_offset + 1, code, problem, fix)


def _run(value: ast.expr) -> str:
    if isinstance(value, ast.ListComp | ast.GeneratorExp):
        return "Write a `for` loop with `yield from`, or `yield from for_each(...)`."
    return f"Write `yield from {_shown(value)[1:-1]}`."


def _returned_unrun(block: Block, value: ast.expr) -> bool:
    """Tell whether a do-block returns an effect as its value; one annotated to answer effects may."""
    if not (block.generator and block.is_effect(value)):
        return False
    match block.function.returns:
        case ast.Subscript(slice=ast.Tuple(elts=[answer, *_]) | answer):
            return not block.words.marks(answer)
    return True


def _never_read(block: Block) -> Iterator[tuple[str, ast.Assign | ast.AnnAssign]]:
    """Yield the names that hold an effect and are read nowhere, functions inside the block included."""
    nodes = tuple(ast.walk(block.function))
    read = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    yield from ((name, node) for name, node in block.effects.items() if name not in read)


def _falling_fails(block: Block, body: list[ast.stmt], *, followed: bool) -> Iterator[ast.YieldFrom]:
    """Yield each unreturned `yield from fail(...)` after which a checker believes that the block goes on.

    As the very last statement of a block it narrows nothing, and is left alone; so is one with a `return` below it.
    """
    for position, statement in enumerate(body):
        if isinstance(statement, ast.Expr) and isinstance(
            next(iter(body[position + 1 :]), None), ast.Return | ast.Raise
        ):
            continue
        goes_on = followed or position < len(body) - 1
        match statement:
            case ast.Expr(value=ast.YieldFrom(value=call) as fail) if goes_on and block.is_fail(call):
                yield fail
            case ast.For() | ast.While():
                yield from _falling_fails(block, statement.body, followed=True)
                yield from _falling_fails(block, statement.orelse, followed=goes_on)
            case _:
                for inner in _branches(statement):
                    yield from _falling_fails(block, inner, followed=goes_on)


def _answers_none(block: Block) -> bool:
    match block.function.returns:
        case ast.Subscript(slice=ast.Tuple(elts=[ast.Constant(value=None), *_]) | ast.Constant(value=None)):
            return True
    return False


def _branches(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    match statement:
        case ast.If(body=body, orelse=orelse):
            yield from (body, orelse)
        case ast.With(body=body):
            yield body
        case (
            ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final)
            | ast.TryStar(body=body, handlers=handlers, orelse=orelse, finalbody=final)
        ):
            yield from (body, orelse, final, *(handler.body for handler in handlers))
        case ast.Match(cases=cases):
            yield from (case.body for case in cases)


def _shown(value: ast.AST) -> str:
    """Show an expression on one short line, in backquotes."""
    text = ast.unparse(value.value if isinstance(value, ast.YieldFrom) else value)
    return f"`{text}`" if len(text) <= 60 else f"`{text[:57]}...`"
