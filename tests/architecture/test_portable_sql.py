"""What the PostgreSQL store says to its server: one tenant in each statement, no clock but ours,
nothing that stays behind in a connection. So it can be pooled, and spread over machines."""

from __future__ import annotations

import ast

import pytest
from tests.architecture.portable_schema import of_schema, wall_of
from tests.architecture.portable_sql import TENANT, faults
from tests.architecture.sql_source import HELD, Module, built, modules_of, statements

import lineal.stores.postgres
from lineal.models.changes import Scope
from lineal.stores.postgres.schema import DIRECTORY, MIGRATIONS, TABLES, policy_of
from lineal.stores.postgres.statements import wall

SCRIPT = "".join(MIGRATIONS)
WALL = wall_of(SCRIPT, TABLES)
MODULES = [one for one in modules_of(lineal.stores.postgres) if one.name != "schema"]
SAID = list(statements(MODULES))


def test_the_statements_are_found() -> None:
    """The other tests say nothing about what they can't see."""
    assert len(SAID) > 40
    told = " ".join(one.text or "" for one in SAID)
    assert [table for table in TABLES if f"lineal.{table}" not in told] == []


def test_every_table_is_keyed_and_walled_by_its_tenant() -> None:
    assert of_schema(SCRIPT, TABLES, DIRECTORY) == []
    assert all(TENANT in columns for columns in WALL.tables.values())


def test_what_a_statement_will_be_can_be_read_from_the_source() -> None:
    assert [one.place for one in SAID if one.text is None] == []


def test_every_statement_names_one_tenant_and_leaves_the_clock_alone() -> None:
    wrong = {
        f"{one.place}: {fault}" for one in SAID if one.text for fault in faults(one.text, WALL)
    }
    assert sorted(wrong) == []


def test_no_value_is_written_into_a_statement() -> None:
    assert sorted(set(built(MODULES))) == []


@pytest.mark.parametrize("user_id", [None, "ada"])
@pytest.mark.parametrize("domain", [None, "coding"])
def test_the_condition_of_a_wall_begins_with_the_tenant(
    user_id: str | None, domain: str | None
) -> None:
    """The statements are read with no more than that in its place."""
    held = wall(Scope(tenant="acme", user_id=user_id, domain=domain))
    assert held.condition.split(" AND ")[0] == HELD
    assert " OR " not in held.condition
    assert held.values[0] == "acme"


# That it bites.

