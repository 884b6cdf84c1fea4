"""The store's tables, as a numbered list of migrations that each run once."""

from __future__ import annotations

__all__ = ["APPLICATION_ID", "INDEXED", "MIGRATIONS", "VERSION"]

APPLICATION_ID = 0x6C696E65
"""ASCII "line", in the file's header: whose file this is."""

_FIRST = """
-- Column names are unique across tables, so that no statement needs an alias.
-- Instants are milliseconds since 1970 (clock.to_ms). Each *_digest covers its row (rows.py).
CREATE TABLE meta (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    store_id TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    high_at INTEGER NOT NULL,
    ahead_at INTEGER,
    seen_at INTEGER,
    meta_digest BLOB NOT NULL
) STRICT;

-- The present of each context; its text lives once, in context_revision.
CREATE TABLE context (
    seq INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    context_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    domain TEXT NOT NULL,
    revision INTEGER NOT NULL,
    memory_type TEXT NOT NULL,
    expires_at INTEGER,
    occurred_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    tag_lines TEXT NOT NULL,
    content_key TEXT,
    context_digest BLOB NOT NULL,
    UNIQUE (tenant, context_id)
) STRICT;
CREATE INDEX context_newest ON context (tenant, user_id, domain, seq, expires_at, memory_type);
CREATE INDEX context_ending ON context (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX context_same ON context (tenant, user_id, domain, content_key)
    WHERE content_key IS NOT NULL;

CREATE TABLE context_revision (
    context_seq INTEGER NOT NULL REFERENCES context (seq),
    number INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    body_digest BLOB NOT NULL,
    PRIMARY KEY (context_seq, number)
) STRICT;

-- rowid = context.seq. Contentless: no second copy of the text. secure-delete: a deleted row's
-- words leave the index at once, not at some later merge.
CREATE VIRTUAL TABLE context_text USING fts5 (
    content, title, summary, tags, speaker,
    content = '', tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO context_text (context_text, rank) VALUES ('secure-delete', 1);

CREATE TABLE edge (
    tenant TEXT NOT NULL,
    child_id TEXT NOT NULL,
    child_revision INTEGER NOT NULL,
    parent_id TEXT NOT NULL,
    relation TEXT NOT NULL,
    basis TEXT NOT NULL,
    edge_digest BLOB NOT NULL,
    PRIMARY KEY (tenant, child_id, child_revision, parent_id, relation, basis)
) STRICT, WITHOUT ROWID;
CREATE INDEX edge_parent ON edge (tenant, parent_id);

CREATE TABLE user_row (
    user_seq INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    domain TEXT NOT NULL,
    revision INTEGER NOT NULL,
    expires_at INTEGER,
    row_digest BLOB NOT NULL,
    UNIQUE (tenant, user_id, domain)
) STRICT;
CREATE INDEX user_row_ending ON user_row (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE user_revision (
    of_user INTEGER NOT NULL REFERENCES user_row (user_seq),
    number INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    body_digest BLOB NOT NULL,
    PRIMARY KEY (of_user, number)
) STRICT;

-- vector: 32-bit floats, little-endian.
CREATE TABLE head (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    domain TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    vector BLOB NOT NULL,
    head_digest BLOB NOT NULL,
    PRIMARY KEY (tenant, user_id, domain, name)
) STRICT;

CREATE TABLE receipt (
    tenant TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    verb TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    answer TEXT NOT NULL,
    answered_at INTEGER NOT NULL,
    receipt_digest BLOB NOT NULL,
    PRIMARY KEY (tenant, idempotency_key)
) STRICT;
CREATE INDEX receipt_answered ON receipt (answered_at);

-- What a receipt's answer shows: it is emptied when one of these ends.
CREATE TABLE receipt_context (
    tenant TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    context_id TEXT NOT NULL,
    PRIMARY KEY (tenant, idempotency_key, context_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipt_context_id ON receipt_context (tenant, context_id);

CREATE TABLE receipt_user (
    tenant TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    user_id TEXT NOT NULL,
    domain TEXT NOT NULL,
    PRIMARY KEY (tenant, idempotency_key, user_id, domain)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipt_user_id ON receipt_user (tenant, user_id, domain);

CREATE TABLE tombstone (
    tenant TEXT NOT NULL,
    context_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    domain TEXT NOT NULL,
    reason TEXT NOT NULL,
    memory_type TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    tombstone_digest BLOB NOT NULL,
    PRIMARY KEY (tenant, context_id)
) STRICT;
"""

