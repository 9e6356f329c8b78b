"""A key's partition: the same in every process, on every machine, in every language.

Python's own `hash` is salted for each process and would send one key two ways.
"""

from __future__ import annotations

from hashlib import blake2b


def partition(key: str, count: int) -> int:
    """Return the partition of a key, from 0 to `count` - 1.

    The first 8 bytes of BLAKE2b (digest size 8) of the key in UTF-8, as a big-endian number, modulo `count`. Another
    `count` moves keys: drain before changing it.

    >>> partition("book-1", 16), partition("", 16), partition("Bücher", 16)
    (10, 4, 2)
    """
    if count < 1:
        raise ValueError(f"There are {count} partitions to choose from. Give at least one.")
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") % count