SIDE = "EXISTS (SELECT 1 FROM lineal.edge WHERE edge.tenant_id = context.tenant_id)"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT body FROM lineal.context_revision WHERE tenant_id = %s AND context_seq = %s",
        "SELECT seq FROM lineal.context AS c WHERE c.tenant_id = %(tenant)s::text FOR UPDATE",
        "SELECT seq FROM lineal.context JOIN lineal.entry ON entry.tenant_id = context.tenant_id "
        "AND entry_seq = seq WHERE context.tenant_id = %s",
        "SELECT seq FROM lineal.context LEFT JOIN lineal.entry ON entry.tenant_id = %s "
        "AND entry_seq = seq WHERE context.tenant_id = %s",
        "SELECT seq FROM lineal.context JOIN lineal.entry USING (tenant_id) "
        "WHERE entry.tenant_id = %s",
        f"SELECT seq FROM lineal.context WHERE tenant_id = %s AND {SIDE}",
        "SELECT seq, n FROM unnest(%s::bigint[]) WITH ORDINALITY AS wanted (seq, n) "
        "CROSS JOIN LATERAL (SELECT 1 FROM lineal.context WHERE tenant_id = %s LIMIT 1) AS one",
        "WITH gone AS (DELETE FROM lineal.entry WHERE tenant_id = %s RETURNING tenant_id) "
        "SELECT vector_seq FROM lineal.embedding JOIN gone ON gone.tenant_id = embedding.tenant_id",
        "SELECT entry_seq FROM lineal.entry WHERE tenant_id = %s "
        "UNION ALL SELECT seq FROM lineal.context WHERE tenant_id = %s",
        "INSERT INTO lineal.tombstone (context_id, tenant_id) VALUES (%s, %s) "
        "ON CONFLICT (tenant_id, context_id) DO UPDATE SET reason = excluded.reason",
        "INSERT INTO lineal.speaker VALUES (%s, %s, %s, 1)",
        "INSERT INTO lineal.unembedded SELECT tenant_id, space_id, %s, %s FROM lineal.space "
        "WHERE tenant_id = %s",
        "UPDATE lineal.context SET revision = %s FROM lineal.entry "
        "WHERE context.tenant_id = %s AND entry.tenant_id = context.tenant_id",
        "DELETE FROM lineal.embedding USING lineal.space WHERE embedding.tenant_id = %s "
        "AND space.tenant_id = embedding.tenant_id",
        "SELECT tenant_id FROM lineal.tenant WHERE tenant_id > %s ORDER BY tenant_id",
        "SELECT clock_timestamp() FROM lineal.store WHERE tenant_id = ''",
        "SELECT set_config('lineal.tenant', %s, true)",
        "SELECT pg_advisory_xact_lock(%s)",
        "SET LOCAL hnsw.iterative_scan = 'strict_order'",
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        "SELECT numbers <+> %s::halfvec FROM lineal.embedding WHERE tenant_id = %s",
    ],
)
def test_a_good_statement_is_let_through(statement: str) -> None:
    assert faults(statement, WALL) == []


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("SELECT body FROM lineal.context_revision WHERE context_seq = %s", "isn't held"),
        ("SELECT seq FROM lineal.context WHERE tenant_id = %s OR seq = %s", "isn't held"),
        ("SELECT seq FROM lineal.context WHERE NOT (tenant_id = %s)", "isn't held"),
        ("SELECT seq FROM lineal.context WHERE tenant_id <> %s", "isn't held"),
        ("SELECT seq FROM lineal.context WHERE tenant_id = ANY(%s::text[])", "isn't held"),
        ("SELECT seq FROM lineal.context WHERE tenant_id = user_id", "isn't held"),
        ("SELECT seq FROM lineal.context WHERE tenant_id = 'local'", "isn't held"),
        (
            "SELECT seq FROM lineal.context JOIN lineal.entry ON entry_seq = seq "
            "WHERE context.tenant_id = %s",
            "entry isn't held",
        ),
        (
            "SELECT seq FROM lineal.context, lineal.entry WHERE context.tenant_id = %s",
            "entry isn't held",
        ),
        (
            "SELECT seq FROM lineal.context LEFT JOIN lineal.entry ON context.tenant_id = %s "
            "AND entry.tenant_id = context.tenant_id",
            "context isn't held",
        ),
        (
            "SELECT seq FROM lineal.context JOIN lineal.tenant ON tenant.tenant_id = "
            "context.tenant_id",
            "context isn't held",
        ),
        (
            "SELECT seq FROM lineal.context JOIN unnest(%s::text[]) AS t (tenant_id) "
            "ON t.tenant_id = context.tenant_id",
            "context isn't held",
        ),
        (
            "SELECT seq FROM lineal.context WHERE tenant_id = %s AND seq IN "
            "(SELECT entry_seq FROM lineal.entry)",
            "entry isn't held",
        ),
        (
            "SELECT seq FROM lineal.context WHERE tenant_id = %s UNION SELECT entry_seq "
            "FROM lineal.entry",
            "entry isn't held",
        ),
        (
            "WITH all_of AS (SELECT * FROM lineal.entry) SELECT * FROM all_of WHERE tenant_id = %s",
            "entry isn't held",
        ),
        ("UPDATE lineal.context SET revision = 2 WHERE seq = %s", "isn't held"),
        ("UPDATE lineal.context SET tenant_id = %s WHERE tenant_id = %s", "sets tenant_id"),
        ("DELETE FROM lineal.entry", "isn't held"),
        (
            "DELETE FROM lineal.entry USING lineal.context WHERE entry.tenant_id = %s "
            "AND entry_seq = seq",
            "context isn't held",
        ),
        ("INSERT INTO lineal.tombstone (context_id) VALUES (%s)", "without tenant_id"),
        (
            "INSERT INTO lineal.tombstone (tenant_id, context_id) VALUES ('local', %s)",
            "neither bound",
        ),
        (
            "INSERT INTO lineal.unembedded SELECT space_version, space_id, 1, true "
            "FROM lineal.space WHERE tenant_id = %s",
            "neither bound",
        ),
        (
            "INSERT INTO lineal.receipt (tenant_id, idempotency_key) VALUES (%s, %s) "
            "ON CONFLICT (idempotency_key) DO NOTHING",
            "doesn't begin",
        ),
        (
            "INSERT INTO lineal.task (tenant_id, due_at) VALUES (%s, %s) "
            "ON CONFLICT (tenant_id) DO UPDATE SET due_at = extract(epoch FROM now())",
            "clock",
        ),
        ("SELECT 1 FROM lineal.task WHERE tenant_id = %s AND due_at < clock_timestamp()", "clock"),
        ("SELECT 1 FROM lineal.task WHERE tenant_id = %s AND due_at < current_timestamp", "clock"),
        ("SELECT 1 FROM lineal.task WHERE tenant_id = %s AND due_at < 'now'::timestamptz", "clock"),
        ("UPDATE lineal.store SET made_at = extract(epoch FROM now())", "clock"),
        ("SET lineal.tenant = 'acme'", "session-wide"),
        ("SET SESSION hnsw.ef_search = 100", "session-wide"),
        ("SELECT set_config('lineal.tenant', %s, false)", "without a literal true"),
        ("SELECT set_config('lineal.tenant', %s, %s)", "without a literal true"),
        ("TRUNCATE lineal.context", "of every tenant"),
        ("COPY lineal.context FROM STDIN", "of every tenant"),
        ("LOCK TABLE lineal.context IN EXCLUSIVE MODE", "of every tenant"),
        ("SELECT FROM WHERE", "can't be parsed"),
    ],
)
def test_a_bad_statement_is_refused(statement: str, why: str) -> None:
    assert why in "; ".join(faults(statement, WALL))


