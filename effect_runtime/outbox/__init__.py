"""How events leave without loss and arrive once: relay, consumer, dead letters, and the ports of a store.

The stores are public modules to import on purpose: `effect_runtime.outbox.memory`, `effect_runtime.outbox.sqlite`.
"""

from __future__ import annotations

from effect_runtime.outbox._agenda import AGENDA, AgendaState, AgendaStep, Persistence
from effect_runtime.outbox._agenda_workers import AgendaCounts, AgendaWorkers, Desk, VolatileWorkers
from effect_runtime.outbox._breaker import BREAKER, Breaker, BreakerEvent, BreakerState
from effect_runtime.outbox._consumer import Consumer, ConsumerCounts, ConsumerPolicy, Partition
from effect_runtime.outbox._dead_letters import DISCARDED, DeadLetters
from effect_runtime.outbox._health import Blocked, DeliveryStore, DeliveryUnit, Gap, Health, health
from effect_runtime.outbox._inbox import EVENT, Admission, EventState, EventStep
from effect_runtime.outbox._inlet import Admit, Deliver, Inlet, SubscriptionDispatch, inlet_of
from effect_runtime.outbox._interpreters import (
    ForbiddenInterpreter,
    ImmediateInterpreter,
    OutboxInterpreter,
    RecordingInterpreter,
)
from effect_runtime.outbox._janitor import Janitor
from effect_runtime.outbox._lanes import LANE, LaneEvent, LaneState, RelayPolicy
from effect_runtime.outbox._lookout import Lookout
from effect_runtime.outbox._ports import (
    Address,
    AgendaStore,
    AgendaUnit,
    Claimed,
    DeadLetter,
    DeadLetterStore,
    Inbox,
    InboxState,
    InboxStore,
    InboxUnit,
    Kept,
    Lane,
    LentAgenda,
    Place,
    RelayStore,
    RetentionStore,
    Route,
    Settlement,
    Sweep,
    Waiting,
    WaitingReason,
)
from effect_runtime.outbox._pump import Pace
from effect_runtime.outbox._reaction import React, Taker
from effect_runtime.outbox._recording import COLLECTORS as COLLECTORS
from effect_runtime.outbox._recording import SHOWN as SHOWN
from effect_runtime.outbox._recording import RecordedAttempt, RecordedOperation, decoded_recording
from effect_runtime.outbox._recording import face_of as face_of
from effect_runtime.outbox._recording import spelled as spelled
from effect_runtime.outbox._recording import written_arguments as written_arguments
from effect_runtime.outbox._relay import Relay, RelayCounts
from effect_runtime.outbox._replaying import Replays
from effect_runtime.outbox._replaying import replay_all as replay_all
from effect_runtime.outbox._retention import Purged, Retention
from effect_runtime.outbox._running_queues import RunningQueues
from effect_runtime.outbox._volatile_queue import VolatileQueue
from effect_runtime.outbox._wake import Wake
from effect_runtime.outbox._worker import ConsumerStore

__all__ = [
    "AGENDA",
    "BREAKER",
    "DISCARDED",
    "EVENT",
    "LANE",
    "Address",
    "Admission",
    "Admit",
    "AgendaCounts",
    "AgendaState",
    "AgendaStep",
    "AgendaStore",
    "AgendaUnit",
    "AgendaWorkers",
    "Blocked",
    "Breaker",
    "BreakerEvent",
    "BreakerState",
    "Claimed",
    "Consumer",
    "ConsumerCounts",
    "ConsumerPolicy",
    "ConsumerStore",
    "DeadLetter",
    "DeadLetterStore",
    "DeadLetters",
    "Deliver",
    "DeliveryStore",
    "DeliveryUnit",
    "Desk",
    "EventState",
    "EventStep",
    "ForbiddenInterpreter",
    "Gap",
    "Health",
    "ImmediateInterpreter",
    "Inbox",
    "InboxState",
    "InboxStore",
    "InboxUnit",
    "Inlet",
    "Janitor",
    "Kept",
    "Lane",
    "LaneEvent",
    "LaneState",
    "LentAgenda",
    "Lookout",
    "OutboxInterpreter",
    "Pace",
    "Partition",
    "Persistence",
    "Place",
    "Purged",
    "React",
    "RecordedAttempt",
    "RecordedOperation",
    "RecordingInterpreter",
    "Relay",
    "RelayCounts",
    "RelayPolicy",
    "RelayStore",
    "Replays",
    "Retention",
    "RetentionStore",
    "Route",
    "RunningQueues",
    "Settlement",
    "SubscriptionDispatch",
    "Sweep",
    "Taker",
    "VolatileQueue",
    "VolatileWorkers",
    "Waiting",
    "WaitingReason",
    "Wake",
    "decoded_recording",
    "health",
    "inlet_of",
]
