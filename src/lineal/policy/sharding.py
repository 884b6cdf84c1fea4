"""How many shards, how much disk and how much memory many memories want: arithmetic over sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil

from lineal.models.sizing import Part, ShardPlan, Sizes, TableSize

__all__ = ["FEW", "ROOM", "USUAL", "citus_statements", "parts_of", "shard_plan"]

ROOM = 1.3
"""Disk for each byte of rows: dead rows before they are vacuumed, the log, an index being made."""

FEW = 1_000
"""Memories below which a database says nothing of many: its pages are mostly empty."""

EMPTY_BYTES = 16_384
"""What a table or an index takes that holds next to nothing: that doesn't grow with memories."""

_USUAL: tuple[tuple[str, str, float], ...] = (
    ("vector_near", "hnsw", 1225.5),
    ("context_revision", "table", 1024.6),
    ("embedding", "table", 910.9),
    ("entry", "table", 269.5),
    ("posting_tokens", "gin", 259.2),
    ("context", "table", 234.5),
    ("posting", "table", 194.2),
    ("context_key_pkey", "btree", 155.3),
    ("context_key", "table", 137.1),
    ("context_same", "btree", 128.9),
    ("embedding_pkey", "btree", 97.8),
    ("entry_session", "btree", 94.9),
    ("context_tenant_id_context_id_key", "btree", 83.9),
    ("context_newest", "btree", 82.8),
    ("edge_pkey", "btree", 79.5),
    ("edge", "table", 71.1),
    ("context_revision_pkey", "btree", 70.0),
    ("unembedded_pkey", "btree", 68.7),
    ("context_pkey", "btree", 57.2),
    ("entry_pkey", "btree", 57.2),
    ("posting_pkey", "btree", 57.2),
    ("edge_parent", "btree", 41.9),
    ("speaker", "table", 20.3),
    ("shelf", "table", 12.3),
    ("speaker_pkey", "btree", 7.3),
)
USUAL = tuple(Part(name=name, kind=kind, bytes_each=each) for name, kind, each in _USUAL)
"""What each memory took when docs/scale.md was measured: 100,000 of 109 bytes of text each, with
their lineage, and vectors of 384 numbers."""


def parts_of(sizes: Sizes) -> tuple[Part, ...]:
    """What each memory takes, the largest first; () for a database of fewer than FEW."""
    if sizes.memories < FEW:
        return ()
    found = [part for table in sizes.tables for part in _parts(table, sizes.memories)]
    return tuple(sorted(found, key=lambda part: -part.bytes_each))


def shard_plan(
    sizes: Sizes,
    *,
    memories: int,
    replicas: int,
    shard_bytes: int,
    tables: Sequence[str],
    directory: Sequence[str],
) -> ShardPlan:
    """The plan for `memories` memories like those that are there, or like the usual ones where
    there are too few. tables: of tenants; directory: the others. All numbers are at least 1."""
    own = parts_of(sizes)
    parts = own or USUAL
    bytes_each = sum(part.bytes_each for part in parts)
    disk_bytes = ceil(bytes_each * memories)
    shards = _power_of_two(ceil(disk_bytes / shard_bytes))
    share = sizes.largest / sizes.memories if own else None
    return ShardPlan(
        memories=memories,
        replicas=replicas,
        shard_bytes=shard_bytes,
        measured=bool(own),
        parts=parts,
        bytes_each=bytes_each,
        disk_bytes=disk_bytes,
        disk_all_bytes=ceil(disk_bytes * replicas * ROOM),
        shards=shards,
        hnsw_bytes=_of(parts, ("hnsw",), memories),
        words_bytes=_of(parts, ("gin",), memories),
        rows_bytes=_of(parts, ("btree",), memories),
        largest_bytes=None if share is None else ceil(disk_bytes * share),
        statements=citus_statements(tables, directory, shards),
    )


def citus_statements(
    tables: Sequence[str], directory: Sequence[str], shards: int
) -> tuple[str, ...]:
    """What makes a database of lineal's one of Citus, in order, as lineal's own role.

    All rows of a tenant come to lie on one worker; a table comes after those that it refers to.
    """
    first, *others = tables
    return (
        # The wall is a setting of the transaction, which the workers must see.
        "ALTER ROLE CURRENT_USER SET citus.propagate_set_commands = 'local';",
        "SET citus.propagate_set_commands = 'local';",
        *(f"SELECT create_reference_table('lineal.{name}');" for name in directory),
        f"SELECT create_distributed_table('lineal.{first}', 'tenant_id', "
        f"colocate_with => 'none', shard_count => {shards});",
        *(
            f"SELECT create_distributed_table('lineal.{name}', 'tenant_id', "
            f"colocate_with => 'lineal.{first}');"
            for name in others
        ),
    )


def _parts(table: TableSize, memories: int) -> Iterable[Part]:
    named = (
        (table.name, "table", table.heap_bytes),
        (table.name, "toast", table.toast_bytes),
        *((index.name, index.kind, index.size_bytes) for index in table.indexes),
    )
    for name, kind, size_bytes in named:
        if size_bytes > EMPTY_BYTES:
            yield Part(name=name, kind=kind, bytes_each=size_bytes / memories)


def _of(parts: Iterable[Part], kinds: Sequence[str], memories: int) -> int:
    return ceil(sum(part.bytes_each for part in parts if part.kind in kinds) * memories)


def _power_of_two(least: int) -> int:
    """So that shards can be spread evenly over two, four, eight workers."""
    return 1 << max(0, least - 1).bit_length()
