"""How much room memories take in a database, and a plan for many more of them."""

from __future__ import annotations

from lineal.models.base import Model

__all__ = ["IndexSize", "Part", "ShardPlan", "Sizes", "TableSize"]


class IndexSize(Model):
    """kind: btree, gin, hnsw."""

    name: str
    kind: str
    size_bytes: int


class TableSize(Model):
    """rows: as the server's statistics have it. heap_bytes: without what is kept apart (TOAST)."""

    name: str
    rows: int
    heap_bytes: int
    toast_bytes: int
    indexes: tuple[IndexSize, ...] = ()


class Sizes(Model):
    """A database as it is. memories: those in the index of words, which is what lives or isn't
    swept yet. tenants: all; looked_at: those whose memories were counted, the largest of which has
    `largest` of them. body_bytes: of a revision's text with its lineage, on average; None: unknown.
    """

    memories: int
    tenants: int
    looked_at: int
    largest: int
    body_bytes: float | None
    tables: tuple[TableSize, ...]


class Part(Model):
    """What each memory takes of a table or of an index. kind: table, toast, btree, gin, hnsw."""

    name: str
    kind: str
    bytes_each: float


class ShardPlan(Model):
    """For `memories` memories. measured: by this database's rows; else by those of docs/scale.md.

    disk_bytes: of one copy; disk_all_bytes: of all replicas, with room to work. hnsw_bytes,
    words_bytes: the indexes of vectors and of words, of one copy; rows_bytes: the other indexes.
    largest_bytes: of the largest tenant, who lies on one shard; None: unknown.
    """

    memories: int
    replicas: int
    shard_bytes: int
    measured: bool
    parts: tuple[Part, ...]
    bytes_each: float
    disk_bytes: int
    disk_all_bytes: int
    shards: int
    hnsw_bytes: int
    words_bytes: int
    rows_bytes: int
    largest_bytes: int | None
    statements: tuple[str, ...]
