"""The do-blocks of a module, and what each one's local names hold.

Decides which functions are do-blocks and which expressions inside them are effects. Judges nothing.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from attrs import frozen

from effect_runtime.check._vocabulary import BUILDERS, Function, Vocabulary

NOT_PORTS = frozenset({"events", "outbox"})
"""Fields of a runtime whose methods are for the library: they return no effects."""


@frozen
class Block:
    """One do-block: its function, whether that is beyond doubt, and what its local names hold."""

    function: ast.FunctionDef
    certain: bool
    generator: bool
    words: Vocabulary
    bound: frozenset[str]
    inner: frozenset[str]
    runtimes: frozenset[str]
    ports: frozenset[str]
    annotated: dict[str, str]
    effects: dict[str, ast.Assign | ast.AnnAssign]

    def is_effect(self, node: ast.expr | None) -> bool:
        """Tell whether the expression is known to give an effect that nobody has run."""
        match node:
            case ast.Call():
                return self._call_builds(node.func)
            case ast.BinOp(left=left, op=ast.RShift()):
                return self.is_effect(left)
            case ast.IfExp(body=body, orelse=orelse):
                return self.is_effect(body) or self.is_effect(orelse)
            case ast.BoolOp(values=values):
                return any(self.is_effect(value) for value in values)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return any(self.is_effect(item) for item in items)
            case ast.ListComp(elt=item) | ast.GeneratorExp(elt=item):
                return self.is_effect(item)
            case ast.NamedExpr(value=value):
                return self.is_effect(value)
            case ast.Name(id=name):
                return name in self.effects
        return False

    def is_fail(self, node: ast.expr) -> bool:
        """Tell whether the expression is a call of the library's `fail`."""
        match node:
            case ast.Call(func=ast.Name(id=name)):
                return name in self.words.fails and name not in self.bound
            case ast.Call(func=ast.Attribute(value=ast.Name(id=package), attr="fail")):
                return package in self.words.packages
        return False

    def _call_builds(self, function: ast.expr) -> bool:
        match function:
            case ast.Name(id=name):
                return name in self.inner or (name in self.words.builders and name not in self.bound)
            case ast.Subscript(value=ast.Name(id=name)):
                return name in self.words.asks
            case ast.Attribute(value=ast.Name(id=package), attr=name) if package in self.words.packages:
                return name in BUILDERS
            case ast.Attribute(value=ast.Name(id=holder), attr=method) if holder in self.words.markers:
                return method.startswith("from_")
            case ast.Attribute(value=ast.Name(id=holder), attr="program"):
                return holder in self.words.builders and holder not in self.bound
            case ast.Attribute(value=ast.Name(id=holder), attr=method) if holder in self.annotated:
                return self.words.methods[self.annotated[holder]].get(method, False)
            case ast.Attribute(value=ast.Name(id=holder)) if holder in self.ports:
                return True
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id=holder), attr=field)):
                return holder in self.runtimes and field not in NOT_PORTS
            case ast.Attribute(value=value):
                return self.is_effect(value)
        return False


def blocks_of(tree: ast.Module, words: Vocabulary) -> Iterator[Block]:
    """Yield every do-block of the module, nested functions and methods included, in reading order."""
    owners = {item: node.name for node in tree.body if isinstance(node, ast.ClassDef) for item in node.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            certain = words.builds(node)
            own = tuple(own_nodes(node))
            if certain or any(isinstance(item, ast.YieldFrom) for item in own):
                yield _block(node, certain, own, words, owners.get(node))


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Yield the nodes that run when the function's body runs: nothing of functions or classes inside it."""
    pending: list[ast.AST] = list(reversed(function.body))
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            # Backwards onto a stack, so that nodes come in the order in which they are read.
            pending.extend(reversed(list(ast.iter_child_nodes(node))))


def _block(
    function: ast.FunctionDef, certain: bool, own: tuple[ast.AST, ...], words: Vocabulary, owner: str | None
) -> Block:
    assigned = _assignments(own)
    parameters = {item.arg: item.annotation for item in ast.walk(function.args) if isinstance(item, ast.arg)}
    stored = {node.id for node in own if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    runtimes = frozenset(
        name for name, values in assigned.items() if any(_gives_runtime(v.value, words) for v in values)
    )
    # Filled below, name by name and in reading order: whether a name holds an effect may depend on one before it.
    effects: dict[str, ast.Assign | ast.AnnAssign] = {}
    block = Block(
        function=function,
        certain=certain,
        generator=any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own),
        words=words,
        bound=frozenset(stored | parameters.keys()),
        # A name that is assigned as well may hold anything by the time it is called.
        inner=frozenset(node.name for node in own if isinstance(node, Function) and words.builds(node)) - stored,
        runtimes=runtimes,
        ports=frozenset(
            name for name, values in assigned.items() if any(_gives_port(v.value, runtimes) for v in values)
        ),
        annotated=_annotated(parameters, words) | _self_of(function, owner),
        effects=effects,
    )
    for name, values in assigned.items():
        if all(block.is_effect(value.value) for value in values):
            effects[name] = values[0]
    return block


def _assignments(own: tuple[ast.AST, ...]) -> dict[str, list[ast.Assign | ast.AnnAssign]]:
    """Collect the plain assignments to each local name."""
    found: dict[str, list[ast.Assign | ast.AnnAssign]] = defaultdict(list)
    for node in own:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                found[name].append(node)
    return found


def _gives_runtime(value: ast.expr | None, words: Vocabulary) -> bool:
    """Tell whether the value is `yield from lending.runtime`, `.reads`, `ask(...)` or `ask[...]()`."""
    match value:
        case ast.YieldFrom(value=ast.Attribute(attr="runtime" | "reads")):
            return True
        case ast.YieldFrom(value=ast.Call(func=ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)))):
            return name in words.asks
    return False


def _gives_port(value: ast.expr | None, runtimes: frozenset[str]) -> bool:
    match value:
        case ast.Attribute(value=ast.Name(id=holder), attr=field):
            return holder in runtimes and field not in NOT_PORTS
    return False


def _self_of(function: ast.FunctionDef, owner: str | None) -> dict[str, str]:
    """Map the first parameter of a method to its class."""
    names = [*function.args.posonlyargs, *function.args.args]
    is_static = any(isinstance(each, ast.Name) and each.id == "staticmethod" for each in function.decorator_list)
    return {names[0].arg: owner} if owner is not None and names and not is_static else {}


def _annotated(parameters: dict[str, ast.expr | None], words: Vocabulary) -> dict[str, str]:
    """Map each parameter to the class of this module that annotates it."""
    found = {}
    for name, annotation in parameters.items():
        if isinstance(annotation, ast.Name) and annotation.id in words.methods:
            found[name] = annotation.id
    return found
