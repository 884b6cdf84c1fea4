"""Whose it is: the user's, another person's, or that of somebody who is sought."""

from __future__ import annotations

from lineal.extractors.rules import english as en
from lineal.extractors.rules.english import listed
from lineal.extractors.rules.numbers import number_at
from lineal.extractors.rules.state import OTHER, QUOTED, Reader
from lineal.extractors.rules.tokens import STOPS

__all__ = ["WHOSE"]

KIN_BEFORE = 12


def _first(reader: Reader, index: int) -> None:
    reader.spoken = True
    if reader.word(index - 1) in _ASSUMING:  # "People assume I'm a dad": what others think
        reader.state |= OTHER
        reader.flags[index] |= OTHER
    else:
        reader.state &= ~OTHER
        reader.flags[index] &= ~OTHER


_ASSUMING = frozenset(listed("assume assumes assumed thinks insists"))


def _third(reader: Reader, index: int) -> None:
    """ "I have a kid, she is …", "She smokes, I am …": not the one who speaks."""
    if reader.word(index - 1) in _IDEAL:  # "ideally he's 30 to 35"
        reader.state |= OTHER
        reader.flags[index] |= OTHER
        return
    if not reader.own or reader.word(index + 1) == "/":
        return
    before = reader.words[max(0, index - KIN_BEFORE) : index]
    if not en.KIN.isdisjoint(before) or reader.tells_of_self():
        reader.state |= OTHER
        reader.flags[index] |= OTHER


_IDEAL = frozenset(listed("ideally hopefully preferably"))


def _owner(reader: Reader, index: int) -> None:
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


def _held(reader: Reader, owner: int, word: str) -> bool:
    """ "Twelve years a teacher": the user may be one."""
    return word in en.POSTS and reader.words[owner] in ("a", "an")


def _has_child(reader: Reader, at: int) -> bool:
    """ "a mother of two", "I'm 52, a grandmother": may be the user."""
    speaks = reader.words[reader.since : reader.since + 2] == ["i", "am"]
    return speaks or reader.word(at + 1) in ("of", "to")


_SOUGHT = frozenset(listed("for : seeking seeks find meet want wants"))
""" "Looking for a partner": nobody yet."""


def _is_other(reader: Reader, owner: int, at: int) -> bool:
    """Whether the word is somebody else: "my nanny", "her sous chef", not "my job is nurse"."""
    word = reader.words[at]
    if word in en.OTHERS:
        return True
    near = at == owner + 1 or (at == owner + 2 and reader.words[at - 1] not in _COPULAS)
    return near and word in en.SERVING and reader.words[owner] in _POSSESSING


_POSSESSING = frozenset(listed("my our their his her"))
_COPULAS = en.VERBS | {"as", ":", "–", "—", "-", "job", "role", "title", "degree"}


def _acts(reader: Reader, at: int) -> bool:
    return reader.word(at) in en.VERBS or reader.word(at + 1) in ("is", "lives", "who", "uses")


def _desired(reader: Reader, index: int) -> None:
    follower = reader.word(index + 1)
    if follower == "else" and reader.word(index - 1) == "like":
        return
    if follower in ("who", "that", "whose", "aged", "between", "else") or (
        follower in ("with", "from", "in") and reader.word(index - 1) in ("a", "someone", "for")
    ) or (follower in en.VERBS and index == reader.since):  # fmt: skip
        reader.state |= OTHER
    elif _of_ages(reader, index):
        reader.mark(_noun_phrase(reader, index), index + 1, OTHER)
        reader.state |= OTHER
    elif reader.words[index] in _ANYONE and reader.word(index - 1) == "for":
        reader.mark(index + 1, index + 2, OTHER)  # "looking for someone vegan"


def _of_ages(reader: Reader, index: int) -> bool:
    """ "a kind man, 30 to 40", "men, 35 and up": a range of ages is of whom one looks for."""
    if reader.words[max(reader.since, index - 5) : index].count("am"):
        return False
    at = index + 1
    while reader.word(at) in _BEFORE_AGES:
        at += 1
    number = number_at(reader.text, at)
    if number is None:
        return False
    if reader.words[number.end - 1] == "+" or reader.word(number.end) == "plus":
        return reader.word(index) in _PLURALS or _is_sought(reader, index)
    upwards = reader.word(number.end) in ("and", "or") and reader.word(number.end + 1) in _MORE
    return upwards or number.certainty <= RANGE_CERTAINTY


