"""What stands over each token of a text: whose it is, whether it is denied, wished or asked."""

from __future__ import annotations

from enum import IntFlag
from itertools import pairwise

from lineal.extractors.rules import english as en
from lineal.extractors.rules.english import listed
from lineal.extractors.rules.tokens import STOPS, Tokens

__all__ = ["Scope", "scopes"]


class Scope(IntFlag):
    """OTHER: somebody else's. DENIED: not so. LEFT: no longer so. WISH: hoped, considered or
    supposed. HEDGE: said with doubt. QUOTED, ASKED: not said as so. PAST: was so."""

    OTHER = 1
    DENIED = 2
    LEFT = 4
    WISH = 8
    HEDGE = 16
    QUOTED = 32
    ASKED = 64
    PAST = 128


OTHER, DENIED, LEFT, WISH, HEDGE, QUOTED, ASKED, PAST = (int(flag) for flag in Scope)
_CLAUSE = DENIED | LEFT | HEDGE | PAST

QUOTE_TOKENS_MAX = 400
KIN_BEFORE = 12


def scopes(text: Tokens) -> list[int]:
    """Flags per token, as they stand before it: a word doesn't rule over itself. (n,)"""
    reader = _Reader(text)
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
    if '"' in words or "“" in words:
        _quote(text, flags)
    return flags


class _Reader:
    """The state while going through the words. since: where the sentence began."""

    __slots__ = (
        "flags",
        "moving",
        "own",
        "since",
        "spared",
        "spoken",
        "state",
        "telling",
        "text",
        "words",
    )

    def __init__(self, text: Tokens) -> None:
        self.text = text
        self.words = text.words
        self.flags: list[int] = []
        self.state = 0
        self.since = 0
        self.spared = 0
        self.spoken = False
        self.own = False
        self.moving = False
        self.telling: bool | None = None

    def word(self, index: int) -> str:
        return self.words[index] if 0 <= index < len(self.words) else ""

    def tells_of_self(self) -> bool:
        """Whether "I am", "I live" or the like stands anywhere."""
        if self.telling is None:
            pairs = pairwise(self.words)
            told = en.TELLING | en.FILLERS
            self.telling = any(one == "i" and other in told for one, other in pairs)
        return self.telling

    def ask_from(self, end: int) -> None:
        if self.word(end) == "?" or self.word(end - 1) == "?":
            for index in range(self.since, min(end, len(self.flags))):
                self.flags[index] |= ASKED


def _stop(reader: _Reader, index: int) -> None:
    if reader.words[index] == "?":
        reader.ask_from(index)
    follower = reader.word(index + 1)
    carried = reader.state & OTHER if follower in en.THIRD else 0
    reader.state, reader.since, reader.spoken, reader.moving = carried, index + 1, False, False


def _comma(reader: _Reader, index: int) -> None:
    reader.state &= ~(_CLAUSE | WISH) if not _in_list(reader, index) else -1
    reader.spoken = False
    reader.moving = False


def _in_list(reader: _Reader, index: int) -> bool:
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


def _break(reader: _Reader, index: int) -> None:
    reader.state &= ~(_CLAUSE | (0 if reader.words[index] == "when" else WISH))
    if reader.words[index] in ("if", "unless"):
        reader.state |= WISH
    reader.spoken = False


def _and(reader: _Reader, index: int) -> None:
    follower = reader.word(index + 1)
    if follower in en.NEW_CLAUSE or follower.endswith("ed"):
        reader.state &= ~_CLAUSE
        reader.spoken = False


def _first(reader: _Reader, index: int) -> None:
    reader.spoken = True
    if reader.word(index - 1) in _ASSUMING:  # "People assume I'm a dad": what others think
        reader.state |= OTHER
        reader.flags[index] |= OTHER
    else:
        reader.state &= ~OTHER
        reader.flags[index] &= ~OTHER


_ASSUMING = frozenset(listed("assume assumes assumed thinks insists"))


def _third(reader: _Reader, index: int) -> None:
    """ "I have a kid, she is …", "She smokes, I am …": not the one who speaks."""
    if not reader.own or reader.word(index + 1) == "/":
        return
    before = reader.words[max(0, index - KIN_BEFORE) : index]
    if not en.KIN.isdisjoint(before) or reader.tells_of_self():
        reader.state |= OTHER
        reader.flags[index] |= OTHER


