"""What stands over each token of a text: whose it is, whether it is denied, wished or asked."""

from __future__ import annotations

from lineal.extractors.rules import english as en
from lineal.extractors.rules.english import listed
from lineal.extractors.rules.numbers import is_numeric
from lineal.extractors.rules.senses import SENSES
from lineal.extractors.rules.state import (
    ASKED,
    DENIED,
    HEDGE,
    LEFT,
    OTHER,
    PAST,
    QUOTED,
    WISH,
    Reader,
    Scope,
)
from lineal.extractors.rules.tokens import STOPS, Tokens
from lineal.extractors.rules.whose import WHOSE

__all__ = ["ASKED", "DENIED", "HEDGE", "LEFT", "OTHER", "PAST", "QUOTED", "WISH", "Scope", "scopes"]

_CLAUSE = DENIED | LEFT | HEDGE | PAST

QUOTE_TOKENS_MAX = 400


def scopes(text: Tokens) -> list[int]:
    """Flags per token, as they stand before it: a word doesn't rule over itself. (n,)"""
    reader = Reader(text)
    reader.own = not {"i", "we"}.isdisjoint(text.words)
    words = text.words
    flags = reader.flags
    act = _ACTS.get
    for index, word in enumerate(words):
        flags.append(reader.state)
        deed = act(word)
        if deed is not None:
            deed(reader, index)
    reader.ask_from(len(words))
    for first, end, flag in reader.marks:
        for at in range(first, end):
            flags[at] |= flag
    if '"' in words or "“" in words:
        _quote(text, flags)
    return flags


def _stop(reader: Reader, index: int) -> None:
    if reader.words[index] == "?":
        reader.ask_from(index)
    follower = reader.word(index + 1)
    carried = reader.state & OTHER if follower in en.THIRD else 0
    reader.state, reader.since, reader.spoken, reader.moving = carried, index + 1, False, False


def _comma(reader: Reader, index: int) -> None:
    reader.state &= ~(_CLAUSE | WISH) if not _in_list(reader, index) else -1
    reader.spoken = False
    reader.moving = False


def _in_list(reader: Reader, index: int) -> bool:
    """Whether an "or" or "nor" soon after the comma makes it one of a denied list."""
    if not reader.state & (_CLAUSE | WISH):
        return False
    for at in range(index + 1, min(index + 9, len(reader.words))):
        word = reader.words[at]
        if word in STOPS or word in en.FIRST or word in ("and", "but", "it"):
            return False
        if word in ("or", "nor"):
            return reader.word(at + 1) != "nothing"
    return False


def _break(reader: Reader, index: int) -> None:
    reader.state &= ~(_CLAUSE | (0 if reader.words[index] == "when" else WISH))
    if reader.words[index] in ("if", "unless"):
        reader.state |= WISH
    reader.spoken = False


def _and(reader: Reader, index: int) -> None:
    follower = reader.word(index + 1)
    if follower in en.NEW_CLAUSE or follower.endswith("ed"):
        reader.state &= ~_CLAUSE
        reader.spoken = False


def _slash(reader: Reader, index: int) -> None:
    """ "no kids / hiking": with a space before it, it parts."""
    if reader.text.text[reader.text.starts[index] - 1 : reader.text.starts[index]].isspace():
        _comma(reader, index)


def _deny(reader: Reader, index: int) -> None:
    words = reader.words
    follower = reader.word(index + 1)
    spared = follower in en.UNNEGATED and words[index] in ("not", "no")
    if spared and words[index : index + 2] != ["no", "to"]:
        if follower in ("only", "just"):  # "I don't only hike": no phrase with the "not" holds
            reader.mark(index - 1, index + 1, OTHER)
        return
    if follower in en.FILLERS:
        follower = reader.word(index + 2)
    for saying in _SAYINGS.get(words[index], ()):
        if tuple(words[index : index + len(saying)]) == saying:
            reader.spared = index + len(saying)
    if index < reader.spared:
        return
    if follower in en.SAYING:  # "I never said I was vegan"
        reader.state |= WISH
        return
    if follower in en.LEAVING.get(words[index], ()):
        reader.state |= LEFT
    else:
        reader.state |= DENIED


def _leave(reader: Reader, index: int) -> None:
    word, follower = reader.words[index], reader.word(index + 1)
    if word == "used" and reader.word(index - 1) in ("am", "is", "are", "get", "getting", "be"):
        return
    if word in en.LEAVERS or follower in en.LEAVING.get(word, ()):
        if reader.state & DENIED:
            reader.state &= ~DENIED
        else:
            reader.state |= LEFT
            reader.moving = word in en.LEAVERS or word in _LETTING


_LETTING = frozenset(listed("away gave given"))


def _move(reader: Reader, index: int) -> None:
    reader.moving = True
    if reader.words[index] == "went":
        _settle(reader, index)


def _settle(reader: Reader, index: int) -> None:
    """ "after looking at X we settled on Y": what was only considered is over."""
    reader.state &= ~WISH


def _from(reader: Reader, index: int) -> None:
    if reader.moving:
        reader.state |= LEFT