KEYED = "tenant_id text NOT NULL, seq bigint NOT NULL"


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        ("CREATE TABLE lineal.made (seq bigint PRIMARY KEY, tenant_id text)", "key (seq)"),
        (f"CREATE TABLE lineal.made ({KEYED}, PRIMARY KEY (seq, tenant_id))", "key (seq"),
        (f"CREATE TABLE lineal.made ({KEYED}, UNIQUE (seq))", "key (seq)"),
        (f"CREATE TABLE lineal.made ({KEYED}, name text UNIQUE)", "key (name)"),
        (f"CREATE TABLE lineal.made ({KEYED}, CONSTRAINT one UNIQUE (seq))", "key (seq)"),
        (f"CREATE TABLE lineal.made ({KEYED}); CREATE UNIQUE INDEX i ON lineal.made (seq)", "key"),
        (
            f"CREATE TABLE lineal.made ({KEYED}, FOREIGN KEY (seq) "
            "REFERENCES lineal.context (tenant_id, seq))",
            "key (seq)",
        ),
        (
            f"CREATE TABLE lineal.made ({KEYED}, FOREIGN KEY (tenant_id, seq) "
            "REFERENCES lineal.context (seq, tenant_id))",
            "key (seq, tenant_id)",
        ),
        (
            "CREATE TABLE lineal.made (tenant_id text, seq bigint REFERENCES lineal.context (seq))",
            "key (seq)",
        ),
        (
            f"CREATE TABLE lineal.made ({KEYED}, at bigint DEFAULT extract(epoch FROM now()))",
            "clock",
        ),
        (f"CREATE TABLE lineal.made ({KEYED}, at timestamptz DEFAULT current_timestamp)", "clock"),
        (f"CREATE TABLE lineal.made ({KEYED}, at timestamptz DEFAULT 'now')", "clock"),
        (f"CREATE TABLE lineal.other ({KEYED})", "known of"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "FUNCTION"),
    ],
)
def test_a_bad_definition_is_refused(definition: str, why: str) -> None:
    script = f"{definition};{policy_of('made')}"
    assert why in "; ".join(of_schema(script, ("made",), ()))


