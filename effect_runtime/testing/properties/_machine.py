"""A generated state machine: random commands through the doors of a production application, beside a model.

The application runs on virtual time, over stores in memory. Knows no rule of anybody's domain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final, TypeVar

from attrs import frozen
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from hypothesis.strategies import SearchStrategy

from effect_runtime.app import App
from effect_runtime.dispatch import Binding, Command, Principal, anonymous
from effect_runtime.effect import Died, Operation, Succeeded
from effect_runtime.errors import ModelDisagrees, NotSimulated
from effect_runtime.events import DomainEvent
from effect_runtime.integration import Topic
from effect_runtime.interpreter import Perform
from effect_runtime.testing.properties._derivation import Derivation
from effect_runtime.testing.properties._invariants import Invariant, hold
from effect_runtime.testing.properties._learning import id_kinds, ids_in, ids_of
from effect_runtime.testing.properties._messages import Handler, Overrides, Pools, handler_of, message_of, signature_of
from effect_runtime.testing.properties._model import Model, PassingModel, Watched
from effect_runtime.testing.properties._subject import Subject, app_of

A = TypeVar("A")

_KNOWN: Final = 8
"""How many numbers stand for the oldest ids that the application knows; as many after them for the newest.

They keep their meaning when a run is made shorter.
"""

_STRANGERS: Final = 4
"""How many numbers stand for an id that nobody knows yet: one draw in five."""

_PATIENCE: Final = 8
"""After how many steps a command is sent although nobody has made an id that it asks for."""


@frozen(eq=False, kw_only=True)
class Script:
    """What all runs of one machine share."""

    app: App
    model: Callable[[], Model]
    invariants: tuple[Invariant, ...]
    principal: Principal
    given: tuple[tuple[Handler, Any], ...]
    strict: bool


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
        self._subject = Subject(self.script.app, self._intercept, strict=self.script.strict)
        try:
            for handler, message in self.script.given:
                self.send(handler, message)
        except BaseException:
            self.teardown()
            raise

    def id_of(self, kind: Any, made_up: Sequence[Any], number: int) -> Any:
        """Return an id of a type: the application's own by their age, and by the last numbers one nobody knows yet."""
        learned = self._learned.get(kind)
        if learned is None:
            return made_up[number % len(made_up)]
        known = [*learned]
        if number < _KNOWN:
            return known[number % len(known)]
        strangers = [id for id in made_up if id not in learned] if number >= 2 * _KNOWN else []
        return strangers[0] if strangers else known[-1 - number % len(known)]

    def knows(self, kinds: frozenset[Any]) -> bool:
        """Tell whether ids of all these types have been met. After some steps without any, it is time to go on."""
        return kinds <= self._learned.keys() or len(self.story) >= _PATIENCE

    def send(self, handler: Handler, message: Any) -> None:
        """Send a message under a new id, wait until all is quiet, and compare its exit with the model's."""
        number = f"step-{len(self.story) + 1}"
        self._watched = Watched(self._subject.now)
        exit = self._ask(handler, message, number)
        if isinstance(exit, Succeeded):
            self._learn(ids_in(exit.value, signature_of(handler).answer))
            if isinstance(handler, Command):
                self._done.append((handler, message, number, exit))
        expected = self._expected(handler, message)
        self._let_pass()
        self._check(f"{handler.name}({message!r})", exit, expected)

    @precondition(lambda self: self._done)
    @rule(which=st.integers(min_value=0, max_value=7))
    def asks_again(self, which: int) -> None:
        """A command that succeeded is answered the same under its id, and nothing happens."""
        handler, message, number, expected = self._done[-1 - which % len(self._done)]
        exit = self._ask(handler, message, number)
        self._check(f"{handler.name}({message!r}), asked again under its id {number!r}", exit, expected)

    def wait(self, duration: timedelta) -> None:
        """Let time pass in the application and in its model, and look at every invariant."""
        self._watched = Watched(self._subject.now)
        self._subject.wait(duration)
        self._let_pass()
        self.story.append(f"{duration} passes  # it is {self._subject.now:%Y-%m-%d %H:%M:%S}")
        self._look()

    def restart(self) -> None:
        """Kill the process and begin another, and look at every invariant: what is committed is all that counts."""
        self._watched = Watched(self._subject.now)
        self._subject.restart()
        self.story.append("the process dies, and another begins")
        self._look()

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
        self._look()

    def _expected(self, handler: Handler, message: Any) -> Any:
        try:
            return self.model.apply(message, self._watched)
        except Exception as error:
            error.add_note(f"raised by the model, asked for {handler.name}({message!r})")
            raise

    def _let_pass(self) -> None:
        """Tell the model what time it is, if it cares."""
        if isinstance(self.model, PassingModel):
            self.model.passes(self._subject.now, self._watched)

    def _look(self) -> None:
        hold(self.script.invariants, self.model, self._subject.read, self.story)

    def _intercept(self, perform: Perform) -> Perform:
        async def watched(operation: Operation, runtime: Any) -> Any:
            answer = await perform(operation, runtime)
            self._watched.watch(operation, answer, runtime)
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
    passing: Sequence[timedelta] = (),
    restarts: bool = False,
    strict: bool = True,
    pools: Pools | None = None,
    overrides: Overrides | None = None,
) -> type[CommandMachine]:
    """Return a state machine for hypothesis that sends random commands to an application and asks a model.

    `subject` is an application, or one context bound to its store. Each run starts it anew on virtual time, over empty
    stores in memory (SQLite stays SQLite), and sends the commands `given`. After each command everything is delivered;
    then its whole exit must be the model's, and every invariant must hold. A command that is asked again under its id
    must answer the same. Ids that the application made are met by later commands. `handlers` are all commands that
    `principal` may send, unless it names some, queries among them. `pools` and `overrides` as for `commands_of`.

    Between commands one of the durations `passing` may pass, so that what is due happens: a `PassingModel` is told.
    With `restarts` the process may die between two commands, too, and another begins with what is committed; the model
    stays as it is, for nothing that was answered may be forgotten. `strict` refuses real clocks, chance, threads and
    sockets, which no model can follow.

    Run it by its `TestCase`, or by hypothesis's `run_state_machine_as_test`.
    """
    app = app_of(subject)
    derivation = Derivation(pools or {}, overrides or {}, _met)
    chosen = tuple(handlers) if handlers is not None else tuple(_sendable(app, principal))
    if not chosen:
        reason = f"there is no command that {principal.id!r} may send; name handlers=, or send as another principal="
        raise NotSimulated(f"a machine of {app.name!r}", reason=reason)
    for duration in passing:
        if duration <= timedelta(0):
            raise NotSimulated(f"a machine in which {duration} passes", reason="time passes forwards; give more than 0")
    script = Script(
        app=app,
        model=model,
        invariants=tuple(invariants),
        principal=principal,
        strict=strict,
        given=tuple((handler_of(app, message), message) for message in given),
    )
    names = [handler.name for handler in chosen]
    rules = {
        handler.name if names.count(handler.name) == 1 else f"{handler.context}_{handler.name}": handler
        for handler in chosen
    }
    awaited = _awaited(chosen)
    members: dict[str, Any] = {
        name: _rule(name, handler, derivation, awaited[handler]) for name, handler in rules.items()
    }
    if passing:
        members["time_passes"] = _passing(passing)
    if restarts:
        members["process_restarts"] = rule()(_process_restarts)
    return type(f"{app.name.title()}Machine", (CommandMachine,), {**members, "script": script, "__doc__": _TITLE})


