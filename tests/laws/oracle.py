"""The oracle: what programs mean, said again by recursion: slow, but short enough to believe."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel

from effect_runtime import effect as e
from effect_runtime.errors import UnhandledFailure
from tests.laws.world import Env

Closing = list[Callable[[], Coroutine[Any, Any, Any]]]
"""What the scope around a program will run at its end, last first."""


async def oracle(eff: Any, env: Env) -> Any:
    """Return the value of a program, or raise `Raised`, the defect or the cancellation."""
    closing: Closing = []
    return await closed(partial(mean, eff, env, closing), closing)


async def mean(eff: Any, env: Env, closing: Closing) -> Any:
    """Say what one effect means inside the scope that owns `closing`."""

    async def of(inner: Any) -> Any:
        return await mean(inner, env, closing)

    async def folded(source: Any, succeeded: Any, failed: Any) -> Any:
        try:
            value = await of(source)
        except e.Raised as signal:
            return await of(failed(signal))
        return await of(succeeded(value))

    def again(signal: e.Raised) -> Any:
        raise signal

    def as_caught(signal: e.Raised) -> Any:
        return eff.handler(signal.error) if isinstance(signal.error, eff.kind) else again(signal)

    match eff:
        case e.Pure():
            return eff.value
        case e.Fail():
            raise e.Raised(eff.error)
        case e.Die():
            raise eff.exception
        case e.Ask():
            return env
        case e.Operation():
            return await of(e.from_result(await eff.function(*eff.call, **eff.kwargs)))
        case e.FromAsync():
            return await eff.function(*eff.arguments, **eff.keywords)
        case e.FromSync() | e.FromBlocking():
            return eff.function(*eff.arguments, **eff.keywords)
        case e.Defer():
            return await of(eff.function())
        case e.Block():
            return await walked(iter(eff), of)
        case e.Map():
            return eff.function(await of(eff.source))
        case e.Bind():
            return await of(eff.function(await of(eff.source)))
        case e.Fold():
            return await folded(eff.source, eff.succeeded, lambda signal: eff.failed(signal.error))
        case e.Caught():
            return await folded(eff.source, e.Pure, as_caught)
        case e.Attempt():
            return await folded(eff.source, as_pure(e.Succeeded), lambda signal: e.Pure(e.Failed(signal.error)))
        case e.ExitOf():
            try:
                return await of(e.attempt(eff.source))
            except Exception as defect:
                return e.Died(defect)
        case e.Local():
            return await mean(eff.source, eff.function(env), closing)
        case e.Timeout():
            return await of(eff.source)
        case e.Uninterruptible():
            with anyio.CancelScope(shield=True):
                return await of(eff.source)
        case e.Ensure():
            return await closed(partial(of, eff.source), [partial(oracle, eff.finalizer, env)])
        case e.Acquire():
            opened = await of(eff.source)
            closing.append(lambda: oracle(e.Defer(lambda: eff.close(opened)), env))
            return opened
        case e.Scoped():
            own: Closing = []
            return await closed(partial(grouped, partial(mean, eff.source, env, own)), own)
        case e.ForEach():
            return tuple([await of(eff.function(item)) for item in eff.items])
        case e.Retry():
            return await tried(eff, of)
        case e.Repeat():
            return [await of(eff.source) for _ in range(1 + (eff.schedule.limit or 0))][-1]
        case e.Fork():
            return (await ends([partial(of, eff.source)]))[0]
        case e.Join():
            end: Any = eff.fiber
            return end()
        case _:
            return joined(eff, await ends([partial(of, source) for source in eff.sources]))


def as_pure(wrap: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return `wrap`, answering with an effect."""
    return lambda value: e.Pure(wrap(value))


async def walked(block: Any, of: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    """Run a do-block: it is told every value and every error, and cannot swallow a cancellation."""
    step = partial(next, block)
    while True:
        try:
            inner = step()
        except StopIteration as stop:
            return stop.value
        finally:
            await anyio.lowlevel.checkpoint_if_cancelled() if step.func == block.throw else None
        try:
            step = partial(block.send, await of(inner))
        except BaseException as error:
            step = partial(block.throw, error)


async def tried(eff: e.Retry, of: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    """Try again until the schedule says no."""
    for _ in range(eff.schedule.limit or 0):
        try:
            return await of(eff.source)
        except e.Raised as signal:
            if not eff.schedule.covers(signal.error):
                raise
    return await of(eff.source)


async def grouped(run: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run inside a task group, as a scope does: leaving it is a place where a cancellation is seen."""
    found: list[Callable[[], Any]] = []
    async with anyio.create_task_group() as group:
        found += await ends([run], at_once=False)
        group.cancel_scope.cancel()
    return found[0]()


async def ends(runs: list[Callable[[], Coroutine[Any, Any, Any]]], *, at_once: bool = True) -> list[Callable[[], Any]]:
    """Run each to its end, one after another, and return what ends as each did; a cancellation passes."""
    found: list[Callable[[], Any]] = []
    for run in runs:
        try:
            found.append(partial(_return, await run()))
        except (e.Raised, Exception) as error:
            found.append(partial(_raise, error))
    if at_once:
        await anyio.lowlevel.checkpoint_if_cancelled()
    return found


def _return(value: Any) -> Any:
    return value


def _raise(error: BaseException) -> Any:
    raise error


def errors_of(found: list[Callable[[], Any]]) -> list[BaseException]:
    """Return what went wrong, in order."""
    return [end.args[0] for end in found if end.func is _raise]  # type: ignore[attr-defined]  # it is a partial


def joined(eff: Any, found: list[Callable[[], Any]]) -> Any:
    """Say how programs that ran at once end together."""
    errors = errors_of(found)
    failures = [error.error for error in errors if isinstance(error, e.Raised)]
    if isinstance(eff, e.Validate) and failures and len(failures) == len(errors):
        raise e.Raised(tuple(failures))
    if isinstance(eff, e.Race) and len(failures) == len(errors) < len(found):
        return next(end() for end in found if end.func is _return)  # type: ignore[attr-defined]  # it is a partial
    if errors:
        raise blamed(errors)
    return tuple(end() for end in found)


async def closed(run: Callable[[], Coroutine[Any, Any, Any]], closing: Closing) -> Any:
    """Run, then everything that is to be closed, last first, whatever happens; then end as the worst of them."""
    value, errors = None, []
    try:
        value = await run()
    except BaseException as error:
        errors.append(error)
    for close in reversed(closing):
        with anyio.CancelScope(shield=True):
            try:
                await close()
            except e.Raised as signal:
                errors.append(UnhandledFailure(signal.error))
            except BaseException as error:
                errors.append(error)
    if errors:
        raise blamed(errors)
    return value


def blamed(errors: list[BaseException]) -> BaseException:
    """Choose: the host's cancellation, else the defects, else the first failure."""
    defects = [error for error in dict.fromkeys(errors) if isinstance(error, Exception)]
    hosts = [error for error in errors if not isinstance(error, (Exception, e.Raised))]
    if hosts or not defects:
        return (hosts or errors)[0]
    return defects[0] if len(defects) == 1 else ExceptionGroup("defects", defects)
