"""The store's tables, as a numbered list of migrations that each run once.

What holds for all of them, so that they can be spread over machines by tenant: every primary key,
unique constraint and foreign key begins with tenant_id, no default calls a clock, and every table
has row-level security that shows only the tenant of the transaction (setting lineal.tenant)."""

from __future__ import annotations

__all__ = ["DIRECTORY", "MIGRATIONS", "SCHEMA", "SHOWN", "TABLES", "VERSION", "policy_of"]

SCHEMA = "lineal"

DIRECTORY = ("store", "tenant")
"""Tables that belong to no tenant: the store's record of itself, and which tenants there are. No
content stands there."""

TABLES = (
    *("context", "context_revision", "context_key", "sighting", "tombstone", "edge"),
    *("user_row", "user_revision", "head", "outcome", "task"),
    *("receipt", "receipt_context", "receipt_user"),
    *("shelf", "entry", "posting", "speaker", "space", "unembedded", "embedding", "pieces"),
)
"""Tables of tenants, each behind the wall."""

SHOWN = ("posting",)
"""Of these, those whose numbers row-level security hides from nobody: only statements do."""

_FIRST = """
-- Column names are unique across joined tables, so that no statement needs an alias. Instants are
-- milliseconds since 1970. Each *_digest covers its row (stores/rows).
CREATE TABLE lineal.store (
    tenant_id text COLLATE "C" PRIMARY KEY CHECK (tenant_id = ''),
    store_version integer NOT NULL,
    store_id text COLLATE "C" NOT NULL,
    made_at bigint NOT NULL,
    high_at bigint NOT NULL,
    ahead_at bigint,
    seen_at bigint,
    language text COLLATE "C" NOT NULL,
    words_version text COLLATE "C" NOT NULL
);

-- Who is visited by those who sweep and embed.
CREATE TABLE lineal.tenant (
    tenant_id text COLLATE "C" PRIMARY KEY
);

CREATE SEQUENCE lineal.receipt_order;

-- The present of each context; its text lives once, in context_revision. seq: the order of receipt
-- within a tenant.
CREATE TABLE lineal.context (
    seq bigint NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    context_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    domain text COLLATE "C" NOT NULL,
    revision integer NOT NULL,
    memory_type text COLLATE "C" NOT NULL,
    expires_at bigint,
    occurred_at bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    tag_lines text NOT NULL,
    content_key text COLLATE "C",
    near_keys bytea,
    project text COLLATE "C",
    held_at bigint,
    held_until bigint,
    held_root text COLLATE "C",
    context_digest bytea NOT NULL,
    PRIMARY KEY (tenant_id, seq),
    UNIQUE (tenant_id, context_id)
);
CREATE INDEX context_newest ON lineal.context (tenant_id, user_id, domain, seq);
CREATE INDEX context_ending ON lineal.context (tenant_id, expires_at)
    WHERE expires_at IS NOT NULL;
CREATE INDEX context_same ON lineal.context (tenant_id, user_id, domain, content_key, seq)
    WHERE content_key IS NOT NULL;
CREATE INDEX context_held ON lineal.context (tenant_id, held_root) WHERE held_root IS NOT NULL;
CREATE INDEX context_held_until ON lineal.context (tenant_id, held_until)
    WHERE held_until IS NOT NULL;
CREATE INDEX context_changed ON lineal.context (tenant_id, user_id, domain, updated_at)
    WHERE revision > 1;

CREATE TABLE lineal.context_revision (
    tenant_id text COLLATE "C" NOT NULL,
    context_seq bigint NOT NULL,
    number integer NOT NULL,
    recorded_at bigint NOT NULL,
    body text NOT NULL,
    body_digest bytea NOT NULL,
    PRIMARY KEY (tenant_id, context_seq, number),
    FOREIGN KEY (tenant_id, context_seq) REFERENCES lineal.context (tenant_id, seq)
);

-- One row for each number of a context's near_keys. room: of its user and domain (locks.py).
CREATE TABLE lineal.context_key (
    tenant_id text COLLATE "C" NOT NULL,
    room bigint NOT NULL,
    near_key bigint NOT NULL,
    key_seq bigint NOT NULL,
    PRIMARY KEY (tenant_id, room, near_key, key_seq)
);

CREATE TABLE lineal.sighting (
    tenant_id text COLLATE "C" NOT NULL,
    sighted_seq bigint NOT NULL,
    sighting_number integer NOT NULL,
    sighting_body text NOT NULL,
    sighting_digest bytea NOT NULL,
    PRIMARY KEY (tenant_id, sighted_seq, sighting_number),
    FOREIGN KEY (tenant_id, sighted_seq) REFERENCES lineal.context (tenant_id, seq)
);

CREATE TABLE lineal.tombstone (
    tenant_id text COLLATE "C" NOT NULL,
    context_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    domain text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    memory_type text COLLATE "C" NOT NULL,
    revision integer NOT NULL,
    created_at bigint NOT NULL,
    ended_at bigint NOT NULL,
    tombstone_digest bytea NOT NULL,
    PRIMARY KEY (tenant_id, context_id)
);

CREATE TABLE lineal.edge (
    tenant_id text COLLATE "C" NOT NULL,
    child_id text COLLATE "C" NOT NULL,
    child_revision integer NOT NULL,
    parent_id text COLLATE "C" NOT NULL,
    relation text COLLATE "C" NOT NULL,
    basis text COLLATE "C" NOT NULL,
    edge_digest bytea NOT NULL,
    PRIMARY KEY (tenant_id, child_id, child_revision, parent_id, relation, basis)
);
CREATE INDEX edge_parent ON lineal.edge (tenant_id, parent_id);

CREATE TABLE lineal.user_row (
    user_seq bigint NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    domain text COLLATE "C" NOT NULL,
    revision integer NOT NULL,
    expires_at bigint,
    row_digest bytea NOT NULL,
    PRIMARY KEY (tenant_id, user_seq),
    UNIQUE (tenant_id, user_id, domain)
) WITH (fillfactor = 80);
CREATE INDEX user_row_ending ON lineal.user_row (tenant_id, expires_at)
    WHERE expires_at IS NOT NULL;
CREATE INDEX user_row_peers ON lineal.user_row (tenant_id, domain, user_seq);

CREATE TABLE lineal.user_revision (
    tenant_id text COLLATE "C" NOT NULL,
    of_user bigint NOT NULL,
    number integer NOT NULL,
    recorded_at bigint NOT NULL,
    body text NOT NULL,
    body_digest bytea NOT NULL,
    PRIMARY KEY (tenant_id, of_user, number),
    FOREIGN KEY (tenant_id, of_user) REFERENCES lineal.user_row (tenant_id, user_seq)
);

-- vector: 32-bit floats, little-endian.
CREATE TABLE lineal.head (
    tenant_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    domain text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    vector bytea NOT NULL,
    head_digest bytea NOT NULL,
    PRIMARY KEY (tenant_id, user_id, domain, name)
);

-- Never changed and never taken out: no content stands here.
CREATE TABLE lineal.outcome (
    outcome_seq bigint NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    domain text COLLATE "C" NOT NULL,
    candidate_id text COLLATE "C" NOT NULL,
    outcome_body text NOT NULL,
    outcome_digest bytea NOT NULL,
    PRIMARY KEY (tenant_id, outcome_seq)
);
CREATE INDEX outcome_domain ON lineal.outcome (tenant_id, domain, outcome_seq);
CREATE INDEX outcome_user ON lineal.outcome (tenant_id, user_id, outcome_seq);
CREATE INDEX outcome_candidate ON lineal.outcome (tenant_id, candidate_id, outcome_seq);

CREATE TABLE lineal.task (
    tenant_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    domain text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    context_id text COLLATE "C" NOT NULL,
    due_at bigint NOT NULL,
    tries integer NOT NULL,
    task_digest bytea NOT NULL,
    PRIMARY KEY (tenant_id, user_id, domain, kind, context_id)
);
CREATE INDEX task_due ON lineal.task (tenant_id, due_at);
CREATE INDEX task_context ON lineal.task (tenant_id, context_id);

CREATE TABLE lineal.receipt (
    tenant_id text COLLATE "C" NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL,
    verb text COLLATE "C" NOT NULL,
    request_hash text COLLATE "C" NOT NULL,
    answer text NOT NULL,
    answered_at bigint NOT NULL,
    receipt_digest bytea NOT NULL,
    PRIMARY KEY (tenant_id, idempotency_key)
);
CREATE INDEX receipt_answered ON lineal.receipt (tenant_id, answered_at);

-- What a receipt's answer shows: it is emptied when one of these ends.
CREATE TABLE lineal.receipt_context (
    tenant_id text COLLATE "C" NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL,
    context_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, idempotency_key, context_id)
);
CREATE INDEX receipt_context_id ON lineal.receipt_context (tenant_id, context_id);

CREATE TABLE lineal.receipt_user (
    tenant_id text COLLATE "C" NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    domain text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, idempotency_key, user_id, domain)
);
CREATE INDEX receipt_user_id ON lineal.receipt_user (tenant_id, user_id, domain);

-- The contexts of one user in one domain and project ('': of none). shelf_id: a hash of these
-- (entries.py). How many, and their words in all.
CREATE TABLE lineal.shelf (
    tenant_id text COLLATE "C" NOT NULL,
    shelf_id bigint NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    domain text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    entries bigint NOT NULL,
    own_words bigint NOT NULL,
    head_words bigint NOT NULL,
    PRIMARY KEY (tenant_id, shelf_id),
    UNIQUE (tenant_id, user_id, domain, project)
) WITH (fillfactor = 50);

-- The present of each context that is live or unswept, as search needs it (entries.py). Its
-- neighbours in its session are found by index, not kept: an append changes no other row.
-- entry_words: the words with
-- their counts (stores/rows/words.py).
CREATE TABLE lineal.entry (
    tenant_id text COLLATE "C" NOT NULL,
    entry_seq bigint NOT NULL,
    entry_shelf bigint NOT NULL,
    session bigint,
    happened_at bigint NOT NULL,
    entry_speaker text COLLATE "C" NOT NULL,
    traits integer NOT NULL,
    entry_own_words integer NOT NULL,
    entry_head_words integer NOT NULL,
    entry_words bytea NOT NULL,
    PRIMARY KEY (tenant_id, entry_seq)
);
-- Compressed words would have to be unpacked by every search that looks at them.
ALTER TABLE lineal.entry ALTER COLUMN entry_words SET STORAGE EXTERNAL;
CREATE INDEX entry_session ON lineal.entry
    (tenant_id, entry_shelf, session, happened_at, entry_seq) WHERE session IS NOT NULL;

-- By which words an entry is found: 32 bits of each, mixed with its shelf. A table of its own,
-- which any tenant's statement may read: below a policy that hides rows PostgreSQL uses no index
-- for arrays (their operators aren't leakproof), and would read every entry of the tenant instead.
-- There are only numbers here, and whatever they lead to is behind the wall.
CREATE TABLE lineal.posting (
    tenant_id text COLLATE "C" NOT NULL,
    posting_seq bigint NOT NULL,
    posting_shelf bigint NOT NULL,
    tokens integer[] NOT NULL,
    PRIMARY KEY (tenant_id, posting_seq)
);
ALTER TABLE lineal.posting ALTER COLUMN tokens SET STORAGE EXTERNAL;
CREATE INDEX posting_tokens ON lineal.posting USING gin (tokens)
    WITH (gin_pending_list_limit = 512);

CREATE TABLE lineal.speaker (
    tenant_id text COLLATE "C" NOT NULL,
    speaker_shelf bigint NOT NULL,
    speaker_name text COLLATE "C" NOT NULL,
    speaks_in bigint NOT NULL,
    PRIMARY KEY (tenant_id, speaker_shelf, speaker_name)
) WITH (fillfactor = 50);

-- A space of vectors that a tenant's contexts are embedded in: of one model. space_id: a hash of
-- these (vectors.py). Whoever embeds has the tenant's space until leased_until.
CREATE TABLE lineal.space (
    tenant_id text COLLATE "C" NOT NULL,
    space_id bigint NOT NULL,
    space_version text COLLATE "C" NOT NULL,
    space_dim integer NOT NULL,
    leased_until bigint NOT NULL,
    leased_by text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, space_id)
);

-- What waits for a vector: each context from its write on, in each space that its tenant has.
-- A changed one comes first.
CREATE TABLE lineal.unembedded (
    tenant_id text COLLATE "C" NOT NULL,
    space_id bigint NOT NULL,
    waiting_seq bigint NOT NULL,
    changed boolean NOT NULL,
    PRIMARY KEY (tenant_id, space_id, waiting_seq)
);
CREATE INDEX unembedded_changed ON lineal.unembedded (tenant_id, space_id, waiting_seq)
    WHERE changed;

-- A context's vector (that name is the type's). numbers: 8-bit whole numbers, which a half holds
-- exactly; times vector_scale they are the vector.
CREATE TABLE lineal.embedding (
    tenant_id text COLLATE "C" NOT NULL,
    space_id bigint NOT NULL,
    vector_shelf bigint NOT NULL,
    vector_seq bigint NOT NULL,
    vector_scale real NOT NULL,
    numbers halfvec NOT NULL,
    PRIMARY KEY (tenant_id, space_id, vector_shelf, vector_seq)
);
ALTER TABLE lineal.embedding ALTER COLUMN numbers SET STORAGE PLAIN;

-- Vectors of a text's pieces (pieces.py), where they are asked for.
CREATE TABLE lineal.pieces (
    tenant_id text COLLATE "C" NOT NULL,
    pieces_seq bigint NOT NULL,
    space_id bigint NOT NULL,
    piece_numbers bytea NOT NULL,
    piece_rows bytea NOT NULL,
    PRIMARY KEY (tenant_id, pieces_seq, space_id)
);
ALTER TABLE lineal.pieces ALTER COLUMN piece_rows SET STORAGE EXTERNAL;
"""

