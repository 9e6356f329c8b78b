"""A found plan as one word that can be pasted: the kit's version, what the program was, who came, and the deviations.

Sites and alternatives go by their names, so that a plan survives edits that do not touch them.
"""

from __future__ import annotations

import json
import re
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, Final, get_args

from attrs import frozen

from effect_runtime.errors import BlobUnreadable
from effect_runtime.testing.loop._sequencer import Order
from effect_runtime.testing.loop._site import Alternative, Kind, Site
from effect_runtime.testing.world._process import OnCrash

VERSION: Final = "sim1"
DIGITS: Final = 12
"""How much of a digest is written down."""

_VERSIONED: Final = re.compile(r"sim\d+")


@frozen(kw_only=True)
class Blob:
    """What it takes to repeat a run: `programs` are the numbers of each client's programs that are begun.

    `digest` tells what the program did when nothing deviated, `run_digest` what it did in this run; other ones mean
    that it has changed since. Blobs of before there was one have no `run_digest`.
    """

    digest: str
    run_digest: str
    order: Order
    on_crash: OnCrash
    programs: Sequence[tuple[str, tuple[int, ...]]]
    deviations: Sequence[tuple[Site, Alternative]]

    def __str__(self) -> str:
        content = [
            self.digest + self.run_digest,
            self.order,
            self.on_crash,
            [[name, *numbers] for name, numbers in self.programs],
            [[*site, title] for site, title in self.deviations],
        ]
        packed = zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 9)
        return f"{VERSION}:{urlsafe_b64encode(packed).decode().rstrip('=')}"

    @classmethod
    def of(cls, text: str) -> Blob:
        """Read a blob; raises `errors.BlobUnreadable` when it is none, or one of another version of the kit."""
        version, _, packed = text.strip().partition(":")
        if version != VERSION:
            other = _VERSIONED.fullmatch(version)
            reason = (
                f"it is of version {version}, and this kit reads {VERSION}"
                if other
                else f"it does not begin with {VERSION}:"
            )
            raise BlobUnreadable(text, reason=reason)
        try:
            content = json.loads(zlib.decompress(urlsafe_b64decode(packed + "=" * (-len(packed) % 4))))
            return cls._read(*content)
        except (ValueError, TypeError, zlib.error) as error:
            raise BlobUnreadable(text, reason="it is damaged") from error

    @classmethod
    def _read(cls, digest: str, order: Any, on_crash: Any, programs: Any, deviations: Any) -> Blob:
        if order not in get_args(Order) or on_crash not in get_args(OnCrash):
            raise ValueError(order, on_crash)
        if any(kind not in get_args(Kind) for *_, kind, _ in deviations):
            raise ValueError(deviations)
        return cls(
            digest=digest[:DIGITS],
            run_digest=digest[DIGITS:],
            order=order,
            on_crash=on_crash,
            programs=tuple((name, tuple(numbers)) for name, *numbers in programs),
            deviations=tuple((Site(*site), title) for *site, title in deviations),
        )


class Named:
    """Deviate where a blob says, by the names of the alternatives. `missed` are the sites that have vanished."""

    def __init__(self, deviations: Sequence[tuple[Site, Alternative]]) -> None:
        self._titles = dict(deviations)
        self._met: set[Site] = set()

    def choose(self, site: Site, alternatives: Sequence[Alternative]) -> int:
        """Return what was named, if the site offers it; else 0."""
        title = self._titles.get(site)
        if title is None or title not in alternatives:
            return 0
        self._met.add(site)
        return alternatives.index(title)

    @property
    def missed(self) -> tuple[Site, ...]:
        """Return the sites that have not come up, or no longer offer what was named."""
        return tuple(site for site in self._titles if site not in self._met)
