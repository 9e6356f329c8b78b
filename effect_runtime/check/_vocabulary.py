"""Which names of one module build effects, mark do-blocks, or stand for the library itself.

Reads a module's imports, aliases, functions and classes. Knows nothing of what happens inside a do-block.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from attrs import evolve, frozen

BUILDERS = frozenset(
    {
        "acquire",
        "announce",
        "ask",
        "atomic",
        "attempt",
        "cancel",
        "cancel_due",
        "defer",
        "die",
        "emit",
        "enqueue",
        "enqueue_and_wait",
        "ensure",
        "exit_of",
        "fail",
        "for_each",
        "fork",
        "from_async",
        "from_blocking",
        "from_future_result",
        "from_maybe",
        "from_result",
        "from_sync",
        "gather",
        "guard",
        "join",
        "local",
        "or_else",
        "publish",
        "race",
        "recover",
        "repeat",
        "require",
        "reschedule_due",
        "retry",
        "scoped",
        "send_later",
        "succeed",
        "timeout",
        "uninterruptible",
        "validate",
    }
)
"""The library's functions whose call builds an effect."""

MARKERS = frozenset({"Do", "Eff"})
DECORATORS = frozenset({"command", "query", "on", "after_commit"})
LIBRARY = "effect_runtime"
CHAPTERS = frozenset({"effect", "runtime", "events", "integration", "dispatch"})
"""The chapters that hold functions whose call builds an effect."""

Index: TypeAlias = Mapping[str, "Exports"]
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@frozen
class Exports:
    """What other modules may import from one module: its effect builders and its do-block aliases."""

    builders: frozenset[str] = frozenset()
    markers: frozenset[str] = frozenset()


@frozen
class Vocabulary:
    """The words of one module that matter to the check, by their local names."""

    builders: frozenset[str]
    fails: frozenset[str]
    asks: frozenset[str]
    dos: frozenset[str]
    packages: frozenset[str]
    markers: frozenset[str]
    methods: Mapping[str, Mapping[str, bool]]
    """Class of this module -> its method -> whether calling it builds an effect."""

    def marks(self, annotation: ast.expr | None) -> bool:
        """Tell whether a return annotation is `Eff`, `Do` or a context's alias, quoted or not."""
        match annotation:
            case ast.Constant(value=str(text)):
                return self.marks(_parsed(text))
            case ast.Subscript(value=inner):
                return self.marks(inner)
            case ast.Name(id=name):
                return name in self.markers
            case ast.Attribute(value=ast.Name(id=package), attr=name):
                return package in self.packages and name in MARKERS
        return False

    def decorates(self, function: Function) -> bool:
        """Tell whether a decorator turns the function into an effect: `@do` or one of a context's."""
        return any(self._makes_effects(decorator) for decorator in function.decorator_list)

    def builds(self, function: Function) -> bool:
        """Tell whether calling the function gives an effect, or a do-block that nobody has started."""
        return self.marks(function.returns) or self.decorates(function)

    def _makes_effects(self, decorator: ast.expr) -> bool:
        match decorator:
            case ast.Call(func=ast.Attribute(attr=name)):
                return name in DECORATORS
            case ast.Attribute(value=ast.Name(id=package), attr="do"):
                return package in self.packages
            case ast.Attribute(attr=name):
                return name in DECORATORS
            case ast.Name(id=name):
                return name in self.dos
        return False


def read_vocabulary(tree: ast.Module, module: str, index: Index) -> Vocabulary:
    """Read the vocabulary of one module; `index` tells what its neighbours export.

    `module` is the dotted name that relative imports start from; a package's own is `package.__init__`.
    """
    imported = dict(_imported(tree, module))
    packages = frozenset(_packages(tree))
    from_library = {local: name for local, (source, name) in imported.items() if _is_library(source)}
    exported = {local: (index.get(source, Exports()), name) for local, (source, name) in imported.items()}
    markers = {local for local, name in from_library.items() if name in MARKERS}
    markers |= {local for local, (exports, name) in exported.items() if name in exports.markers}
    builders = {local for local, name in from_library.items() if name in BUILDERS}
    builders |= {local for local, (exports, name) in exported.items() if name in exports.builders}
    known = Vocabulary(
        builders=frozenset(builders),
        fails=_called("fail", from_library),
        asks=_called("ask", from_library),
        dos=_called("do", from_library),
        packages=packages,
        markers=frozenset(markers),
        methods={},
    )
    return _with_definitions(tree, known)


def exports_of(tree: ast.Module, module: str) -> Exports:
    """Return what the module offers to others, judged by itself alone."""
    # Without its neighbours, or modules that import one another would have to be read until nothing changes. The
    # price: an effect that a second module only re-exports is not known as one.
    own = read_vocabulary(tree, module, {})
    names = {node.name for node in tree.body if isinstance(node, Function)}
    return Exports(own.builders & names, frozenset(_aliases(tree, own)))


def _called(name: str, from_library: Mapping[str, str]) -> frozenset[str]:
    return frozenset(local for local, original in from_library.items() if original == name)


def _with_definitions(tree: ast.Module, known: Vocabulary) -> Vocabulary:
    # Aliases first: a function annotated with a context's own alias is known as a do-block only by them.
    with_aliases = evolve(known, markers=known.markers | set(_aliases(tree, known)))
    functions = {node.name for node in tree.body if isinstance(node, Function) and with_aliases.builds(node)}
    methods = {
        node.name: {item.name: with_aliases.builds(item) for item in node.body if isinstance(item, Function)}
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }
    return evolve(with_aliases, builders=with_aliases.builders | functions, methods=methods)


def _aliases(tree: ast.Module, known: Vocabulary) -> Iterator[str]:
    """Yield the module's names for `Do[...]` and `Eff[...]`, in the three spellings of a type alias."""
    for node in tree.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Subscript() as value) if known.marks(value):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript() as value) if known.marks(value):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(args=[_, value, *_])) if known.marks(value):
                yield name


def _imported(tree: ast.Module, module: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield local name -> (module, name) for every `from ... import ...`, a star from the library included."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        source = _absolute(node, module)
        for alias in node.names:
            if alias.name != "*":
                yield alias.asname or alias.name, (source, alias.name)
            elif _is_library(source):
                yield from ((name, (source, name)) for name in BUILDERS | MARKERS | {"do"})


def _packages(tree: ast.Module) -> Iterator[str]:
    """Yield the names that stand for the library or one of its chapters."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    if alias.name == LIBRARY or (alias.asname and _is_library(alias.name)):
                        yield alias.asname or alias.name
            case ast.ImportFrom(module="effect_runtime", names=names, level=0):
                yield from (alias.asname or alias.name for alias in names if alias.name in CHAPTERS)


def _absolute(node: ast.ImportFrom, module: str) -> str:
    if not node.level:
        return node.module or ""
    parent = module.split(".")[: -node.level]
    return ".".join([*parent, *([node.module] if node.module else [])])


def _is_library(module: str) -> bool:
    return module == LIBRARY or module.startswith(f"{LIBRARY}.")


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
