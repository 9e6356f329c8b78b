"""A generated state machine: random commands through the doors of a production application, beside a model.

The application runs on virtual time, over stores in memory. Knows no rule of anybody's domain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, Final, Protocol, TypeAlias, TypeVar

from attrs import frozen
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from hypothesis.strategies import SearchStrategy

from effect_runtime.app import App
from effect_runtime.dispatch import Binding, Command, Principal, anonymous
from effect_runtime.effect import Died, Eff, Operation, Succeeded
from effect_runtime.errors import InvariantBroken, ModelDisagrees
from effect_runtime.events import DomainEvent
from effect_runtime.integration import Topic
from effect_runtime.interpreter import Perform
from effect_runtime.testing.properties._derivation import Derivation
from effect_runtime.testing.properties._learning import ids_in, ids_of
from effect_runtime.testing.properties._messages import Handler, Overrides, Pools, message_of, signature_of
from effect_runtime.testing.properties._model import Model, Watched
from effect_runtime.testing.properties._subject import Subject, app_of

A = TypeVar("A")


_STRANGER: Final = 8
"""How many numbers stand for ids that the application knows. They keep their meaning when a run is made shorter."""


class Read(Protocol):
    """Answer with the value of a query that must succeed, asked at the application's door."""

    def __call__(self, effect: Eff[A, Any, Any], /) -> A:
        """Ask."""
        ...


Invariant: TypeAlias = Callable[[Any, Read], bool]
"""Something that must hold of a model and of what can be read, after every step. The function's name is the claim."""


@frozen(eq=False, kw_only=True)
class Script:
    """What all runs of one machine share."""

    app: App
    model: Callable[[], Model]
    invariants: tuple[Invariant, ...]
    principal: Principal
    given: tuple[tuple[Handler, Any], ...]


class CommandMachine(RuleBasedStateMachine):
    """One run: an application, its model, and what was sent so far. Its rules are made by `machine_of`."""

    script: ClassVar[Script]

    def __init__(self) -> None:
        super().__init__()
        self.model = self.script.model()
        self.story: list[str] = []
        self._done: list[tuple[Handler, Any, str, Any]] = []
        self._learned: dict[Any, dict[Any, None]] = {}
        self._watched = Watched()
        self._subject = Subject(self.script.app, self._intercept)
        try:
            for handler, message in self.script.given:
                self.send(handler, message)
        except BaseException:
            self.teardown()
            raise

    def id_of(self, kind: Any, made_up: Sequence[Any], number: int) -> Any:
        """Return an id of a type: the application's own by their age, and by the last number one nobody knows yet."""
        learned = self._learned.get(kind)
        if learned is None:
            return made_up[number % len(made_up)]
        strangers = [id for id in made_up if id not in learned] if number == _STRANGER else []
        return strangers[0] if strangers else [*learned][number % len(learned)]

    def send(self, handler: Handler, message: Any) -> None:
        """Send a message under a new id, wait until all is quiet, and compare its exit with the model's."""
        number = f"step-{len(self.story) + 1}"
        self._watched = Watched(self._subject.now)
        exit = self._ask(handler, message, number)
        if isinstance(exit, Succeeded):
            self._learn(ids_in(exit.value, signature_of(handler).answer))
            if isinstance(handler, Command):
                self._done.append((handler, message, number, exit))
        expected = self.model.apply(message, self._watched)
        self._check(f"{handler.name}({message!r})", exit, expected)

    @precondition(lambda self: self._done)
    @rule(which=st.integers(min_value=0, max_value=7))
    def asks_again(self, which: int) -> None:
        """A command that succeeded is answered the same under its id, and nothing happens."""
        handler, message, number, expected = self._done[-1 - which % len(self._done)]
        exit = self._ask(handler, message, number)
        self._check(f"{handler.name}({message!r}), asked again under its id {number!r}", exit, expected)

    def teardown(self) -> None:
        """Stop."""
        self._subject.dispose()

    def _ask(self, handler: Handler, message: Any, number: str) -> Any:
        exit = self._subject.ask(handler(message), number, self.script.principal)
        self.story.append(f"{handler.name}({message!r})  # {number}: {exit!r}")
        return exit

    def _check(self, message: str, exit: Any, expected: Any) -> None:
        """Compare an exit with what it must be, and look at every invariant."""
        if exit != expected:
            cause = exit.exception if isinstance(exit, Died) else None
            raise ModelDisagrees(message, exit=repr(exit), expected=repr(expected), story=self.story) from cause
        for claim in self.script.invariants:
            if not claim(self.model, self._subject.read):
                raise InvariantBroken(claim.__name__, story=self.story)

    def _intercept(self, perform: Perform) -> Perform:
        async def watched(operation: Operation, runtime: Any) -> Any:
            answer = await perform(operation, runtime)
            self._watched.watch(operation, answer)
            for told in operation.args:
                if isinstance(told, DomainEvent | Topic):
                    self._learn(ids_of(told))
            return answer

        return watched

    def _learn(self, found: Iterator[tuple[Any, Any]]) -> None:
        for kind, id in found:
            self._learned.setdefault(kind, {})[id] = None


