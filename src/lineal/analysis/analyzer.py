"""The terms of a text and of a question: the words under which a memory is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice

import Stemmer

from lineal.analysis.folding import WORD_CHARS_MAX, chunks, digits, folded, lowered
from lineal.analysis.irregular import IRREGULAR
from lineal.analysis.nearby import LETTERS_MAX, LETTERS_MIN, NEAR_MAX, spellings
from lineal.analysis.pieces import Piece, pieces
from lineal.analysis.stopwords import stop_words
from lineal.analysis.unspaced import grams, is_wide
from lineal.errors import LinealError

__all__ = ["NO_STEMMING", "TERMS_MAX", "Analyzer"]

TERMS_MAX = 48
"""Distinct terms of a question that are looked up; more cost time and add nothing."""

NO_STEMMING = "none"
"""The language of whoever wants words as they are written."""

_RULES = 1
"""Raised whenever a rule of this room changes which terms a text has."""

_ENGLISH = ("english", "porter")
_QUESTION_WORDS_MAX = 2_000
"""Words of a question that are read."""

_REMEMBERED_MAX = 8_192
"""Chunks whose terms are kept: texts repeat their words."""

_REMEMBERED_CHARS_MAX = 64
"""Of one chunk; a longer one hardly comes again."""


class Analyzer:
    """Texts and questions go through one, so that they meet. Never raises for a text.

    language: "none", or a Snowball language such as "english"; LinealError for another.
    version: changes whenever terms do; what was indexed under another must be indexed anew.
    """

    def __init__(self, language: str = "english") -> None:
        self._stem = _stemmer(language)
        self._language = language
        self._irregular = IRREGULAR if language in _ENGLISH else {}
        # English knows no accents; elsewhere the stemmer reads them, and they go afterwards.
        self._accents = language not in (*_ENGLISH, NO_STEMMING)
        self._remembered = lru_cache(_REMEMBERED_MAX)(self._terms)
        self.version = _version(language)

    def terms(self, text: str) -> list[str]:
        """A term for each word of a text, in order, with repetitions."""
        found: list[str] = []
        for chunk in chunks(text.isascii()).findall(text):
            short = len(chunk) <= _REMEMBERED_CHARS_MAX
            found += self._remembered(chunk) if short else self._terms(chunk)
        return found

    def question(self, text: str) -> tuple[str, ...]:
        """Distinct terms in order, without stop words where others remain; at most TERMS_MAX."""
        return tuple(term for _, term in self.words(text))

    def words(self, text: str) -> tuple[tuple[str, str], ...]:
        """A question's words, folded, each with its term; the terms are `question`'s."""
        asked = islice(self._asked(text), _QUESTION_WORDS_MAX)
        by_term: dict[str, str] = {}
        for word, term in asked:
            by_term.setdefault(term, word)
        stop = stop_words(map(folded, by_term.values()), self._language)
        pairs = [(word, term) for term, word in by_term.items()]
        telling = [pair for pair in pairs if folded(pair[0]) not in stop] or pairs
        return tuple(telling[:TERMS_MAX])

    def near(self, term_source: str) -> tuple[str, ...]:
        """Terms of the spellings one slip away from a word, distinct, at most NEAR_MAX.

        () for words shorter than LETTERS_MIN or longer than LETTERS_MAX, with digits or signs, or
        not Latin.
        """
        word = lowered(term_source[:WORD_CHARS_MAX])
        plain = folded(word)
        if not LETTERS_MIN <= len(plain) <= LETTERS_MAX or not (
            plain.isascii() and plain.isalpha()
        ):
            return ()
        terms = {self._term(Piece(word, True)): None}
        for spelling in spellings(word):
            terms[self._term(Piece(spelling, True))] = None
            if len(terms) > NEAR_MAX:
                break
        return tuple(terms)[1:]

    def meant(self, term_source: str, term: str) -> str:
        """A spelling one slip away from a word that has this term; the term where none has."""
        spelled = spellings(lowered(term_source[:WORD_CHARS_MAX]))
        return next((s for s in spelled if self._term(Piece(s, True)) == term), term)

    def _terms(self, chunk: str) -> tuple[str, ...]:
        if chunk.isascii() and chunk.isalpha() and chunk[1:].islower() and len(chunk) > 1:
            # The common case, without the questions that others raise.
            return (self._word(chunk[:WORD_CHARS_MAX].lower()),)
        return tuple(term for _, term in self._pairs(chunk, asking=False))

    def _asked(self, text: str) -> Iterator[tuple[str, str]]:
        for match in chunks(text.isascii()).finditer(text):
            yield from self._pairs(match[0], asking=True)

    def _pairs(self, chunk: str, *, asking: bool) -> Iterator[tuple[str, str]]:
        """(word, term) of each piece of a chunk."""
        if not chunk.isascii() and is_wide(chunk):
            yield from ((gram, gram) for gram in grams(chunk, asking=asking))
            return
        seen: set[str] = set()
        for piece in pieces(chunk):
            term = self._term(piece)
            if term and term not in seen:
                seen.add(term)
                yield self._raw(piece.text), term

    def _raw(self, text: str) -> str:
        return lowered(text) if self._accents else folded(text)

    def _term(self, piece: Piece) -> str:
        raw = self._raw(piece.text)
        if raw.isdecimal():
            return digits(raw)
        if not piece.stemmed:
            return folded(raw)
        return self._word(raw)

    def _word(self, raw: str) -> str:
        stem = self._stem(self._irregular.get(raw, raw))
        return folded(stem) if self._accents else stem


def _stemmer(language: str) -> Callable[[str], str]:
    if language == NO_STEMMING:
        return str
    known = Stemmer.algorithms()
    if language not in known:
        choices = [NO_STEMMING, *known]
        raise LinealError.invalid(
            "language",
            f"There is no stemmer for '{language}'. Choose one of: {', '.join(choices)}.",
            choices=choices,
        )
    stemmer = Stemmer.Stemmer(language)
    return lambda word: str(stemmer.stemWord(word))


def _version(language: str) -> str:
    """Another release of the stemmers may stem otherwise."""
    base = f"words.v{_RULES}-{language}"
    return base if language == NO_STEMMING else f"{base}-{Stemmer.version()}"
