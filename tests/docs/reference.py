"""The reference, written from the source: every public name with its signature and docstring, a page for each chapter.

`python -m tests.docs.reference` writes the pages anew. Reads source text, so that annotations look as written.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Final, TypeAlias

from attrs import frozen

import effect_runtime
from tests.docs.life_cycles import life_cycles_page
from tests.docs.messages import messages_page
from tests.docs.pages import ROOT

FOLDER: Final = ROOT / "docs" / "reference"
CHAPTERS: Final[Mapping[str, tuple[str, ...]]] = {
    "effect": ("effect",),
    "interpreter": ("interpreter",),
    "runtime": ("runtime",),
    "events": ("events",),
    "integration": ("integration",),
    "manifest": ("manifest",),
    "dispatch": ("dispatch",),
    "outbox": ("outbox",),
    "stores": ("outbox.memory", "outbox.sqlite"),
    "transports": ("transports",),
    "app": ("app",),
    "check": ("check",),
    "testing": ("testing", "testing.properties"),
    "errors": ("errors",),
}
"""Each page, and the doors whose names stand on it."""

Definition: TypeAlias = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Assign | ast.AnnAssign
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


@frozen
class Entry:
    """One public name: the door to import it from, its statements (several for overloads), its docstring."""

    name: str
    door: str
    statements: tuple[Definition, ...]
    docstring: str


def pages() -> dict[str, str]:
    """Return the text of every generated page by file name."""
    made = {f"{title}.md": chapter_page(title, doors) for title, doors in CHAPTERS.items()}
    return {"index.md": index_page(), "life-cycles.md": life_cycles_page(), "messages.md": messages_page(), **made}


def index_page() -> str:
    """Return the page that lists the others."""
    rows = "\n".join(
        f"| [{title}]({title}.md) | {', '.join(f'`effect_runtime.{door}`' for door in doors)} | {_summary(doors[0])} |"
        for title, doors in CHAPTERS.items()
    )
    return f"""# Reference

Every public name, from the docstrings. [Names of daily use](names.md) come from `effect_runtime` itself; every other
name has one door, the one its page names. What begins with an underscore is nobody's promise.
[Messages](messages.md) shows what each configuration fault prints, [life cycles](life-cycles.md) what lanes, events and
breakers go through.

| Page | Import from | What it holds |
|---|---|---|
{rows}

