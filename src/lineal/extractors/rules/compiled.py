"""A schema made ready: one tree of all its phrases, so that a text is read once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import regex

from lineal.extractors.rules.tokens import tokens
from lineal.models.schema import ITSELF, FieldSpec, Schema
from lineal.policy.phrases import Choice, Sequence, is_guarded, is_weak, parsed

__all__ = ["FIELD_SLOTS", "ITSELF", "Compiled", "End", "Node", "compiled"]

FIELD_SLOTS = ("known", "place")
"""What stands in them depends on the field."""

SCHEMAS_MAX = 64
"""Schemas kept ready; a tenant's own ones come and go."""


class End(NamedTuple):
    """A phrase ends here. value: the name it means; None where its slot has the value.
    bare: a fragment of its own is enough to vouch for it. weight: its words."""

    field: str
    value: str | None
    guarded: bool
    weak: bool
    bare: bool
    denies: bool
    caret: bool
    weight: int


class Wants(NamedTuple):
    """What must follow for a node to lead on: one of the words; anything may if it is open."""

    words: frozenset[str]
    open: bool


class Node:
    """One word further. next: by word. slots: by kind, and field if it matters. on: where one
    phrase alone goes on from here, without a word."""

    __slots__ = ("_onward", "_wants", "ends", "next", "on", "slots")

    def __init__(self) -> None:
        self.next: dict[str, Node] = {}
        self.slots: dict[tuple[str, str], Node] = {}
        self.on: list[Node] = []
        self.ends: list[End] = []
        self._wants: Wants | None = None
        self._onward: tuple[dict[str, list[Node]], list[Node]] | None = None

    def onward(self, word: str, begins: Mapping[str, frozenset[str]]) -> list[Node]:
        """Those of `on` where the word may follow; worked out when first asked, once all phrases
        are in."""
        if self._onward is None:
            self._onward = _sorted_out(self.on, begins)
        by_word, open_to_all = self._onward
        return by_word.get(word, open_to_all)

    def grow(self, word: str) -> Node:
        return self.next.setdefault(word, Node())

    def slot(self, kind: str, field: str) -> Node:
        return self.slots.setdefault((kind, field if kind in FIELD_SLOTS else ""), Node())


def _sorted_out(
    nodes: list[Node], begins: Mapping[str, frozenset[str]]
) -> tuple[dict[str, list[Node]], list[Node]]:
    """The nodes by the words that may follow there, and those where any word may."""
    wanted = [(node, _wants(node, begins)) for node in nodes]
    words = frozenset().union(*(wants.words for _, wants in wanted))
    by_word = {
        word: [node for node, wants in wanted if wants.open or word in wants.words]
        for word in words
    }
    return by_word, [node for node, wants in wanted if wants.open]


def _wants(node: Node, begins: Mapping[str, frozenset[str]]) -> Wants:
    if node._wants is None:
        node._wants = _wanted(node, begins)
    return node._wants


def _wanted(node: Node, begins: Mapping[str, frozenset[str]]) -> Wants:
    words = set(node.next)
    is_open = bool(node.ends)
    for kind, field in node.slots:
        if kind == "known":
            words |= begins[field]
        else:
            is_open = True
    for further in node.on:
        inner = _wants(further, begins)
        words, is_open = words | inner.words, is_open or inner.open
    return Wants(frozenset(words), is_open)


