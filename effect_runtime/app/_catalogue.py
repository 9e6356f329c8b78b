"""Which handler takes a message that is only known by its name or its class. Knows no running application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen, has

from effect_runtime.app._plan import Plan
from effect_runtime.dispatch import Command, Query, Signature
from effect_runtime.errors import MessageAmbiguous, MessageUnknown
from effect_runtime.integration import FieldErrors, structure_all

Handler = Command[Any, Any, Any, Any] | Query[Any, Any, Any, Any]


@frozen(eq=False)
class Catalogue:
    """The handlers of an application by message class, by title and by class name."""

    _by_class: Mapping[type, tuple[Handler, ...]]
    _by_name: Mapping[str, tuple[Handler, ...]]
    _messages: Mapping[Handler, type]

    @classmethod
    def of(cls, plan: Plan) -> Catalogue:
        """List the handlers of a verified application; only attrs classes can be sent by name."""
        by_class: dict[type, tuple[Handler, ...]] = {}
        by_name: dict[str, tuple[Handler, ...]] = {}
        messages: dict[Handler, type] = {}
        for binding in plan.bindings:
            for handler in (*binding.context.commands, *binding.context.queries):
                signature = handler.signature()
                if not isinstance(signature, Signature) or not isinstance(signature.message, type):
                    continue
                message = signature.message
                by_class[message] = (*by_class.get(message, ()), handler)
                if has(message):
                    messages[handler] = message
                    for name in (handler.title, message.__name__, f"{handler.context}.{message.__name__}"):
                        by_name[name] = (*by_name.get(name, ()), handler)
        return cls(by_class, by_name, messages)

    def handler_of(self, message: object) -> Handler:
        """Return the one handler of a message or of a name."""
        found: tuple[Handler, ...]
        if self.is_name(message):
            found, name = self._by_name.get(str(message), ()), str(message)
        else:
            found, name = self._by_class.get(type(message), ()), type(message).__name__
        if not found:
            raise MessageUnknown(name, known=sorted(handler.title for handler in self._messages))
        handler, *others = found
        if others:
            raise MessageAmbiguous(name, handlers=[each.title for each in found])
        return handler

    def is_name(self, message: object) -> bool:
        """Tell whether a message is only the name of one; where a handler takes text, text is the message itself."""
        return isinstance(message, str) and str not in self._by_class

    def build(self, handler: Handler, fields: Mapping[str, object]) -> object | FieldErrors:
        """Build a handler's message from plain fields, or tell everything that is wrong with them."""
        return structure_all(self._messages[handler], fields)