_POLICY = """
ALTER TABLE lineal.{table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE lineal.{table} FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON lineal.{table}
    USING (tenant_id = current_setting('lineal.tenant', true))
    WITH CHECK (tenant_id = current_setting('lineal.tenant', true));
"""


_OPEN_POLICY = """
ALTER TABLE lineal.{table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE lineal.{table} FORCE ROW LEVEL SECURITY;
CREATE POLICY shown ON lineal.{table} FOR SELECT USING (true);
CREATE POLICY wall_new ON lineal.{table} FOR INSERT
    WITH CHECK (tenant_id = current_setting('lineal.tenant', true));
CREATE POLICY wall_old ON lineal.{table} FOR UPDATE
    USING (tenant_id = current_setting('lineal.tenant', true))
    WITH CHECK (tenant_id = current_setting('lineal.tenant', true));
CREATE POLICY wall_gone ON lineal.{table} FOR DELETE
    USING (tenant_id = current_setting('lineal.tenant', true));
"""


def policy_of(table: str) -> str:
    """The statements that put a table behind the wall, its owner included."""
    if table in SHOWN:
        return _OPEN_POLICY.replace("{table}", table)
    return _POLICY.replace("{table}", table)


MIGRATIONS: tuple[str, ...] = (_FIRST + "".join(map(policy_of, TABLES)),)
"""Appended to, never edited: the number of those that ran is the store's store_version."""

VERSION = len(MIGRATIONS)
