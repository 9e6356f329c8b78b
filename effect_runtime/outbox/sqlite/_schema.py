"""The library's own tables, as migrations. A step that was released is never edited; a change is a new step.

Times are microseconds since 1970. A lane, a waiting row or an entry of the agenda that is lent has the end of its lease
as `due`, so that one partial index finds all that may be lent, in order, without touching what stands behind the heads.
"""

from __future__ import annotations

from typing import Final

from effect_runtime.outbox.sqlite._migration import Migration

_UNITS: Final = (
    """CREATE TABLE er_command(
        id TEXT PRIMARY KEY, fingerprint BLOB NOT NULL, body BLOB NOT NULL, at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE er_audit(
        position INTEGER PRIMARY KEY, at INTEGER NOT NULL, context TEXT NOT NULL, command TEXT NOT NULL,
        command_id TEXT NOT NULL, principal TEXT NOT NULL, outcome TEXT NOT NULL, correlation TEXT NOT NULL) STRICT""",
)

# Events have no AUTOINCREMENT: nothing uses a position as a cursor, and the counter's page would be written by every
# commit. Lanes and letters have it: the one's ids say which is older, the other's positions where a list goes on, and
# neither may be given again after a delete.
_OUTBOX: Final = (
    """CREATE TABLE er_sequence(
        topic TEXT NOT NULL, key TEXT NOT NULL, last INTEGER NOT NULL,
        PRIMARY KEY (topic, key)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE er_outbox(
        position INTEGER PRIMARY KEY, event TEXT NOT NULL UNIQUE, topic TEXT NOT NULL, key TEXT,
        sequence INTEGER, source TEXT NOT NULL, type TEXT NOT NULL, version INTEGER NOT NULL, time INTEGER NOT NULL,
        correlation TEXT NOT NULL, causation TEXT, traceparent TEXT, tracestate TEXT, tenant TEXT, data BLOB NOT NULL,
        at INTEGER NOT NULL) STRICT""",
    "CREATE UNIQUE INDEX er_outbox_line ON er_outbox(topic, key, sequence) WHERE key IS NOT NULL",
    """CREATE TABLE er_route(
        topic TEXT NOT NULL, destination TEXT NOT NULL, PRIMARY KEY (topic, destination)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE er_lane(
        id INTEGER PRIMARY KEY AUTOINCREMENT, destination TEXT NOT NULL, topic TEXT NOT NULL, key TEXT, event TEXT,
        last INTEGER NOT NULL, latest INTEGER NOT NULL, due INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
        history TEXT NOT NULL DEFAULT '[]', owner TEXT, token INTEGER NOT NULL DEFAULT 0,
        blocked INTEGER NOT NULL DEFAULT 0, CHECK ((key IS NULL) <> (event IS NULL))) STRICT""",
    "CREATE UNIQUE INDEX er_lane_key ON er_lane(destination, topic, key) WHERE key IS NOT NULL",
    "CREATE UNIQUE INDEX er_lane_event ON er_lane(destination, event) WHERE event IS NOT NULL",
    "CREATE INDEX er_lane_due ON er_lane(destination, due) WHERE latest > last AND blocked = 0",
    "CREATE INDEX er_lane_blocked ON er_lane(destination) WHERE blocked = 1",
)

# What is found by its own key alone lives in that key's tree (WITHOUT ROWID): one page for each, not two. Waiting
# rows do not: they carry whole messages, and large rows make such a tree deep.
_INBOX: Final = (
    """CREATE TABLE er_inbox(
        subscription TEXT NOT NULL, event TEXT NOT NULL, outcome TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (subscription, event)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE er_mark(
        subscription TEXT NOT NULL, topic TEXT NOT NULL, key TEXT NOT NULL, mark INTEGER,
        blocked INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (subscription, topic, key)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE er_waiting(
        subscription TEXT NOT NULL, event TEXT NOT NULL, topic TEXT NOT NULL, key TEXT, sequence INTEGER,
        reason TEXT NOT NULL, body BLOB NOT NULL, since INTEGER NOT NULL, due INTEGER, attempts INTEGER NOT NULL,
        history TEXT NOT NULL, replayed INTEGER NOT NULL, PRIMARY KEY (subscription, event)) STRICT""",
    "CREATE INDEX er_waiting_due ON er_waiting(subscription, due, event) WHERE due IS NOT NULL",
    """CREATE INDEX er_waiting_line ON er_waiting(subscription, topic, key, sequence, event)
        WHERE key IS NOT NULL AND sequence IS NOT NULL""",
    "CREATE INDEX er_waiting_gap ON er_waiting(since, event) WHERE reason = 'gap'",
    """CREATE TABLE er_dead(
        position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, side TEXT NOT NULL,
        destination TEXT NOT NULL, topic TEXT, key TEXT, sequence INTEGER, event TEXT, type TEXT, body BLOB NOT NULL,
        cause TEXT NOT NULL, history TEXT NOT NULL, attempts INTEGER NOT NULL, blocks INTEGER NOT NULL,
        at INTEGER NOT NULL, state TEXT NOT NULL) STRICT""",
    "CREATE INDEX er_dead_state ON er_dead(state, position)",
)

_AGENDA: Final = (
    """CREATE TABLE er_agenda(
        position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, topic TEXT NOT NULL, key TEXT, sequence INTEGER,
        source TEXT NOT NULL, type TEXT NOT NULL, version INTEGER NOT NULL, time INTEGER NOT NULL,
        correlation TEXT NOT NULL, causation TEXT, traceparent TEXT, tracestate TEXT, tenant TEXT, data BLOB NOT NULL,
        reaction TEXT NOT NULL, not_before INTEGER, lane TEXT, since INTEGER NOT NULL, due INTEGER,
        attempts INTEGER NOT NULL DEFAULT 0, history TEXT NOT NULL DEFAULT '[]', owner TEXT,
        token INTEGER NOT NULL) STRICT""",
    "CREATE INDEX er_agenda_due ON er_agenda(reaction, due) WHERE due IS NOT NULL",
    "CREATE INDEX er_agenda_lane ON er_agenda(reaction, lane) WHERE lane IS NOT NULL",
    "CREATE INDEX er_agenda_reaction ON er_agenda(reaction)",
)

_RECORDINGS: Final = ("ALTER TABLE er_dead ADD COLUMN recording BLOB",)

_RETENTION: Final = (
    "ALTER TABLE er_dead ADD COLUMN closed INTEGER",
    "CREATE INDEX er_dead_event ON er_dead(event) WHERE state = 'dead'",
    "CREATE INDEX er_dead_closed ON er_dead(coalesce(closed, at)) WHERE state <> 'dead'",
    "CREATE TABLE er_purged(topic TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID",
)

SCHEMA: Final = (
    Migration(1, "units of work", _UNITS, owner="effect_runtime"),
    Migration(2, "outbox", _OUTBOX, owner="effect_runtime"),
    Migration(3, "inbox and dead letters", _INBOX, owner="effect_runtime"),
    Migration(4, "agenda", _AGENDA, owner="effect_runtime"),
    Migration(5, "recorded operations", _RECORDINGS, owner="effect_runtime"),
    Migration(6, "retention", _RETENTION, owner="effect_runtime"),
)
