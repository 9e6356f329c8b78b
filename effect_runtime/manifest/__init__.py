"""What was promised on the wire: a committed manifest, what a change of it means, and golden payloads.

    python -m effect_runtime.manifest check shop.app:app wire.json
    python -m effect_runtime.manifest write shop.app:app wire.json

Knows events, their versions and subscriptions as values. Runs nothing and opens no store.
"""

from __future__ import annotations

from effect_runtime.manifest._change import Change, ChangeKind, Impact, worst
from effect_runtime.manifest._comparison import compare
from effect_runtime.manifest._contract import EventContract, SubscriptionContract, TopicContract, WireManifest
from effect_runtime.manifest._golden import golden_faults, golden_name, verify_golden
from effect_runtime.manifest._present import event_contract, wire_manifest

__all__ = [
    "Change",
    "ChangeKind",
    "EventContract",
    "Impact",
    "SubscriptionContract",
    "TopicContract",
    "WireManifest",
    "compare",
    "event_contract",
    "golden_faults",
    "golden_name",
    "verify_golden",
    "wire_manifest",
    "worst",
]