_TITLE = "Random commands through an application, beside its model."


def _sendable(app: App, principal: Principal) -> Iterator[Handler]:
    for binding in app.bindings:
        for command in binding.context.commands:
            if command.access != "internal" or principal.is_system:
                yield command


def _awaited(handlers: Sequence[Handler]) -> dict[Handler, frozenset[Any]]:
    """Say which types of ids a handler waits for, because others answer with them: it would only hear "unknown"."""
    made = {kind for handler in handlers for kind in id_kinds(signature_of(handler).answer)}
    awaited = {each: made.intersection(id_kinds(signature_of(each).message)) for each in handlers}
    if all(awaited.values()):  # somebody must begin
        return dict.fromkeys(handlers, frozenset())
    return {each: frozenset(kinds) for each, kinds in awaited.items()}


def _rule(name: str, handler: Handler, derivation: Derivation, awaited: frozenset[Any]) -> Any:
    def send(self: CommandMachine, message: Any) -> None:
        self.send(handler, message)

    send.__name__ = name
    return precondition(lambda self: self.knows(awaited))(rule(message=message_of(handler, derivation))(send))


def _passing(durations: Sequence[timedelta]) -> Any:
    def time_passes(self: CommandMachine, duration: timedelta) -> None:
        self.wait(duration)

    return rule(duration=st.sampled_from(sorted(durations)))(time_passes)


def _process_restarts(self: CommandMachine) -> None:
    self.restart()


def _met(kind: Any, made_up: Sequence[Any]) -> SearchStrategy[Any]:
    """Draw from the ids that the running machine has met."""
    numbers = st.tuples(st.runner(), st.integers(min_value=0, max_value=2 * _KNOWN + _STRANGERS - 1))
    return numbers.map(lambda drawn: drawn[0].id_of(kind, made_up, drawn[1]))