def _arrive(reader: Reader, index: int) -> None:
    favoured = reader.word(index - 1) == "in" and reader.words[index] in ("favour", "favor")
    if reader.moving or favoured:
        reader.state &= ~(LEFT | (DENIED if favoured else 0))
        reader.moving = False


def _wish(reader: Reader, index: int) -> None:
    seconds = en.WISHES[reader.words[index]]
    follower = reader.word(index + 1)
    if follower in en.FILLERS:
        follower = reader.word(index + 2)
    if reader.words[index] == "learning" and reader.word(index - 1) not in _LEARNERS:
        return
    if seconds is None or follower in seconds:
        reader.state |= WISH


_LEARNERS = frozenset(
    listed("am is are be been still currently now started start i of also by , ( and but want to")
)


def _plan(reader: Reader, index: int) -> None:
    """ "I'll be moving to Berlin", "I'm going to live in Rome": not so yet."""
    at = index + 1 + (reader.words[index] == "going" and reader.word(index + 1) == "to")
    if reader.words[index] == "going" and at == index + 1:
        return
    at += reader.word(at) in en.FILLERS or reader.word(at) == "soon"
    if reader.word(at) in en.PLANNED:
        reader.state |= WISH
    elif reader.word(at) == "be" and at + 1 < len(reader.words):
        planned = reader.words[at + 1] in en.PLANNED_BE or is_numeric(reader.words, at + 1)
        reader.state |= WISH if planned else 0


def _miss(reader: Reader, index: int) -> None:
    """ "I miss living in Denver": no longer, or not now."""
    before = index - 1
    while reader.word(before) in en.FILLERS:
        before -= 1
    if reader.word(before) in ("i", "we", "and", "do", "am") and index >= reader.spared:
        reader.state |= WISH


def _was(reader: Reader, index: int) -> None:
    reader.state |= PAST


def _hedge(reader: Reader, index: int) -> None:
    reader.state |= HEDGE
    if reader.words[index] in ("might", "could"):
        reader.state |= WISH


def _nearly(reader: Reader, index: int) -> None:
    """ "almost vegan", "sort of vegan"; "almost 30" and "almost always" are another matter."""
    word, follower = reader.words[index], reader.word(index + 1)
    if word in ("sort", "kind"):
        if follower != "of" or reader.word(index - 1) in _SORTS:
            return
    elif follower in en.ALWAYS or not follower or is_numeric(reader.words, index + 1):
        return
    reader.state |= HEDGE


_SORTS = frozenset(listed("a the any every each some what which this that my all other same one"))


def _ish(reader: Reader, index: int) -> None:
    """ "vegan-ish": the word before is meant loosely."""
    reader.mark(index - 2, index, HEDGE)


def _now(reader: Reader, index: int) -> None:
    """ "now it's …", "today": what was left is over."""
    reader.state &= ~(LEFT | PAST)


def _over(reader: Reader, index: int) -> None:
    """ "I prefer X over Y"."""
    before = reader.words[max(reader.since, index - 12) : index]
    if any(word.startswith(_CHOOSING) for word in before):
        reader.state |= DENIED


_CHOOSING = ("prefer", "choose", "chose", "pick", "select", "favour", "favor", "opted", "went")


def _quote(text: Tokens, flags: list[int]) -> None:
    """Marks what stands between double quotes, if it is more than a word or two."""
    opened = -1
    for index, word in enumerate(text.words):
        if word not in ('"', "“", "”"):
            continue
        if opened < 0 and _is_inches(text, index):
            continue
        if opened < 0:
            opened = index
            continue
        said = text.text[text.ends[opened] : text.starts[index]]
        if len(said.split()) > 2 and index - opened < QUOTE_TOKENS_MAX:
            for at in range(opened + 1, index):
                flags[at] |= QUOTED
        opened = -1


def _is_inches(text: Tokens, index: int) -> bool:
    """The mark of 5'11"."""
    return text.words[index - 2 : index - 1] == ["'"] and text.words[index - 1].isdecimal()


_SAYINGS: dict[str, list[tuple[str, ...]]] = {}
for _saying in sorted(en.POSITIVE):
    _SAYINGS.setdefault(_saying[0], []).append(_saying)

_ACTS = {
    **SENSES,
    **dict.fromkeys(en.NEARLY, _nearly),
    **dict.fromkeys(("will", "going"), _plan),
    **dict.fromkeys(("miss", "missing", "missed"), _miss),
    "ish": _ish,
    **dict.fromkeys(en.WISHES, _wish),
    **dict.fromkeys(en.HEDGES, _hedge),
    **dict.fromkeys(en.BREAKS, _break),
    **dict.fromkeys(en.ARRIVALS, _arrive),
    **dict.fromkeys(en.MOVES, _move),
    **dict.fromkeys(en.LEAVERS, _leave),
    **dict.fromkeys(en.LEAVING, _leave),
    **WHOSE,
    **dict.fromkeys(en.NEGATORS, _deny),
    **dict.fromkeys(STOPS, _stop),
    **dict.fromkeys(("was", "were"), _was),
    **dict.fromkeys(",():-–—|·•", _comma),
    "/": _slash,
    "and": _and,
    "from": _from,
    "now": _now,
    **dict.fromkeys(("settled", "chose", "picked"), _settle),
    "over": _over,
}
