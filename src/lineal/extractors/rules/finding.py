"""Going through a text once: every place where a phrase of the schema stands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from lineal.extractors.rules import numbers
from lineal.extractors.rules.compiled import FIELD_SLOTS, ITSELF, Compiled, End, Node
from lineal.extractors.rules.english import FILLERS, JOINERS
from lineal.extractors.rules.money import MONEY_WORDS
from lineal.extractors.rules.slots import VERBATIM, Found, read_slot
from lineal.extractors.rules.tokens import SEPARATORS, STOPS, Tokens

__all__ = ["Find", "finds"]

SKIPS_MAX = 2
"""Filler words passed over within one phrase."""

SKIP_TOKENS_MAX = 4
BEFORE_MAX = 5
LIST_MAX = 40
ITEM_TOKENS_MAX = 5


class Find(NamedTuple):
    """A phrase of a field stands at the tokens [first, end). value: the name that it means, or
    what the slot holds. slot: where, None for a phrase without one. weak: see policy/phrases.py."""

    field: str
    first: int
    end: int
    value: str | None
    guarded: bool
    weak: bool
    slot: Found | None
    denies: bool = False


def finds(text: Tokens, made: Compiled, now: date) -> list[Find]:
    """Every find, in order of place; of two of a field at one place the longer."""
    return _Walk(text, made, now).all()


class _Walk:
    __slots__ = ("made", "now", "out", "text", "words")

    def __init__(self, text: Tokens, made: Compiled, now: date) -> None:
        self.text, self.made, self.now = text, made, now
        self.words = text.words
        self.out: list[tuple[End, int, Found | None]] = []

    def all(self) -> list[Find]:
        found: list[Find] = []
        root, nexts, words = self.made.root, self.made.root.next, self.words
        caret = root.slots.get(("^", ""))
        leading = [(kind, root.slots[kind, ""]) for kind in self.made.leading]
        code = root.slots.get(("code", ""))
        is_numeric = numbers.is_numeric
        opens = self.text.opens
        for index, word in enumerate(words):
            follower = nexts.get(word)
            if follower is not None:
                self._step(follower, index + 1, None, SKIPS_MAX)
            if caret is not None and opens(index):
                self._step(caret, index, None, SKIPS_MAX)
            if leading and (is_numeric(words, index) or word in MONEY_WORDS):
                for kind, start in leading:
                    self._through(kind, start, index, None)
            elif code is not None and word == "`":
                self._through("code", code, index, None)
            if self.out:
                found += self._longest(index)
                self.out = []
        return found

    def _through(self, kind: str, node: Node, index: int, held: Found | None) -> None:
        found = read_slot(kind, self.text, index, self.now)
        if found is not None:
            if kind not in "^$" and (held is None or _gives_way(held, found)):
                held = found
            self._step(node, found.end, held, SKIPS_MAX)

    def _step(self, node: Node, index: int, held: Found | None, skips: int) -> None:
        """Everything that can be reached from here."""
        for end in node.ends:
            self.out.append((end, index, held))
        if index >= len(self.words):
            self._at_end(node, index, held)
            return
        word = self.words[index]
        passed = skips and word in FILLERS
        if node.on:
            for further in node.on if passed else node.onward(word, self.made.begins):
                self._step(further, index, held, skips)
        for (kind, field), child in node.slots.items():
            if kind != "known" or word in self.made.begins[field]:
                self._slot(kind, field, child, index, held)
        follower = node.next.get(word)
        if follower is not None:
            self._step(follower, index + 1, held, skips)
        elif passed and (node.next or node.slots):
            kept = len(self.out)
            self._step(node, index + 1, held, skips - 1)
            self.out[kept:] = [one for one in self.out[kept:] if one[0] not in node.ends]

    def _at_end(self, node: Node, index: int, held: Found | None) -> None:
        """Behind the last word only what takes none can follow."""
        for further in node.on:
            self._step(further, index, held, 0)
        for (kind, field), child in node.slots.items():
            if kind in ("$", "clause", "sentence"):
                self._slot(kind, field, child, index, held)

    def _slot(self, kind: str, field: str, node: Node, index: int, held: Found | None) -> None:
        if kind in FIELD_SLOTS:
            for end, value in self._known(field, index):
                found = Found(end, index, end, value, "known")
                if held is None or _gives_way(held, found):
                    self._step(node, end, self._in_region(kind, found), SKIPS_MAX)
                else:
                    self._step(node, end, held, SKIPS_MAX)
                return
            if kind == "place":
                self._through(kind, node, index, held)
        elif kind == "skip":
            for ahead in range(index, min(index + SKIP_TOKENS_MAX + 1, len(self.words))):
                if ahead > index and self.words[ahead - 1] in STOPS:
                    break
                self._step(node, ahead, held, 0)
        else:
            self._through(kind, node, index, held)

    def _in_region(self, kind: str, found: Found) -> Found:
        """A known place with its state: "Austin, TX"."""
        if kind != "place" or found.raw != ITSELF:
            return found
        named = read_slot("address", self.text, found.first, self.now)
        return named._replace(raw=ITSELF, kind="known") if named else found

    def _known(self, field: str, index: int) -> Iterator[tuple[int, str]]:
        """The longest name of the field at this token."""
        best: tuple[int, str] | None = None
        for end, value in known_at(self.made, field, self.words, index):
            if best is None or end > best[0]:
                best = end, value
        if best is not None:
            yield best

    def _longest(self, first: int) -> list[Find]:
        best: dict[str, tuple[End, int, Found | None]] = {}
        for reached in self.out:
            end, index, held = reached
            old = best.get(end.field)
            if old is None or _strength(reached) > _strength(old):
                best[end.field] = reached
        found: list[Find] = []
        for field, (end, index, held) in best.items():
            if end.value is not None:
                found += self._named(field, first, index, end)
                found += self._vouched(field, first, index, end)
            else:
                found += self._held(field, first, index, end, held)
        return found

    def _named(self, field: str, first: int, index: int, end: End) -> Iterator[Find]:
        begun = first
        if end.value == ITSELF and self.made.before[field]:
            begun = self._back(field, first)
        guarded = end.guarded and begun == first
        value = None if end.value == ITSELF else end.value
        slot = Found(index, begun, index, None, "itself") if end.value == ITSELF else None
        alone = end.bare and self.text.opens(begun) and self.text.closes(index)
        yield Find(field, begun, index, value, guarded and not alone, end.weak or alone, slot)

    def _vouched(self, field: str, first: int, index: int, end: End) -> Iterator[Find]:
        """ "{known} developer": what follows a name vouches for it, or denies it."""
        node = self.made.root.slots.get(("known", field))
        if node is None:
            return
        self.out = []
        self._step(node, index, None, 0)
        begun = self._back(field, first) if end.value == ITSELF else first
        value, kind = (None, "itself") if end.value == ITSELF else (end.value, "known")
        slot = Found(index, begun, index, end.value, kind)
        for reached, last, _ in self.out:
            if reached.field == field:
                yield Find(field, begun, last, value, False, reached.weak, slot, reached.denies)

    def _back(self, field: str, first: int) -> int:
        before, words = self.made.before[field], self.words
        begun = first
        while begun > 0 and first - begun < BEFORE_MAX and words[begun - 1] in before:
            begun -= 1
        return begun

    def _held(
        self, field: str, first: int, index: int, end: End, held: Found | None
    ) -> Iterator[Find]:
        if held is None:
            return
        if held.kind == "list":
            yield from self._items(field, held, denies=end.denies)
            return
        if held.kind == "lines":
            yield from self._lines(field, held)
            return
        if held.kind == "known" and held.raw == ITSELF:
            held = held._replace(raw=None, kind="itself")
        if end.caret and held.kind in VERBATIM:
            held = held._replace(first=min(first, held.last))
        value = held.raw if held.kind == "known" and isinstance(held.raw, str) else None
        yield Find(field, first, index, value, False, end.weak, held, end.denies)

    def _lines(self, field: str, held: Found) -> Iterator[Find]:
        """Each sentence of the lines, without its bullet; a word or a command is none."""
        first = held.first
        for at in range(held.first, held.last + 1):
            if at < held.last and self.words[at] not in STOPS:
                continue
            while first < at and self.words[first] in SEPARATORS:
                first += 1
            if at - first > 1:
                slot = Found(at, first, at, None, "clause")
                yield Find(field, first, at, None, False, False, slot)
            first = at + 1

    def _items(self, field: str, held: Found, *, denies: bool) -> Iterator[Find]:
        """A list's members: known names, or a few words between separators."""
        first = held.first
        for _ in range(LIST_MAX):
            last = first
            while last < held.last and self.words[last] not in JOINERS:
                last += 1
            if ":" in self.words[first:last]:
                return
            if last > first:
                yield self._item(field, first, last)._replace(denies=denies)
            if last >= held.last:
                return
            first = last + 1

    def _item(self, field: str, first: int, last: int) -> Find:
        for end, value in self._known(field, first):
            if value != ITSELF and last - end <= 1:
                return Find(field, first, end, value, False, False, None)
        if last - first > ITEM_TOKENS_MAX:
            return Find(field, first, last, "", True, False, None)
        slot = Found(last, first, last, None, "itself")
        return Find(field, first, last, None, False, False, slot)


def _gives_way(held: Found, found: Found) -> bool:
    """Of several places in a phrase a number or a word is the value only if nothing else is."""
    return found.kind in VERBATIM or (
        held.kind in ("number", "word") and found.kind not in ("number", "word")
    )


def _strength(reached: tuple[End, int, Found | None]) -> tuple[int, bool, int]:
    """The longer wins, then the surer, then the more closely worded."""
    end, index, _ = reached
    return index, not end.guarded, end.weight


def known_at(made: Compiled, field: str, words: list[str], index: int) -> Iterator[tuple[int, str]]:
    """(end, name) of every name of the field that stands at this token."""
    waiting = [(made.known[field], index)]
    while waiting:
        node, at = waiting.pop()
        for end in node.ends:
            if end.value is not None:
                yield at, end.value
        waiting += [(further, at) for further in node.on]
        child = node.next.get(words[at]) if at < len(words) else None
        if child is not None:
            waiting.append((child, at + 1))
