"""What many memories take, and over how many shards they are spread."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.models.sizing import IndexSize, ShardPlan, Sizes, TableSize
from lineal.policy.sharding import FEW, ROOM, USUAL, citus_statements, parts_of, shard_plan

MEGABYTE = 1_000_000
TABLES = ("context", "context_revision", "embedding")
DIRECTORY = ("store", "tenant")


def sizes(memories: int = 10_000, largest: int = 1_000) -> Sizes:
    """A thousand bytes a memory of texts, half of them apart, and the two large indexes."""
    near = IndexSize(name="vector_near", kind="hnsw", size_bytes=4 * MEGABYTE)
    key = IndexSize(name="context_pkey", kind="btree", size_bytes=MEGABYTE)
    words = IndexSize(name="posting_tokens", kind="gin", size_bytes=2 * MEGABYTE)
    empty = IndexSize(name="task_due", kind="btree", size_bytes=8_192)
    return Sizes(
        memories=memories,
        tenants=10,
        looked_at=10,
        largest=largest,
        body_bytes=800.0,
        tables=(
            TableSize(
                name="context",
                rows=memories,
                heap_bytes=5 * MEGABYTE,
                toast_bytes=5 * MEGABYTE,
                indexes=(key, words),
            ),
            TableSize(name="vector", rows=memories, heap_bytes=0, toast_bytes=0, indexes=(near,)),
            TableSize(name="task", rows=0, heap_bytes=8_192, toast_bytes=0, indexes=(empty,)),
        ),
    )


def plan(
    of: Sizes, *, memories: int = 10_000_000, shard_gb: int = 2, replicas: int = 2
) -> ShardPlan:
    return shard_plan(
        of,
        memories=memories,
        replicas=replicas,
        shard_bytes=shard_gb * 1_000_000_000,
        tables=TABLES,
        directory=DIRECTORY,
    )


def test_each_part_is_what_a_memory_takes_of_it_the_largest_first() -> None:
    parts = [(part.name, part.kind, part.bytes_each) for part in parts_of(sizes())]
    assert parts == [
        ("context", "table", 500.0),
        ("context", "toast", 500.0),
        ("vector_near", "hnsw", 400.0),
        ("posting_tokens", "gin", 200.0),
        ("context_pkey", "btree", 100.0),
    ]


def test_disk_shards_and_memory_follow_from_the_parts() -> None:
    made = plan(sizes())
    assert made.measured
    assert made.bytes_each == 1_700
    assert made.disk_bytes == 17_000_000_000
    assert made.disk_all_bytes == 2 * ROOM * 17_000_000_000
    assert made.shards == 16  # nine would do; a power of two is spread evenly
    assert (made.hnsw_bytes, made.words_bytes, made.rows_bytes) == (
        4_000_000_000,
        2_000_000_000,
        1_000_000_000,
    )


def test_the_largest_tenant_keeps_its_share() -> None:
    assert plan(sizes(largest=5_000)).largest_bytes == 8_500_000_000


@pytest.mark.parametrize("memories", [0, FEW - 1])
def test_of_a_database_with_next_to_nothing_the_usual_memory_is_taken(memories: int) -> None:
    made = plan(sizes(memories))
    assert not made.measured
    assert made.parts == USUAL
    assert made.largest_bytes is None


def test_the_usual_memory_has_each_kind_of_room() -> None:
    assert {part.kind for part in USUAL} >= {"table", "btree", "gin", "hnsw"}
    assert all(part.bytes_each > 0 for part in USUAL)


@given(st.integers(1, 10**12), st.integers(1, 9), st.integers(1, 10_000))
def test_no_shard_is_larger_than_asked_nor_half_empty_for_want_of_one(
    memories: int, replicas: int, shard_gb: int
) -> None:
    made = plan(sizes(), memories=memories, replicas=replicas, shard_gb=shard_gb)
    assert made.shards.bit_count() == 1
    assert made.disk_bytes <= made.shards * made.shard_bytes
    assert made.shards == 1 or made.disk_bytes > made.shards // 2 * made.shard_bytes


def test_tables_are_spread_together_by_their_tenant_after_what_they_refer_to() -> None:
    assert citus_statements(TABLES, DIRECTORY, 32) == (
        "ALTER ROLE CURRENT_USER SET citus.propagate_set_commands = 'local';",
        "SET citus.propagate_set_commands = 'local';",
        "SELECT create_reference_table('lineal.store');",
        "SELECT create_reference_table('lineal.tenant');",
        "SELECT create_distributed_table('lineal.context', 'tenant_id', "
        "colocate_with => 'none', shard_count => 32);",
        "SELECT create_distributed_table('lineal.context_revision', 'tenant_id', "
        "colocate_with => 'lineal.context');",
        "SELECT create_distributed_table('lineal.embedding', 'tenant_id', "
        "colocate_with => 'lineal.context');",
    )