def _slash(reader: _Reader, index: int) -> None:
    """ "no kids / hiking": with a space before it, it parts."""
    if reader.text.text[reader.text.starts[index] - 1 : reader.text.starts[index]].isspace():
        _comma(reader, index)


def _owner(reader: _Reader, index: int) -> None:
    """ "my", "our", "the", "a": somebody else's from here on, if a person follows who acts."""
    for at in range(index + 1, min(index + 4, len(reader.words))):
        word = reader.words[at]
        if word in STOPS or word == ",":
            return
        if word in en.PARENTS and reader.words[index] in ("a", "an") and _has_child(reader, at):
            return
        if _is_other(reader, index, at) and reader.word(at + 1) not in en.OTHERS:
            sought = (
                reader.spoken or reader.word(index - 1) in _SOUGHT or _held(reader, index, word)
            )
            if not sought or _acts(reader, at + 1):
                reader.state |= OTHER
            return
        if word in en.GROUPS and at > index + 1 and reader.word(at + 1) in en.VERBS:
            reader.state |= 0 if reader.words[index] in ("my", "our") else OTHER
            return
    where = reader.word(index - 1) in _WHERE  # "a lad in my building who …"
    if reader.words[index] in ("my", "our") and not reader.state & QUOTED and not where:
        reader.state &= ~OTHER


_WHERE = frozenset(listed("in at from on of with near by"))


def _held(reader: _Reader, owner: int, word: str) -> bool:
    """ "Twelve years a teacher": the user may be one."""
    return word in en.POSTS and reader.words[owner] in ("a", "an")


def _has_child(reader: _Reader, at: int) -> bool:
    """ "a mother of two", "I'm 52, a grandmother": may be the user."""
    speaks = reader.words[reader.since : reader.since + 2] == ["i", "am"]
    return speaks or reader.word(at + 1) in ("of", "to")


_SOUGHT = frozenset(listed("for : seeking seeks find meet want wants"))
""" "Looking for a partner": nobody yet."""


def _is_other(reader: _Reader, owner: int, at: int) -> bool:
    """Whether the word is somebody else: "my nanny", "her sous chef", not "my job is nurse"."""
    word = reader.words[at]
    if word in en.OTHERS:
        return True
    near = at == owner + 1 or (at == owner + 2 and reader.words[at - 1] not in _COPULAS)
    return near and word in en.SERVING and reader.words[owner] in _POSSESSING


_POSSESSING = frozenset(listed("my our their his her"))
_COPULAS = en.VERBS | {"as", ":", "–", "—", "-", "job", "role", "title", "degree"}


def _acts(reader: _Reader, at: int) -> bool:
    return reader.word(at) in en.VERBS or reader.word(at + 1) in ("is", "lives", "who", "uses")


def _desired(reader: _Reader, index: int) -> None:
    follower = reader.word(index + 1)
    if follower == "else" and reader.word(index - 1) == "like":
        return
    if follower in ("who", "that", "whose", "aged", "between", "else") or (
        follower in ("with", "from", "in") and reader.word(index - 1) in ("a", "someone", "for")
    ) or (follower in en.VERBS and index == reader.since):  # fmt: skip
        reader.state |= OTHER


def _you(reader: _Reader, index: int) -> None:
    if reader.word(index + 1) in ("asked", "wanted", "mentioned", "need", "see", "said"):
        return
    if reader.words[index + 1 : index + 3] in (["are", "working"], ["are", "helping"]):
        return
    if index == reader.since or reader.word(index - 1) in ("if", "and", ",", "but", "hope", "when"):
        reader.state |= OTHER


def _deny(reader: _Reader, index: int) -> None:
    words = reader.words
    follower = reader.word(index + 1)
    spared = follower in en.UNNEGATED and words[index] in ("not", "no")
    if spared and words[index : index + 2] != ["no", "to"]:
        return
    if follower in en.FILLERS:
        follower = reader.word(index + 2)
    for saying in _SAYINGS.get(words[index], ()):
        if tuple(words[index : index + len(saying)]) == saying:
            reader.spared = index + len(saying)
    if index < reader.spared:
        return
    if follower in en.LEAVING.get(words[index], ()):
        reader.state |= LEFT
    else:
        reader.state |= DENIED