_SECOND = """
-- context.near_keys: the numbers by which near-identical texts are found (alike.py), 8 bytes each,
-- ascending, big-endian. NULL without any; then context_digest doesn't cover the column, so that
-- rows of the first version keep theirs.
ALTER TABLE context ADD COLUMN near_keys BLOB;

-- One entry for each number of a context, made from near_keys. room: a hash of (tenant, user_id,
-- domain), so that one user's entries lie together. No reference to context: looking for the
-- entries of one without its numbers would read them all.
CREATE TABLE context_key (
    room INTEGER NOT NULL,
    near_key INTEGER NOT NULL,
    key_seq INTEGER NOT NULL,
    PRIMARY KEY (room, near_key, key_seq DESC)
) STRICT, WITHOUT ROWID;

CREATE TABLE sighting (
    sighted_seq INTEGER NOT NULL REFERENCES context (seq),
    sighting_number INTEGER NOT NULL,
    sighting_body TEXT NOT NULL,
    sighting_digest BLOB NOT NULL,
    PRIMARY KEY (sighted_seq, sighting_number)
) STRICT;

-- Never changed and never taken out: no content stands here.
CREATE TABLE outcome (
    outcome_seq INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    domain TEXT NOT NULL,
    candidate_id TEXT NOT NULL,
    outcome_body TEXT NOT NULL,
    outcome_digest BLOB NOT NULL
) STRICT;
CREATE INDEX outcome_tenant ON outcome (tenant);
CREATE INDEX outcome_domain ON outcome (tenant, domain);
CREATE INDEX outcome_user ON outcome (tenant, user_id);
CREATE INDEX outcome_candidate ON outcome (tenant, candidate_id);

-- user_id before kind: what is left to do for a user goes with the row.
CREATE TABLE task (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    domain TEXT NOT NULL,
    kind TEXT NOT NULL,
    context_id TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    task_digest BLOB NOT NULL,
    PRIMARY KEY (tenant, user_id, domain, kind, context_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX task_due ON task (due_at);
CREATE INDEX task_context ON task (context_id);

CREATE INDEX user_row_peers ON user_row (tenant, domain, user_seq, expires_at);
"""

_THIRD = """
-- NULL: of no project. What a row's digest is over: context_rows.py.
ALTER TABLE context ADD COLUMN project TEXT;

-- A withheld memory: since when, until when it can be given back, and by which id it is asked
-- back. Its expires_at is WITHHELD (context_rows.py), so that it is live at no time; its own is in
-- its text. NULL, all three, of every other.
ALTER TABLE context ADD COLUMN held_at INTEGER;
ALTER TABLE context ADD COLUMN held_until INTEGER;
ALTER TABLE context ADD COLUMN held_root TEXT;

-- As before, and with the project, so that counting what is listed needs no row.
DROP INDEX context_newest;
CREATE INDEX context_newest
    ON context (tenant, user_id, domain, seq, expires_at, memory_type, project);

-- None of these has an entry for what is only appended.
CREATE INDEX context_held ON context (tenant, held_root) WHERE held_root IS NOT NULL;
CREATE INDEX context_held_until ON context (held_until) WHERE held_until IS NOT NULL;
CREATE INDEX context_changed ON context (tenant, user_id, domain, updated_at) WHERE revision > 1;
"""

