"""A domain's schema: what is known of a user there, and of which kind each thing is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from lineal.models.base import Model

__all__ = [
    "ITSELF",
    "Case",
    "Condition",
    "Derive",
    "FieldKind",
    "FieldOutline",
    "FieldSpec",
    "FieldType",
    "Match",
    "MergeRule",
    "Schema",
    "SchemaOutline",
]

FieldKind = Literal["hard", "soft", "derived"]
FieldType = Literal["integer", "number", "string", "enum", "boolean", "date", "list"]
MergeRule = Literal["newest", "union", "max", "first"]
ITSELF = "*"
"""The name in a field's values whose words mean themselves."""

Confidence = Annotated[float, Field(ge=0, le=1)]
Unsaid = Field(default=None, exclude_if=lambda value: value is None)


class Condition(Model):
    """What a field must be for a case to hold; everything that is given must hold.

    any_of: the value, or a member of a list, is one of these. minimum, maximum: bounds of a
    number, inclusive. words: one of these stands in the text, as a word or phrase of its own.
    """

    any_of: tuple[JsonValue, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    words: tuple[str, ...] = ()


class Case(Model):
    """A value that a derived field takes when every condition holds, and how sure that is."""

    value: JsonValue
    when: Annotated[dict[str, Condition], Field(min_length=1)]
    confidence: Confidence = 1.0


class Derive(Model):
    """How a derived field is computed: from all members of the fields of `union`, or from the
    first of `cases` that holds."""

    union: tuple[str, ...] = ()
    cases: tuple[Case, ...] = ()


class Match(Model):
    """How two users' values of a field meet (policy/matching.py).

    same: equal. overlap: shared members among all. near: falls from 1 at no difference to 0 at
    `scale`, in the field's unit. at_least, at_most: the candidate's number against the seeker's.
    compatible: the candidate's value is listed under the seeker's in `fits`.
    filter: a candidate that doesn't meet it is left out; an unknown value is no reason to.
    """

    rule: Literal["same", "overlap", "near", "at_least", "at_most", "compatible"]
    weight: Annotated[float, Field(ge=0)] = 1.0
    filter: bool = False
    scale: Annotated[float, Field(gt=0)] | None = None
    fits: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class FieldSpec(Model):
    """One field of a schema; docs/schemas.md tells it with examples.

    hard: a filter; soft: goes into the domain's vector; derived: computed by `derive`.
    items: the type of a list's members.
    values: names with the phrases that mean them in a text. They are all that an enum takes (or an
    enum's list); of a string they are the names that are known. A name without words is only ever
    stated; what stands under the name "*" means itself.
    says: phrases with the place of the value in them. denies: such that take it back.
    patterns: regular expressions whose first group is the value.
    alone: where a known word is enough: anywhere, as a fragment of its own, or never.
    before: words that belong to a value of "*" when they stand before it.
    unless: words that make a later find in their clause mean something else.
    yields_to: fields whose longer find takes a word of "*" away.
    opposite: what the denial of a name says.
    wish, past: a wish, or what was once so, says it too.
    choose: which of several values in one text counts; "highest" of an enum is the last named.
    currency_of: the field of an amount whose currency this is.
    """

    kind: FieldKind
    type: FieldType
    description: str = ""
    items: FieldType = "string"
    required: bool = False
    priority: int = 0
    minimum: float | None = None
    maximum: float | None = None
    unit: str | None = None
    values: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    says: tuple[str, ...] = ()
    denies: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    alone: Literal["anywhere", "fragment", "never"] = "anywhere"
    before: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    yields_to: tuple[str, ...] = ()
    opposite: dict[str, str] = Field(default_factory=dict)
    wish: bool = False
    past: bool = False
    choose: Literal["last", "first", "highest"] = "last"
    currency_of: str | None = None
    merge: MergeRule = "newest"
    derive: Derive | None = None
    match: Match | None = None


class Schema(Model):
    """domain "dating", version 3 → schema_version "dating.v3". No fields: everything is extras.

    not_about: phrases that make a whole text be of something else than the user.
    """

    domain: Annotated[str, Field(min_length=1)]
    version: Annotated[int, Field(ge=0)]
    description: str = ""
    not_about: tuple[str, ...] = ()
    fields: dict[str, FieldSpec] = Field(default_factory=dict)

    @property
    def schema_version(self) -> str:
        return f"{self.domain}.v{self.version}"

    def outline(self) -> SchemaOutline:
        """What a caller needs to know of it, without the words that texts are read by."""
        fields = {name: FieldOutline.of(spec) for name, spec in self.fields.items()}
        return SchemaOutline(
            domain=self.domain,
            version=self.version,
            schema_version=self.schema_version,
            description=self.description,
            fields=fields,
        )


class FieldOutline(Model):
    """A field as a caller sees it. choices: all that an enum takes. read: from texts, too."""

    kind: FieldKind
    type: FieldType
    items: FieldType | None = Unsaid
    description: str
    required: bool
    priority: int
    choices: tuple[str, ...] = Field(default=(), exclude_if=lambda value: not value)
    minimum: float | None = Unsaid
    maximum: float | None = Unsaid
    unit: str | None = Unsaid
    merge: MergeRule
    read: bool

    @classmethod
    def of(cls, spec: FieldSpec) -> FieldOutline:
        kept = ("kind", "type", "description", "required", "priority", "minimum", "maximum")
        closed = "enum" in (spec.type, spec.items if spec.type == "list" else None)
        return cls(
            **{name: getattr(spec, name) for name in (*kept, "unit", "merge")},
            items=spec.items if spec.type == "list" else None,
            choices=tuple(spec.values) if closed else (),
            read=bool(spec.says or spec.patterns or any(spec.values.values())),
        )


class SchemaOutline(Model):
    """A domain's schema as a caller sees it."""

    domain: str
    version: int
    schema_version: str
    description: str
    fields: dict[str, FieldOutline]