Written by `python -m tests.docs.reference`; a test holds it to the source.
"""


def chapter_page(title: str, doors: tuple[str, ...]) -> str:
    """Return the page of one chapter."""
    parts = [f"# Reference: {title}\n\n{_intro(title)}"]
    for door in doors:
        entries = sorted(entries_of(door), key=lambda entry: (entry.door != "effect_runtime", entry.name.casefold()))
        parts.extend(_entry_text(entry) for entry in entries)
    return "\n\n".join(parts) + "\n"


def entries_of(door: str) -> Iterator[Entry]:
    """Yield the public names of one chapter: those of daily use that it defines, and those of its own door."""
    module = import_module(f"effect_runtime.{door}")
    defined = definitions_of(door)
    for name in effect_runtime.__all__:
        if name in defined and getattr(module, name, None) is getattr(effect_runtime, name):
            yield _entry(name, "effect_runtime", defined)
    for name in module.__all__:
        # A chapter may offer what one below it defines: then it is public here alone.
        below = defined if name in defined else definitions_of(getattr(module, name).__module__.split(".")[1])
        yield _entry(name, f"effect_runtime.{door}", below)


def definitions_of(door: str) -> dict[str, list[tuple[Definition, str]]]:
    """Read what the private files of a chapter define, each statement with its docstring."""
    package = Path(str(import_module(f"effect_runtime.{door}").__file__)).parent
    found: dict[str, list[tuple[Definition, str]]] = {}
    # A folder without names of its own to offer is a part of its chapter.
    parts = (door.parent for door in package.glob("*/__init__.py") if "__all__" not in door.read_text("utf-8"))
    for file in (file for folder in (package, *sorted(parts)) for file in sorted(folder.glob("*.py"))):
        body = ast.parse(file.read_text(encoding="utf-8")).body
        for statement, after in zip(body, [*body[1:], None], strict=True):
            for name in _names(statement):
                assert isinstance(statement, Definition)
                found.setdefault(name, []).append((statement, _docstring(statement, after)))
    return found


def _names(statement: ast.stmt) -> tuple[str, ...]:
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return (name,)
        case ast.AnnAssign(target=ast.Name(id=name)):
            return (name,)
        case ast.Assign(targets=[ast.Name(id=name)]):
            return (name,)
    return ()


def _docstring(statement: Definition, after: ast.stmt | None) -> str:
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return ast.get_docstring(statement) or ""
    match after:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return inspect.cleandoc(text)
    return ""


def _entry(name: str, door: str, defined: Mapping[str, list[tuple[Definition, str]]]) -> Entry:
    statements = defined[name]
    shown = [each for each, _ in statements if _is_overload(each)] or [each for each, _ in statements]
    docstring = next((text for _, text in reversed(statements) if text), "") or _of_front_door(name)
    return Entry(name, door, tuple(shown), docstring)


def _of_front_door(name: str) -> str:
    """Fall back to the sentence of the page of daily names, for type variables and aliases of methods."""
    names = (FOLDER / "names.md").read_text(encoding="utf-8")
    row = next((line for line in names.splitlines() if line.startswith(f"| `{name}` |")), "")
    return row.split(" | ", 1)[1].removesuffix(" |").replace(r"\|", "|") if row else ""


def _is_overload(statement: Definition) -> bool:
    return isinstance(statement, _FUNCTIONS) and any(
        ast.unparse(decorator) == "overload" for decorator in statement.decorator_list
    )


def _entry_text(entry: Entry) -> str:
    shown = "\n".join(line for statement in entry.statements for line in _lines(statement))
    methods = [text for statement in entry.statements for text in _methods(statement)]
    parts = [f"## `{entry.name}`", f"From `{entry.door}`.", f"```text\n{shown}\n```", entry.docstring]
    return "\n\n".join([part for part in parts if part] + methods)


def _lines(statement: Definition) -> Iterator[str]:
    match statement:
        case ast.ClassDef(name=name, bases=bases):
            yield f"class {name}({', '.join(ast.unparse(base) for base in bases)})" if bases else f"class {name}"
            for inner in statement.body:
                if isinstance(inner, ast.AnnAssign | ast.Assign) and _is_public(inner):
                    yield f"    {_short(inner)}"
                if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
                    yield f"    {_signature(inner)}"
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield _signature(statement)
        case ast.Assign() | ast.AnnAssign():
            yield _short(statement)


def _methods(statement: Definition) -> Iterator[str]:
    if not isinstance(statement, ast.ClassDef):
        return
    seen: set[str] = set()
    for method in statement.body:
        if not isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) or method.name.startswith("_"):
            continue
        docstring = ast.get_docstring(method)
        if (docstring is None and method.name in seen) or _is_overload(method):
            continue
        seen.add(method.name)
        text = (docstring or "").replace("\n\n", "\n").replace("\n", "\n  ")
        yield f"- `{_title(method)}`\n\n  {text}" if text else f"- `{_title(method)}`"


def _title(method: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    words = {ast.unparse(decorator) for decorator in method.decorator_list}
    if "property" in words:
        return f"{method.name}: {ast.unparse(method.returns) if method.returns else 'Any'}"
    return _signature(method).removeprefix("def ")


def _signature(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    kind = "async def" if isinstance(function, ast.AsyncFunctionDef) else "def"
    answer = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    return f"{kind} {function.name}({ast.unparse(function.args)}){answer}"


def _is_public(statement: ast.AnnAssign | ast.Assign) -> bool:
    return all(not name.startswith("_") for name in _names(statement))


def _short(statement: ast.AnnAssign | ast.Assign) -> str:
    text = " ".join(ast.unparse(statement).split())
    return text if len(text) <= 160 else f"{text[:157]}..."


def _intro(title: str) -> str:
    concept = f" The ideas: [{title}](../concepts/{title}.md)."
    return f"{_summary(CHAPTERS[title][0])}{concept}"


def _summary(door: str) -> str:
    first = (import_module(f"effect_runtime.{door}").__doc__ or "").strip().partition("\n\n")[0]
    return " ".join(first.split())


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