def _leave(reader: _Reader, index: int) -> None:
    word, follower = reader.words[index], reader.word(index + 1)
    if word == "used" and reader.word(index - 1) in ("am", "is", "are", "get", "getting", "be"):
        return
    if word in en.LEAVERS or follower in en.LEAVING.get(word, ()):
        if reader.state & DENIED:
            reader.state &= ~DENIED
        else:
            reader.state |= LEFT
            reader.moving = word in en.LEAVERS


def _move(reader: _Reader, index: int) -> None:
    reader.moving = True
    if reader.words[index] == "went":
        _settle(reader, index)


def _settle(reader: _Reader, index: int) -> None:
    """ "after looking at X we settled on Y": what was only considered is over."""
    reader.state &= ~WISH


def _from(reader: _Reader, index: int) -> None:
    if reader.moving:
        reader.state |= LEFT


def _arrive(reader: _Reader, index: int) -> None:
    if reader.moving:
        reader.state &= ~LEFT
        reader.moving = False


def _wish(reader: _Reader, index: int) -> None:
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


def _named(reader: _Reader, index: int) -> None:
    """ "Paulina wants …", where somebody else speaks."""
    before = index - 1
    if not reader.own or before < 0 or reader.words[before] in _NO_PERSON:
        return
    if reader.text.text[reader.text.starts[before]].isupper():
        reader.state |= OTHER


_NO_PERSON = frozenset(
    listed("user candidate client i he she they who it team developer applicant")
)


def _was(reader: _Reader, index: int) -> None:
    reader.state |= PAST


def _hedge(reader: _Reader, index: int) -> None:
    reader.state |= HEDGE
    if reader.words[index] in ("might", "could"):
        reader.state |= WISH


def _now(reader: _Reader, index: int) -> None:
    """ "now it's …", "today": what was left is over."""
    reader.state &= ~(LEFT | PAST)


def _over(reader: _Reader, index: int) -> None:
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
        if opened < 0:
            opened = index
            continue
        said = text.text[text.ends[opened] : text.starts[index]]
        if len(said.split()) > 2 and index - opened < QUOTE_TOKENS_MAX:
            for at in range(opened + 1, index):
                flags[at] |= QUOTED
        opened = -1


_SAYINGS: dict[str, list[tuple[str, ...]]] = {}
for _saying in sorted(en.POSITIVE):
    _SAYINGS.setdefault(_saying[0], []).append(_saying)

_ACTS = {
    **dict.fromkeys(en.WISHES, _wish),
    **dict.fromkeys(en.HEDGES, _hedge),
    **dict.fromkeys(en.BREAKS, _break),
    **dict.fromkeys(en.DESIRED, _desired),
    **dict.fromkeys(en.ARRIVALS, _arrive),
    **dict.fromkeys(en.MOVES, _move),
    **dict.fromkeys(en.LEAVERS, _leave),
    **dict.fromkeys(en.LEAVING, _leave),
    **dict.fromkeys(en.NEGATORS, _deny),
    **dict.fromkeys(en.OWNERS, _owner),
    **dict.fromkeys(en.FIRST, _first),
    **dict.fromkeys(STOPS, _stop),
    **dict.fromkeys(("was", "were"), _was),
    **dict.fromkeys(("wants", "prefers", "likes", "loves"), _named),
    **dict.fromkeys(
        ("lives", "smokes", "swears", "thinks", "voted", "suggested", "proposed", "writes"), _named
    ),
    **dict.fromkeys(("you", "your", "yours"), _you),
    ",": _comma,
    "(": _comma,
    ")": _comma,
    ":": _comma,
    "-": _comma,
    "–": _comma,
    "—": _comma,
    "|": _comma,
    "·": _comma,
    "•": _comma,
    "/": _slash,
    "she": _third,
    "he": _third,
    "and": _and,
    "from": _from,
    "now": _now,
    **dict.fromkeys(("settled", "chose", "picked"), _settle),
    "over": _over,
}
