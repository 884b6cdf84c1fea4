"""What the search bench is made of: memories like a language's, and questions to them."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import apsw
import search_fill
import search_questions
import zipf
from bench_search import missed, table

from lineal.clock import SystemClock
from lineal.models.changes import Scope
from lineal.stores.sqlite import SqliteStore

SEED = 11


def said(number: int, seed: int = SEED) -> list[zipf.Memory]:
    return list(itertools.islice(zipf.memories(seed), number))


def words_of(memories: Sequence[zipf.Memory]) -> list[str]:
    return re.findall(r"\w+", " ".join(memory.text for memory in memories).lower())


def test_the_same_seed_says_the_same() -> None:
    assert said(50) == said(50)
    assert said(50) != said(50, seed=SEED + 1)


def test_a_memory_has_eight_to_forty_words() -> None:
    lengths = [len(memory.text.split()) for memory in said(2_000)]
    assert min(lengths) >= zipf.WORDS_MIN
    assert max(lengths) <= zipf.WORDS_MAX


def test_a_word_is_said_in_proportion_to_its_rank() -> None:
    words = words_of(said(5_000))
    counts = [number for _, number in Counter(words).most_common(1_001)]
    slope = math.log(counts[1_000] / counts[10]) / math.log(1_000 / 10)
    assert -1.3 < slope < -0.7
    assert 0.025 < counts[0] / len(words) < 0.035


def test_there_are_always_new_words_but_fewer_and_fewer() -> None:
    memories = said(16_000)
    early, later = (len(set(words_of(memories[:number]))) for number in (4_000, 16_000))
    assert 1.5 < later / early < 2.6


def test_forms_of_one_word_are_one_to_a_stemmer() -> None:
    first, stems = len(zipf.FUNCTION_WORDS) + 1, 2_000
    index = apsw.Connection(":memory:")
    index.execute("CREATE VIRTUAL TABLE t USING fts5 (word, tokenize = 'porter unicode61')")
    for stem in range(stems):
        forms = [zipf.spelled(first + 3 * stem + form) for form in range(3)]
        index.execute("INSERT INTO t (rowid, word) VALUES (?, ?)", (stem + 1, " ".join(forms)))
    index.execute("CREATE VIRTUAL TABLE terms USING fts5vocab ('t', 'row')")
    terms = index.execute("SELECT count(*) FROM terms").get
    assert terms <= 1.25 * stems, "three forms would be three times as many"


def test_words_of_a_session_go_together() -> None:
    memories = said(4_000)
    grouped = itertools.groupby(memories, lambda memory: memory.session)
    sessions = [talk[:20] for _, group in grouped if len(talk := list(group)) >= 20]
    strewn = [memories[start::200] for start in range(100)]
    assert distinct(sessions) < 0.9 * distinct(strewn)


def distinct(groups: Sequence[Sequence[zipf.Memory]]) -> float:
    """Words that a group of twenty memories has, on average, each counted once."""
    assert {len(group) for group in groups} == {20}
    return sum(len(set(words_of(group))) for group in groups) / len(groups)


def test_a_question_is_made_of_its_memorys_words() -> None:
    memories = said(300)
    for question in search_questions.questions(memories, 200, SEED):
        assert 3 <= len(question.text.split()) <= 8
        if question.wanted is not None:
            assert set(question.both) <= set(
                words_of(memories[question.wanted : question.wanted + 1])
            )


def test_a_hostile_question_is_no_longer_than_a_question_may_be() -> None:
    assert max(map(len, search_questions.HOSTILE.values())) == 100_000


async def test_a_kept_store_holds_both_users_and_is_loaded_once(tmp_path: Path) -> None:
    first = await search_fill.kept(tmp_path, 300, SEED, search_fill.LARGE)
    again = await search_fill.kept(tmp_path, 300, SEED, search_fill.LARGE)
    assert again == first._replace(loaded_s=0.0)
    home = search_fill.loaded_copy(first, tmp_path / "copies")
    store = SqliteStore(home / "lineal.db", clock=SystemClock())
    await store.open()
    for user, number in ((search_fill.LARGE, 300), (search_fill.SMALL, search_fill.SMALL_SIZE)):
        scope = Scope(tenant="local", user_id=user, domain=search_fill.DOMAIN)
        assert (await store.stats(scope)).contexts == number
    await store.close()


def test_what_lies_over_its_bar_is_named() -> None:
    report = {
        "search": {"none 10": {"ratio": 3.1}, "none 20": {"ratio": 2.9}},
        "stores": {"small": {"bytes_each": 1_801, "bar": 1_800}},
        "hostile": {"none 10": {"NEAR(": {"max_ms": 200.1}, "*": {"max_ms": 1.0}}},
    }
    assert missed(report) == ["search none 10", "store small", "hostile none 10: NEAR("]


def test_the_table_leaves_nothing_out_that_was_missed() -> None:
    rooms = ("search", "floors", "few", "append", "stores", "growth", "first_search_ms", "hostile")
    report = {**{room: {} for room in rooms}, "missed": ["search none 10"]}
    assert table(report).endswith("  search none 10")