_FOURTH = """
DROP TABLE context_text;

-- What the words of the index were made with.
CREATE TABLE lexicon (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    language TEXT NOT NULL,
    words_version TEXT NOT NULL
) STRICT;

-- The contexts of one user in one domain and project ('': of none). How many, and their words in
-- all.
CREATE TABLE shelf (
    shelf_id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    domain TEXT NOT NULL,
    project TEXT NOT NULL,
    entries INTEGER NOT NULL,
    own_words INTEGER NOT NULL,
    head_words INTEGER NOT NULL,
    UNIQUE (tenant, user_id, domain, project)
) STRICT;

-- The present of each context that is live or unswept, as search needs it (entries.py).
CREATE TABLE entry (
    entry_seq INTEGER PRIMARY KEY,
    entry_shelf INTEGER NOT NULL,
    session INTEGER,
    happened_at INTEGER NOT NULL,
    previous_seq INTEGER,
    next_seq INTEGER,
    entry_speaker TEXT NOT NULL,
    traits INTEGER NOT NULL,
    entry_own_words INTEGER NOT NULL,
    entry_head_words INTEGER NOT NULL,
    entry_words BLOB NOT NULL
) STRICT;
CREATE INDEX entry_session ON entry (entry_shelf, session, happened_at, entry_seq)
    WHERE session IS NOT NULL;

CREATE TABLE speaker (
    speaker_shelf INTEGER NOT NULL,
    speaker_name TEXT NOT NULL,
    speaks_in INTEGER NOT NULL,
    PRIMARY KEY (speaker_shelf, speaker_name)
) STRICT, WITHOUT ROWID;

-- rowid = context.seq. Neither texts nor positions nor lengths: which entries hold a word.
CREATE VIRTUAL TABLE entry_text USING fts5 (
    words, content = '', columnsize = 0, detail = none, tokenize = 'ascii'
);
INSERT INTO entry_text (entry_text, rank) VALUES ('secure-delete', 1);

-- A space of vectors: of one model, and as far as contexts were looked at for it. Whoever embeds
-- has the space until leased_until.
CREATE TABLE space (
    space_id INTEGER PRIMARY KEY AUTOINCREMENT,
    space_version TEXT NOT NULL,
    space_dim INTEGER NOT NULL,
    done_seq INTEGER NOT NULL,
    leased_until INTEGER NOT NULL,
    leased_by TEXT NOT NULL,
    UNIQUE (space_version, space_dim)
) STRICT;

-- What was changed after it had been looked at.
CREATE TABLE embed_again (
    again_space INTEGER NOT NULL,
    again_seq INTEGER NOT NULL,
    PRIMARY KEY (again_space, again_seq)
) STRICT, WITHOUT ROWID;

-- packed: 8-bit numbers and their scale (vectors.py). place: of its signs among the codes, -1
-- without any.
CREATE TABLE vector (
    vector_space INTEGER NOT NULL,
    vector_shelf INTEGER NOT NULL,
    vector_seq INTEGER NOT NULL,
    place INTEGER NOT NULL,
    packed BLOB NOT NULL,
    PRIMARY KEY (vector_space, vector_shelf, vector_seq)
) STRICT, WITHOUT ROWID;

-- Vectors of a text's pieces (pieces.py), where they are asked for.
CREATE TABLE pieces (
    pieces_seq INTEGER NOT NULL,
    pieces_space INTEGER NOT NULL,
    piece_numbers BLOB NOT NULL,
    piece_rows BLOB NOT NULL,
    PRIMARY KEY (pieces_seq, pieces_space)
) STRICT;

-- The signs of the vectors of a large shelf, so many to a block. numbers: their seq, 0 for none.
-- filled: places given so far; in_use: of these, those that hold a vector.
CREATE TABLE code (
    code_id INTEGER PRIMARY KEY,
    code_space INTEGER NOT NULL,
    code_shelf INTEGER NOT NULL,
    block INTEGER NOT NULL,
    filled INTEGER NOT NULL,
    in_use INTEGER NOT NULL,
    numbers BLOB NOT NULL,
    signs BLOB NOT NULL,
    UNIQUE (code_space, code_shelf, block)
) STRICT;
"""

_FIFTH = """
-- One write on its way to a remote backend (letters.py). dead_at: NULL while it waits. The body
-- stands behind what changes, so that none of it is read for that.
CREATE TABLE letter (
    letter_number INTEGER PRIMARY KEY AUTOINCREMENT,
    letter_id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    domain TEXT NOT NULL,
    letter_verb TEXT NOT NULL,
    context_id TEXT NOT NULL,
    posted_at INTEGER NOT NULL,
    letter_due_at INTEGER NOT NULL,
    letter_tries INTEGER NOT NULL,
    begun INTEGER NOT NULL,
    holder TEXT,
    holder_until INTEGER,
    dead_at INTEGER,
    letter_reason TEXT,
    letter_body TEXT NOT NULL,
    letter_digest BLOB NOT NULL
) STRICT;
CREATE INDEX letter_waiting ON letter (tenant, user_id, letter_number, posted_at)
    WHERE dead_at IS NULL;
CREATE INDEX letter_dead ON letter (letter_number, tenant) WHERE dead_at IS NOT NULL;
CREATE INDEX letter_begun ON letter (letter_number) WHERE (begun = 1 OR holder IS NOT NULL);
CREATE INDEX letter_context ON letter (tenant, context_id, letter_verb) WHERE context_id <> '';

-- Made from the letters: the first that waits of each user, and from when on it can be claimed.
CREATE TABLE queue (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    first_number INTEGER NOT NULL,
    ready_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX queue_ready ON queue (ready_at, first_number);

-- What a context, or a user's row, is called at the remote. orphaned: 1 for a context that is kept
-- here no more and whose deletion no letter asks for.
CREATE TABLE counterpart (
    counterpart_kind TEXT NOT NULL,
    local_id TEXT NOT NULL,
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    domain TEXT NOT NULL,
    remote_id TEXT NOT NULL,
    shown_until INTEGER,
    orphaned INTEGER NOT NULL,
    counterpart_digest BLOB NOT NULL,
    PRIMARY KEY (tenant, counterpart_kind, local_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX counterpart_remote ON counterpart (tenant, remote_id)
    WHERE counterpart_kind = 'context';
CREATE INDEX counterpart_orphan ON counterpart (tenant, local_id) WHERE orphaned = 1;

-- How many letters were sent a second time, ever.
CREATE TABLE repeated (
    repeats INTEGER NOT NULL,
    tenant TEXT PRIMARY KEY,
    repeats_digest BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""

MIGRATIONS: tuple[str, ...] = (_FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH)
"""Appended to, never edited: the number of those that ran is the file's user_version."""

INDEXED = 4
"""The version since which there are entries: an older store's are made when it is migrated."""

VERSION = len(MIGRATIONS)