@pytest.mark.parametrize(
    ("kept", "gone"),
    [
        ("FORCE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY"),
        ("ENABLE ROW LEVEL SECURITY", "DISABLE ROW LEVEL SECURITY"),
        ("WITH CHECK (tenant_id = current_setting('lineal.tenant', true))", ""),
        ("USING (tenant_id = current_setting('lineal.tenant', true))", "USING (true)"),
        ("USING (tenant_id", "USING (user_id"),
    ],
)
def test_a_table_whose_wall_has_a_hole_is_refused(kept: str, gone: str) -> None:
    whole = f"CREATE TABLE lineal.made ({KEYED}, PRIMARY KEY (tenant_id, seq));{policy_of('made')}"
    assert of_schema(whole, ("made",), ()) == []
    assert "made" in "; ".join(of_schema(whole.replace(kept, gone), ("made",), ()))


def module(source: str) -> Module:
    return Module("made", ast.parse(source), {})


@pytest.mark.parametrize(
    "line",
    [
        "session.run(f'SELECT * FROM lineal.context WHERE tenant_id = {tenant}')",
        "session.run('SELECT * FROM lineal.context WHERE tenant_id = ' + tenant)",
        "session.run('SELECT * FROM lineal.context WHERE tenant_id = %s' % tenant)",
        "session.run('SELECT * FROM lineal.context WHERE seq = {}'.format(seq))",
        "session.run('SELECT * FROM lineal.TABLE'.replace('TABLE', name))",
        "session.run(' '.join(('SELECT * FROM lineal.context WHERE', condition)))",
    ],
)
def test_a_statement_with_values_in_it_is_refused(line: str) -> None:
    assert list(built([module(f"def asked(session, tenant, seq, name):\n    {line}")])) != []


@pytest.mark.parametrize(
    "lines",
    [
        "def asked(session, some):\n    session.run(sql('SELECT 1 FROM lineal.context', some))",
        "def asked(session):\n    session.run(sql('SELECT 1 FROM', name_of(session)))",
    ],
)
def test_a_statement_that_cant_be_read_from_the_source_is_refused(lines: str) -> None:
    assert [one.text for one in statements([module(lines)])] == [None]


def test_every_way_of_putting_a_statement_together_is_read() -> None:
    source = """
_SIDES = {"up": (" AND a = %s",), "down": (" AND b = %s",)}

def asked(session, scope, deep):
    bound = wall(scope)
    for side in _SIDES[scope.side]:
        _sent(session, sql("SELECT 1", "FROM lineal.edge WHERE" if deep else "FROM x WHERE",
                           bound.condition, side))

def _sent(session, statement):
    session.run(sql(statement, "LIMIT %s"))
"""
    found = {" ".join((one.text or "?").split()) for one in statements([module(source)])}
    assert found == {
        f"SELECT 1 FROM {table} WHERE {HELD} AND {side} = %s LIMIT %s"
        for table in ("lineal.edge", "x")
        for side in ("a", "b")
    }


def test_parts_that_are_handed_in_together_stay_together() -> None:
    source = """
def asked(session):
    session.run(_of("SELECT 1 FROM (SELECT", ") AS some"))
    session.run(_of("SELECT count(*) FROM", ""))

def _of(begin, end):
    return sql(begin, "2", end)
"""
    found = {" ".join((one.text or "?").split()) for one in statements([module(source)])}
    assert found == {"SELECT 1 FROM (SELECT 2 ) AS some", "SELECT count(*) FROM 2"}
