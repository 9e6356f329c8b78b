"""May this message pass: validation and access, decided before anything is done.

Pure, except that a policy may be an effect, which the unit of work then runs. Knows no store.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from effect_runtime.dispatch._handlers import Command, Query
from effect_runtime.dispatch._refused import Forbidden, Invalid, Refused
from effect_runtime.dispatch._request import Principal
from effect_runtime.effect import Eff
from effect_runtime.errors import PolicyUndecided, ValidatorUndecided
from effect_runtime.integration import FieldError

Judgement: TypeAlias = Refused | Eff[bool, Any, Any] | None
"""A refusal, a policy that has still to be run, or nothing against it."""


def judge(
    handler: Command[Any, Any, Any, Any] | Query[Any, Any, Any, Any],
    message: Any,
    principal: Principal,
    *,
    nested: bool,
) -> Judgement:
    """Validate a message and authorise its sender, in this order; `nested`: another handler sent it."""
    if handler.validate is not None:
        wrong = _wrong_fields(handler, handler.validate(message))
        if wrong:
            return Invalid(wrong)
    access = handler.access
    if access == "public":
        return None
    if access == "internal":
        return None if nested or principal.is_system else Forbidden(f"{handler.title} is internal.")
    allowed = access(principal, message)
    if isinstance(allowed, Eff):
        return allowed
    return None if decided(handler, allowed) else denied(handler, principal)


def _wrong_fields(
    handler: Command[Any, Any, Any, Any] | Query[Any, Any, Any, Any], answer: object
) -> tuple[FieldError, ...]:
    # A text is iterable, too, and its letters are no fields.
    answered: Iterable[object] = answer if isinstance(answer, Iterable) and not isinstance(answer, str) else (answer,)
    found = tuple(answered)
    wrong = tuple(each for each in found if isinstance(each, FieldError))
    if len(wrong) == len(found):
        return wrong
    raise ValidatorUndecided(handler.title, answer)


def decided(handler: Command[Any, Any, Any, Any] | Query[Any, Any, Any, Any], answer: object) -> bool:
    """Return what a policy answered; raises `PolicyUndecided` for what only happens to be true or false in Python."""
    if isinstance(answer, bool):
        return answer
    raise PolicyUndecided(handler.title, answer)


def denied(handler: Command[Any, Any, Any, Any] | Query[Any, Any, Any, Any], principal: Principal) -> Forbidden:
    """Refuse a principal."""
    return Forbidden(f"{principal.id} may not use {handler.title}.")
