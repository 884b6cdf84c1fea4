"""A text without the habits of whoever typed it, and what is left to compare."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

from lineal.policy.slips import LETTERS_MIN, WIDE, bare, is_slip
from lineal.policy.spelling import EXACT, SHORT, SPELLED, TAILS

__all__ = ["CHARS_MAX", "alike", "keys", "names", "skeleton"]

WORDS_MIN = 5
"""Words of a skeleton from which slips are looked for; below, one word is too much of the text."""

WIDE_MIN = 8
"""The same for Chinese and Japanese, in characters of one run."""

WORDS_PER_SLIP = 6
"""One slip, and one more for each so many words."""

CHARS_MAX = 12_000
"""Characters up to which a key covers every word; beyond, it covers both ends and all numbers."""

_END_CHARS = 4_000
_END_WORDS = 200
_END_LETTERS = 1_200
"""Taken of each end: the characters read, the words and letters used. Fewer are used than read,
so that a word dropped at an end doesn't move the others out of sight."""

_HABITS = """
just really actually basically simply literally honestly seriously very please obviously
um umm uh uhh uhm erm hmm hm mhm btw lol haha äh ähm halt euh hein pues eh
"""
_FILLERS = frozenset(_HABITS.split())
"""Words that say nothing. "only", "still", "maybe" and the like do."""

_OPENINGS = frozenset(("so", "well", "ok", "okay", "oh", "hey", "hi", "yeah", "anyway", "fyi"))
"""Said before the first word only; elsewhere they mean something."""

_REPEATED = "the a an to in of and is it i for on at we with that be"
_STUTTERS = frozenset(_REPEATED.split())
"""Words that are typed twice by accident; "had had" and "no no" are meant."""

_NEGATED = "not no never nor without hardly rarely nicht kein keine pas ni"
_NEGATIONS = frozenset(_NEGATED.split())
"""Before a filler they make it speak: "not really", "not just"."""

_ARTICLES = frozenset(("a", "an", "the"))
_BEFORE_LETTER = "plan vitamin grade type class option group hepatitis team series section part"
_AFTER_LETTER = "and or is was to in with for by at of from few little then but"
_LETTERED = frozenset(_BEFORE_LETTER.split()), frozenset(_AFTER_LETTER.split())
"""An "a" after the former, or before the latter, is a name ("plan A") or counts ("a few")."""

_OTHER_LANGUAGES = """
el la los las de que y en con por una es se su mi para yo le les est et une un il je nous vous
dans pour sur avec der das die den dem und ist nicht ich sie ein eine mit auf fuer von zu wir
"""
_FOREIGN = frozenset(_OTHER_LANGUAGES.split())
"""Where one of these stands, the text isn't English: "a" and "an" are no articles."""

_COMMON = """
and is are was were of to with that this for i my we you she he they it at from not have has will be
our your her his their but if when do does can by as or who user on in
"""
_ENGLISH = frozenset(_COMMON.split())
"""Without one of these there is no telling."""

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_HESITATIONS = re.compile("えっと|ええと|えーと|嗯|呃")
_PARTS = re.compile(r"\d+(?:\u2024\d+)*|\D+")
_NO_DIGITS = bytes(set(range(256)) - set(b"0123456789"))
_TRIPLED = re.compile(r"(.)\1{2,}")
_CAPITALISED = re.compile(r"[^\W\d_]+")


def skeleton(folded: str) -> tuple[str, ...]:
    """The words of a folded text, contractions written out, fillers and articles left out."""
    if not folded.isascii():
        folded = _HESITATIONS.sub("", folded).translate(_UMLAUTS)
    words: list[str] = []
    tripled = _TRIPLED.search(folded) is not None
    for token in folded.split():
        full = SHORT.get((words[-1], token)) if token in TAILS and words else None
        if full:
            words[-1:] = full
        elif token.isalpha():
            plain = _TRIPLED.sub(r"\1\1", token) if tripled else token
            words.extend(SPELLED.get(token) or (plain,))
        else:
            words.extend(_PARTS.findall(token))
    return tuple(_plain(words))


