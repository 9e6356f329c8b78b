"""Functions that take exactly what another function takes, and build an instruction of it.

Building effects is the hot path of every program: a function with the very parameters of the user's own packs no
`*args` and no `**kwargs`, and refuses a wrong call on the line that made it. Knows no instruction.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, update_wrapper
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import FunctionType
from typing import Any, Final

_SOURCE: Final = """
def recipe(_instruction, _subject, _nothing):
    def build({parameters}):
        _built = _instruction()
        _built.{slots[0]} = _subject
        _built.{slots[1]} = {arguments}
        _built.{slots[2]} = {keywords}
        return _built
    return build
"""
_OURS: Final = frozenset({"_instruction", "_subject", "_nothing", "_built"})


def recipe(instruction: type[Any], slots: tuple[str, str, str], function: Any, subject: object) -> Any:
    """Return a function with the face of `function` that builds an `instruction` of `subject` and its arguments.

    The instruction has no `__init__`; `slots` name where the subject, the positional and the keyword arguments go.
    A function without defaults gets all its arguments as positional ones, however it was called.
    """
    return update_wrapper(_compiled(slots, _parameters(function))(instruction, subject, {}), function)


def _parameters(function: object) -> tuple[str, ...] | None:
    """Return the parameters, if every call gives each of them, by position or name."""
    # A default, a star or a keyword-only parameter lets one call be written in ways that differ in what is given:
    # such a function gets its arguments as they came.
    if not isinstance(function, FunctionType) or function.__defaults__:
        return None
    code = function.__code__
    if code.co_flags & (CO_VARARGS | CO_VARKEYWORDS) or code.co_kwonlyargcount or code.co_posonlyargcount:
        return None
    # A parameter that is called like one of our own names would hide it.
    names = code.co_varnames[: code.co_argcount]
    return None if _OURS.intersection(names) else names


@lru_cache(maxsize=1024)
def _compiled(slots: tuple[str, str, str], names: tuple[str, ...] | None) -> Callable[..., Any]:
    """Compile the source once for each list of parameters; `None` stands for any."""
    if names is None:
        source = _SOURCE.format(
            slots=slots, parameters="*_arguments, **_keywords", arguments="_arguments", keywords="_keywords"
        )
    else:
        listed = "".join(f"{name}, " for name in names)
        source = _SOURCE.format(slots=slots, parameters=listed, arguments=f"({listed})", keywords="_nothing")
    found: dict[str, Any] = {}
    # Under our own file name: tracebacks for users leave out what stands there.
    exec(compile(source, __file__, "exec"), found)  # our own text and the names of parameters
    return found["recipe"]  # type: ignore[no-any-return]  # edge: compiled
