"""What a volatile queue holds, without anybody who works on it."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.outbox._volatile import VolatileEntry, VolatileLanes


def items(entries: tuple[VolatileEntry[str], ...]) -> list[str]:
    """Return what was given out."""
    return [entry.item for entry in entries]


def test_items_without_a_lane_are_given_out_in_their_order() -> None:
    """As many as are asked for, the oldest first."""
    lanes: VolatileLanes[str] = VolatileLanes(9)
    for item in ("a", "b", "c"):
        lanes.offer(item, lane=None, now=1.0)
    assert items(lanes.claim(2, now=1.0)) == ["a", "b"]
    assert items(lanes.claim(2, now=1.0)) == ["c"]
    assert lanes.in_work == 3


def test_of_a_lane_only_the_head_is_given_out() -> None:
    """The next follows when it has ended, and other lanes do not wait for it."""
    lanes: VolatileLanes[str] = VolatileLanes(9)
    for item in ("a1", "a2", "b1"):
        lanes.offer(item, lane=item[0], now=1.0)
    head, other = lanes.claim(9, now=1.0)
    assert (head.item, other.item) == ("a1", "b1")
    lanes.ended(head, now=2.0)
    assert items(lanes.claim(9, now=2.0)) == ["a2"]


def test_a_failed_item_stays_the_head_of_its_lane_until_it_is_due_again() -> None:
    """It remembers how often it was tried, and why it failed."""
    lanes: VolatileLanes[str] = VolatileLanes(9)
    for item in ("a1", "a2"):
        lanes.offer(item, lane="a", now=1.0)
    (head,) = lanes.claim(9, now=1.0)
    lanes.failed(head, due=5.0, error="broken")
    assert lanes.claim(9, now=4.9) == ()
    assert lanes.next_due() == 5.0
    (again,) = lanes.claim(9, now=5.0)
    assert (again.item, again.attempts, again.history) == ("a1", 1, ("broken",))


def test_an_item_that_was_not_tried_comes_back_without_an_attempt() -> None:
    """As after trouble of the store."""
    lanes: VolatileLanes[str] = VolatileLanes(9)
    lanes.offer("a", lane=None, now=1.0)
    (entry,) = lanes.claim(1, now=1.0)
    lanes.returned(entry, due=3.0)
    (again,) = lanes.claim(1, now=3.0)
    assert (again.attempts, again.history) == (0, ())


def test_no_more_is_held_than_its_capacity() -> None:
    """Items in work count, because they may come back."""
    lanes: VolatileLanes[str] = VolatileLanes(2)
    assert [lanes.offer(item, lane=None, now=0.0) for item in "abc"] == [True, True, False]
    first, _ = lanes.claim(2, now=0.0)
    assert lanes.offer("c", lane=None, now=0.0) is False
    lanes.ended(first, now=0.0)
    assert (lanes.room, lanes.offer("c", lane=None, now=0.0), len(lanes)) == (1, True, 2)


@given(st.lists(st.tuples(st.sampled_from(["offer", "claim", "ended", "failed"]), st.sampled_from([None, "x", "y"]))))
def test_every_history_keeps_each_item_once_and_each_lane_in_order(history: list[tuple[str, str | None]]) -> None:
    """Whatever happens: no item is out twice, a lane has one in work, its items end in the order of their coming."""
    lanes: VolatileLanes[int] = VolatileLanes(5)
    out: list[VolatileEntry[int]] = []
    ended: dict[str | None, list[int]] = defaultdict(list)
    held, now = 0, 0.0
    for number, (step, lane) in enumerate(history):
        now += 1.0
        if step == "offer":
            held += lanes.offer(number, lane=lane, now=now)
        elif step == "claim":
            out += lanes.claim(1, now=now)
        elif out:
            entry = out.pop(number % len(out))
            if step == "ended":
                lanes.ended(entry, now=now)
                ended[entry.lane].append(entry.item)  # type: ignore[index]  # this test's lanes are strings
                held -= 1
            else:
                lanes.failed(entry, due=now + 2.0, error="e")
        keyed = [entry.lane for entry in out if entry.lane is not None]
        assert len(keyed) == len(set(keyed))
        assert (len(lanes), lanes.in_work) == (held, len(out))
    for lane, numbers in ended.items():
        assert lane is None or numbers == sorted(numbers)