def _plain(words: Sequence[str]) -> Iterable[str]:
    """Without openings, fillers, articles and stutters."""
    articles = _FOREIGN.isdisjoint(words)
    before, opened = "", False
    for word, after in zip(words, [*words, ""][1:], strict=True):
        opened = opened or not (word in _OPENINGS or word in _FILLERS)
        empty = (
            not opened
            or (word in _FILLERS and before not in _NEGATIONS)
            or (word == before and word in _STUTTERS)
            or (articles and word in _ARTICLES and _is_article(before, word, after))
        )
        before = word
        if not empty:
            yield word


def _is_article(before: str, word: str, after: str) -> bool:
    lettered = not after or before in _LETTERED[0] or after in _LETTERED[1]
    return word != "a" or not lettered


def keys(folded: str) -> tuple[int, ...]:
    """Two numbers in [0, 2**63), () for a short text; texts that are `alike` share one.

    Each covers all words in order, figures and short words (`not`, `two`) to the letter. The first
    holds no more of a longer word than a slip leaves, its first letter; the second has no gaps.
    """
    if len(folded) <= CHARS_MAX:
        words = skeleton(folded)
        return _hashes(words, _joined(words), "") if _is_long(words) else ()
    head, tail = skeleton(folded[:_END_CHARS]), skeleton(folded[-_END_CHARS:])
    ends = (*head[:_END_WORDS], *tail[-_END_WORDS:])
    letters = _joined(head)[:_END_LETTERS] + _joined(tail)[-_END_LETTERS:]
    return _hashes(ends, letters, _digits(folded))


def _digits(text: str) -> str:
    """All digits, in order."""
    return text.encode("ascii", "ignore").translate(None, _NO_DIGITS).decode()


def _is_long(words: Sequence[str]) -> bool:
    """Whether there is enough to tell a slip from another word."""
    return len(words) >= WORDS_MIN or any(
        len(word) >= WIDE_MIN and word[0] >= WIDE for word in words
    )


def _hashes(words: Sequence[str], letters: str, numbers: str) -> tuple[int, ...]:
    starts = bare(" ".join([word[0] if _is_loose(word) else word for word in words]))
    return _hash(f"starts\n{numbers}\n{starts}"), _hash(f"letters\n{numbers}\n{letters}")


def _is_loose(word: str) -> bool:
    """Whether a slip may hide in it: all but the first letter."""
    return len(word) >= LETTERS_MIN and word.isalpha() and word[0] < WIDE


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _joined(words: Iterable[str]) -> str:
    """The letters without gaps, where a gap says nothing: numbers and exact words keep theirs."""
    return "".join(
        [word if word.isalpha() and word not in EXACT else f" {word} " for word in words]
    )


def alike(one: Sequence[str], other: Sequence[str], names: Callable[[], frozenset[str]]) -> bool:
    """Whether two skeletons are equal but for gaps, or but for a few slips; short ones are not.

    names: the words in which nothing may differ, asked for only if a word does.
    """
    if not (_is_long(one) and _is_long(other)):
        return False
    if _joined(one) == _joined(other):
        return True
    if len(one) != len(other):
        return False
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
    if len(pairs) > 1 + len(one) // WORDS_PER_SLIP:
        return False
    english = _is_english(one) and _is_english(other)
    exact = names()
    return all(exact.isdisjoint(pair) and is_slip(*pair, english=english) for pair in pairs)


def _is_english(words: Sequence[str]) -> bool:
    return _FOREIGN.isdisjoint(words) and not _ENGLISH.isdisjoint(words)


def names(text: str) -> frozenset[str]:
    """Words that begin with a capital, casefolded; none where all is in capitals.

    The first word of a sentence is among them: it may be a name too.
    """
    if text.isupper():
        return frozenset()
    words = (
        word
        for word in _CAPITALISED.findall(unicodedata.normalize("NFKC", text))
        if word[0].isupper()
    )
    return frozenset(word.casefold().translate(_UMLAUTS) for word in words)
