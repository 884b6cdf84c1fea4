"""In which language a store's words are kept: the file says so, whoever opens it."""

from __future__ import annotations

from functools import lru_cache

import apsw

from lineal.analysis.analyzer import Analyzer
from lineal.errors import LinealError
from lineal.stores.sqlite import trouble
from lineal.stores.sqlite.statements import one_row

__all__ = ["analyzer_of", "is_current", "language_of", "write_language"]

_SELECT = "SELECT language, words_version FROM lexicon"
_REPLACE = "INSERT OR REPLACE INTO lexicon VALUES (1, ?, ?)"


def analyzer_of(connection: apsw.Connection) -> Analyzer:
    """What the store's words were made with."""
    language, _ = language_of(connection)
    return _kept(language)


def language_of(connection: apsw.Connection) -> tuple[str, str]:
    """The language, and the version of the analysis that the entries were made with."""
    row = one_row(connection, _SELECT)
    if row is None:
        raise trouble.damaged("The store's record of its words")
    return row[0], row[1]


def is_current(connection: apsw.Connection) -> bool:
    """Whether the entries were made as this version's analysis makes them: another release of the
    stemmer may stem otherwise."""
    language, version = language_of(connection)
    return version == _kept(language).version


def write_language(connection: apsw.Connection, language: str) -> None:
    connection.execute(_REPLACE, (language, _analyzer(language).version))


def _kept(language: str) -> Analyzer:
    """Raises LinealError (damaged) for a language that nobody could have written there."""
    try:
        return _analyzer(language)
    except LinealError as error:
        raise trouble.damaged("The store's record of its words") from error


@lru_cache(maxsize=8)
def _analyzer(language: str) -> Analyzer:
    return Analyzer(language)