def machine_of(
    subject: App | Binding,
    *,
    model: Callable[[], Model],
    invariants: Sequence[Invariant] = (),
    given: Iterable[Any] = (),
    handlers: Iterable[Handler] | None = None,
    principal: Principal = anonymous,
    pools: Pools | None = None,
    overrides: Overrides | None = None,
) -> type[CommandMachine]:
    """Return a state machine for hypothesis that sends random commands to an application and asks a model.

    `subject` is an application, or one context bound to its store. Each run starts it anew on virtual time, over empty
    stores in memory (SQLite stays SQLite), and sends the commands `given`. After each command everything is delivered;
    then its whole exit must be the model's, and every invariant must hold. A command that is asked again under its id
    must answer the same. Ids that the application made are met by later commands. `handlers` are all commands that
    `principal` may send, unless it names some, queries among them. `pools` and `overrides` as for `commands_of`.

    Run it by its `TestCase`, or by hypothesis's `run_state_machine_as_test`.
    """
    app = app_of(subject)
    derivation = Derivation(pools or {}, overrides or {}, _met)
    chosen = tuple(handlers) if handlers is not None else tuple(_sendable(app, principal))
    known = {signature_of(each).message: each for binding in app.bindings for each in binding.context.commands}
    script = Script(
        app=app,
        model=model,
        invariants=tuple(invariants),
        principal=principal,
        given=tuple((known[type(message)], message) for message in given),
    )
    names = [handler.name for handler in chosen]
    rules = {
        handler.name if names.count(handler.name) == 1 else f"{handler.context}_{handler.name}": handler
        for handler in chosen
    }
    members: dict[str, Any] = {name: _rule(name, handler, derivation) for name, handler in rules.items()}
    return type(f"{app.name.title()}Machine", (CommandMachine,), {**members, "script": script, "__doc__": _TITLE})


_TITLE = "Random commands through an application, beside its model."


def _sendable(app: App, principal: Principal) -> Iterator[Handler]:
    for binding in app.bindings:
        for command in binding.context.commands:
            if command.access != "internal" or principal.is_system:
                yield command


def _rule(name: str, handler: Handler, derivation: Derivation) -> Any:
    def send(self: CommandMachine, message: Any) -> None:
        self.send(handler, message)

    send.__name__ = name
    return rule(message=message_of(handler, derivation))(send)


def _met(kind: Any, made_up: Sequence[Any]) -> SearchStrategy[Any]:
    """Draw from the ids that the running machine has met."""
    numbers = st.tuples(st.runner(), st.integers(min_value=0, max_value=_STRANGER))
    return numbers.map(lambda drawn: drawn[0].id_of(kind, made_up, drawn[1]))