class Compiled:
    """root: all phrases. known: per field, its values alone; begins: their first words.

    leading: what a phrase may begin with instead of a word. cased: words that count only with
    their capital. currencies: amount's field → currency's.
    """

    def __init__(self, schema: Schema) -> None:
        self.root = Node()
        self.known: dict[str, Node] = {}
        self.fields = {n: spec for n, spec in schema.fields.items() if spec.kind != "derived"}
        self.before = {n: frozenset(map(str.lower, s.before)) for n, s in self.fields.items()}
        self.unless = {n: frozenset(map(str.lower, s.unless)) for n, s in self.fields.items()}
        self.cased = {n: _cased(spec) for n, spec in self.fields.items()}
        self.patterns = [
            (name, regex.compile(pattern, regex.I | regex.V0))
            for name, spec in self.fields.items()
            for pattern in spec.patterns
        ]
        self.currencies = {s.currency_of: n for n, s in self.fields.items() if s.currency_of}
        for name, spec in self.fields.items():
            self._values(name, spec)
            for phrase in spec.says:
                self._add(self.root, phrase, name, None)
            for phrase in spec.denies:
                self._add(self.root, phrase, name, None, denies=True)
        for phrase in schema.not_about:
            self._add(self.root, phrase, "", "not about")
        self.begins = {name: _begins(node) for name, node in self.known.items()}
        self.leading = {kind for kind, _ in self.root.slots} & {"number", "duration", "money"}

    def _values(self, name: str, spec: FieldSpec) -> None:
        self.known[name] = Node()
        for value, phrases in spec.values.items():
            for phrase in phrases:
                loose, bare = spec.alone != "anywhere", spec.alone == "fragment"
                self._add(self.root, phrase, name, value, loose=loose, bare=bare)
                self._add(self.known[name], phrase, name, value)

    def _add(
        self,
        root: Node,
        phrase: str,
        field: str,
        value: str | None,
        *,
        loose: bool = False,
        bare: bool = False,
        denies: bool = False,
    ) -> None:
        plain = value is not None and "{" not in phrase and "^" not in phrase
        sequence = _worded(parsed(phrase))
        end = End(
            field,
            value,
            is_guarded(phrase) or (loose and plain),
            is_weak(phrase),
            bare and not is_guarded(phrase),
            denies,
            phrase.startswith("^"),
            len(sequence),
        )
        plural = plain and (value != ITSELF or self.fields[field].type != "string")
        for node in _insert([root], sequence, field, plural=plural):
            if end not in node.ends:
                node.ends.append(end)


def _begins(node: Node) -> frozenset[str]:
    """The words that a name may begin with."""
    return frozenset(node.next).union(*map(_begins, node.on))


def _cased(spec: FieldSpec) -> frozenset[str]:
    """Words that count only with their capital letter: "Go!"."""
    words = (phrase[:-1] for group in spec.values.values() for phrase in group if phrase[-1] == "!")
    return frozenset(word.lower() for word in words if word != word.lower())


def _worded(sequence: Sequence) -> Sequence:
    """The same in the words that a text is taken apart into."""
    found: list[str | Choice] = []
    for item in sequence:
        if isinstance(item, Choice):
            found.append(item._replace(options=tuple(map(_worded, item.options))))
        else:
            found += (item,) if item[0] in "{^$" else tokens(item).words
    return tuple(found)


def _insert(nodes: list[Node], sequence: Sequence, field: str, *, plural: bool) -> list[Node]:
    """Where one stands after the sequence; what follows a choice is said once, not per option."""
    for at, item in enumerate(sequence):
        last = at == len(sequence) - 1
        if isinstance(item, str):
            nodes = _insert_word(nodes, item, field, plural=plural and last)
            continue
        reached = [
            node
            for option in item.options
            for node in _insert(nodes, option, field, plural=plural and last)
        ]
        reached += nodes if item.optional else []
        nodes = list(dict.fromkeys(reached))
        if len(nodes) > 1 and not last:
            nodes = [_meeting(nodes)]
    return nodes


def _insert_word(nodes: list[Node], word: str, field: str, *, plural: bool) -> list[Node]:
    if word[0] == "{":
        return [node.slot(word[1:-1], field) for node in nodes]
    if word in ("^", "$"):
        return [node.slot(word, field) for node in nodes]
    grown = [node.grow(word) for node in nodes]
    return grown + [node.grow(word + "s") for node in nodes if plural and _countable(word)]


def _countable(word: str) -> bool:
    return len(word) > 3 and word.isalpha() and word[-1] not in "sgy"


def _meeting(nodes: list[Node]) -> Node:
    met = Node()
    for node in nodes:
        node.on.append(met)
    return met


_READY: dict[int, tuple[Schema, Compiled]] = {}


def compiled(schema: Schema) -> Compiled:
    """The schema made ready; once for each schema that is in use."""
    found = _READY.get(id(schema))
    if found is not None and found[0] is schema:
        return found[1]
    if len(_READY) >= SCHEMAS_MAX:
        _READY.clear()
    made = Compiled(schema)
    _READY[id(schema)] = (schema, made)
    return made