RANGE_CERTAINTY = 0.7
"""What `number_at` gives a number with a lower and an upper bound."""

_BEFORE_AGES = frozenset(listed(", ( aged age ages ideally preferably roughly somewhere maybe"))
_MORE = frozenset(listed("up over above older under below younger more upwards less beyond"))
_ANYONE = frozenset(listed("someone somebody anyone anybody"))
_PLURALS = frozenset(listed("men women guys girls people folks lads others anyone anybody"))


def _is_sought(reader: Reader, index: int) -> bool:
    """ "looking for a kind man": the person isn't the user."""
    return not _SOUGHT.isdisjoint(reader.words[max(reader.since, index - 5) : index])


def _noun_phrase(reader: Reader, index: int) -> int:
    """Where "a kind man" begins."""
    first = index
    while first > max(reader.since, index - 4) and reader.words[first - 1] not in (",", "for"):
        first -= 1
    return first


def _who(reader: Reader, index: int) -> None:
    """ "someone kind, 30 or so, who is vegan": of the person that is sought."""
    for at in range(index - 1, max(reader.since, index - WHO_TOKENS_MAX) - 1, -1):
        if reader.words[at] in en.FIRST:
            return
        if reader.words[at] in en.DESIRED and _is_sought(reader, at):
            reader.state |= OTHER
            return


WHO_TOKENS_MAX = 10


def _hires(reader: Reader, index: int) -> None:
    """ "our team is looking for a senior engineer", "I'm hiring a designer": not the user's."""
    word, follower = reader.words[index], reader.word(index + 1)
    if word in _HIRING:
        hires = follower in _HIRED and reader.word(index - 1) not in ("the", "a", "my", "your")
    else:
        before = _clause_before(reader, index)
        hires = follower in ("for", "to", "a", "an") and not en.EMPLOYERS.isdisjoint(before)
        hires = hires and _FIRST_SINGULAR.isdisjoint(before)
    if hires:
        reader.state |= OTHER


def _clause_before(reader: Reader, index: int) -> list[str]:
    """A few words before, up to a comma."""
    before = reader.words[max(reader.since, index - EMPLOYER_BEFORE) : index]
    return before[len(before) - before[::-1].index(",") :] if "," in before else before


EMPLOYER_BEFORE = 6
_FIRST_SINGULAR = frozenset(listed("i me am"))
_HIRING = frozenset(listed("hiring hire recruiting recruit"))
_HIRED = frozenset(listed("a an for another two three four several some more our new senior"))


def _you(reader: Reader, index: int) -> None:
    if reader.word(index + 1) in ("asked", "wanted", "mentioned", "need", "see", "said"):
        return
    if reader.words[index + 1 : index + 3] in (["are", "working"], ["are", "helping"]):
        return
    if index == reader.since or reader.word(index - 1) in ("if", "and", ",", "but", "hope", "when"):
        reader.state |= OTHER


def _named(reader: Reader, index: int) -> None:
    """ "Paulina wants …", where somebody else speaks."""
    before = index - 1
    if not reader.own or before < 0 or reader.words[before] in _NO_PERSON:
        return
    if reader.text.text[reader.text.starts[before]].isupper():
        reader.state |= OTHER


_NO_PERSON = frozenset(
    listed("user candidate client i he she they who it team developer applicant")
)


WHOSE = {
    **dict.fromkeys(en.DESIRED, _desired),
    **dict.fromkeys(en.OWNERS, _owner),
    **dict.fromkeys(en.FIRST, _first),
    **dict.fromkeys(listed("wants prefers likes loves lives smokes swears thinks voted"), _named),
    **dict.fromkeys(listed("suggested proposed writes"), _named),
    **dict.fromkeys(("you", "your", "yours"), _you),
    **dict.fromkeys(("she", "he"), _third),
    **dict.fromkeys(
        listed("looking seeking searching needs hiring hire recruiting recruit"), _hires
    ),
    "who": _who,
}
"""Word → what it changes of whose it is."""
