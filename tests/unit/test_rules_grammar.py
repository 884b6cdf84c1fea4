"""What the rules make of English: denials, other people, questions, contrast, doubt."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from lineal.extractors.rules import RulesExtractor
from lineal.models.schema import Schema
from lineal.schemas.book import SchemaBook

BOOK = SchemaBook()
AT = datetime(2026, 3, 1, tzinfo=UTC)

Read = dict[str, Any]


def read(domain: str, text: str, schema: Schema | None = None) -> tuple[Read, Read]:
    """(asserted, denied), each field → value, or members of a list in order."""
    schema = schema or BOOK.get(domain)
    asserted: Read = {}
    denied: Read = {}
    for find in anyio.run(RulesExtractor().extract, schema, text, AT).finds:
        values = denied if find.denied else asserted
        if schema.fields[find.field].type == "list":
            values.setdefault(find.field, []).append(find.value)
        else:
            values[find.field] = find.value
    return asserted, denied


def said(domain: str, text: str) -> Read:
    return read(domain, text)[0]


def test_a_profile_in_telegram_style_is_read() -> None:
    text = "32, NYC, looking for someone serious. Reads a lot, runs in the park, vegetarian."
    assert said("dating", text) == {
        "age": 32,
        "location": "New York, NY",
        "relationship_goal": "serious",
        "diet": "vegetarian",
        "interests": ["reading", "running"],
    }


def test_an_episode_moves_only_what_it_speaks_of() -> None:
    text = (
        "Just got back from a week of hiking in the Catskills. Loved it. "
        "Already planning the next trip."
    )
    found = said("dating", text)
    assert found["interests"] == ["hiking"]
    assert "Loved it." in found["values_text"]
    assert set(found) == {"interests", "values_text"}


@pytest.mark.parametrize(
    ("domain", "text", "field", "value"),
    [
        ("dating", "I'm not looking for anything serious.", "relationship_goal", "serious"),
        ("dating", "I'm no longer vegetarian.", "diet", "vegetarian"),
        ("dating", "I don't have kids.", "children", "has"),
        ("hiring", "I left London, I'm in Porto now.", "location", "London"),
        ("coding", "I used to swear by Vim. Now it's Helix.", "editor", "vim"),
        ("coding", "We use uv instead of pip.", "package_manager", "pip"),
    ],
)
def test_what_doesnt_hold_is_denied(domain: str, text: str, field: str, value: str) -> None:
    asserted, denied = read(domain, text)
    assert denied.get(field) == value
    assert asserted.get(field) != value


@pytest.mark.parametrize(
    ("domain", "text", "field", "member"),
    [
        ("dating", "I don't ski, but I love climbing.", "interests", "skiing"),
        ("hiring", "I don't know Scala.", "skills", "scala"),
        ("coding", "Kafka was discussed and rejected.", "tools", "kafka"),
        ("coding", "We moved off Jenkins last spring.", "tools", "jenkins"),
    ],
)
def test_a_member_that_doesnt_hold_is_denied(
    domain: str, text: str, field: str, member: str
) -> None:
    asserted, denied = read(domain, text)
    assert member in denied[field]
    assert member not in asserted.get(field, [])


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("I don't smoke.", "smoking", "never"),
        ("Quit smoking in January.", "smoking", "never"),
        ("I don't want kids.", "children", "does_not_want"),
    ],
)
def test_a_denial_can_say_a_value(text: str, field: str, value: str) -> None:
    assert said("dating", text) == {field: value}


@pytest.mark.parametrize(
    "text",
    ["I can't wait to go hiking.", "I can't live without hiking.", "Nothing beats hiking."],
)
def test_a_saying_with_a_not_denies_nothing(text: str) -> None:
    assert said("dating", text)["interests"] == ["hiking"]


@pytest.mark.parametrize(
    ("domain", "text"),
    [
        ("dating", "My sister is vegan and lives in Berlin."),
        ("dating", "My cousin is 29, lives in Perth and loves rugby."),
        ("dating", "My ex smokes like a chimney."),
        ("hiring", "My boss lives in Berlin and has twenty years of experience."),
        ("coding", "Our competitor uses Java."),
        ("coding", "Saw a talk by someone who rewrote it in Zig."),
    ],
)
def test_somebody_elses_attributes_are_not_taken(domain: str, text: str) -> None:
    assert said(domain, text) == {}


def test_after_somebody_else_the_first_person_speaks_again() -> None:
    assert said("dating", "My sister is vegan and I am kosher.") == {"diet": "kosher"}
    assert said("coding", "My coworker uses Emacs but I use Neovim.") == {"editor": "neovim"}


def test_the_third_person_may_be_the_user() -> None:
    found = said("dating", "She is thirty-eight, lives in Hamburg and enjoys sailing.")
    assert found == {
        "age": 38,
        "gender": "woman",
        "location": "Hamburg",
        "interests": ["sailing"],
    }


@pytest.mark.parametrize(
    ("domain", "text"),
    [
        ("dating", "Do you smoke?"),
        ("dating", "Do you like hiking?"),
        ("coding", "Should we use Rust or Go for this?"),
        ("hiring", "Do you offer visa sponsorship?"),
        ("dating", "If I moved to Berlin I'd learn to climb."),
        ("coding", "We're considering Bazel."),
        ("coding", "Thinking about moving to Deno."),
        ("coding", 'He wrote "we all use Python here" on the wall.'),
        ("hiring", "We're hiring! Senior Java developer, Munich, hybrid."),
    ],
)
def test_what_isnt_said_as_so_is_nothing(domain: str, text: str) -> None:
    assert said(domain, text) == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("I was in Boston, now I live in Denver.", "Denver"),
        ("I live in Denver; before that I lived in Boston.", "Denver"),
        ("I left London, I'm in Porto now.", "Porto"),
        ("I quit my job and moved from London to Cape Town.", "Cape Town"),
    ],
)
def test_of_two_places_the_one_that_holds_now_wins(text: str, value: str) -> None:
    assert said("dating", text)["location"] == value


def test_a_doubt_lowers_the_confidence() -> None:
    sure, unsure = (
        anyio.run(RulesExtractor().extract, BOOK.get("dating"), text, AT).finds[0].confidence
        for text in ("I'm a vegetarian.", "I guess I'm a vegetarian.")
    )
    assert unsure < sure


def test_the_members_of_a_list_share_a_denial() -> None:
    asserted, denied = read("coding", "We don't use Redux or MobX, we use Zustand.")
    assert denied["frameworks"] == ["redux", "mobx"]
    assert asserted["frameworks"] == ["zustand"]


@pytest.mark.parametrize(
    "text",
    [
        "Let's go with the swift reply. The rest can wait until spring.",
        "lets go with the express shipping option, we need it by spring",
        "Make sure the build passes, and rust never sleeps.",
        "I want less noise and a zed at the end of the word.",
        "Move the cursor up.",
    ],
)
def test_a_common_word_is_no_technology(text: str) -> None:
    technical = {"languages", "frameworks", "tools", "package_manager", "editor", "os"}
    assert technical.isdisjoint(said("coding", text))


def test_an_ambiguous_word_counts_where_something_vouches_for_it() -> None:
    assert said("coding", "The backend is written in Go.")["languages"] == ["go"]
    assert said("coding", "Python, Go, Rust.")["languages"] == ["python", "go", "rust"]
    assert said("hiring", "C and C++ all day.")["skills"] == ["c", "c++"]
    assert said("coding", "A Flask app.")["frameworks"] == ["flask"]


def test_key_value_lines_are_read() -> None:
    text = "Age: 41\nLocation: Leeds\nInterests: chess, beer brewing\nDiet: vegan\nSmoking: no"
    assert said("dating", text) == {
        "age": 41,
        "location": "Leeds",
        "diet": "vegan",
        "smoking": "never",
        "interests": ["chess", "beer brewing"],
    }


def test_a_rule_within_a_language_doesnt_deny_the_language() -> None:
    asserted, denied = read("coding", "Never use any in TypeScript.")
    assert "languages" not in denied
    assert asserted["conventions"] == ["Never use any in TypeScript"]


def test_the_clause_that_says_it_is_verbatim() -> None:
    found = said("coding", "I prefer small pull requests. We decided to keep SQLite for now.")
    assert found["preferences"] == ["I prefer small pull requests"]
    assert found["decisions"] == ["We decided to keep SQLite for now"]


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("I have a kid, she's brilliant.", "gender", None),
        ("He's 38, I'm 36.", "age", 36),
        ("She smokes. I am 47.", "smoking", None),
        ("People assume I'm a dad.", "children", None),
        ("A mother of two, also a singer. Canberra.", "children", "has"),
        ("There's a lad in my building who smokes.", "smoking", None),
        ("Looking for a long-term partner.", "relationship_goal", "serious"),
        ("Smoker? No.", "smoking", "never"),
        ("Is your brother a smoker? No idea.", "smoking", None),
        ("Milwaukee's home now.", "location", "Milwaukee"),
    ],
)
def test_a_value_is_the_users_own_or_nobodys(text: str, field: str, value: object) -> None:
    assert said("dating", text).get(field) == value


def test_a_slash_with_spaces_ends_what_is_denied() -> None:
    text = "27F / no kids, don't want any / wine, hiking"
    assert said("dating", text)["interests"] == ["wine", "hiking"]


def test_everything_in_a_list_of_former_homes_is_denied() -> None:
    asserted, denied = read("dating", "I have lived in Rome, Madrid and Oslo. I live in Antwerp.")
    assert asserted["location"] == "Antwerp"
    assert denied["location"] == "Oslo"


@pytest.mark.parametrize(
    "text",
    [
        "My phone is 30 years old.",
        "Our house is 100 years old.",
        "I drive a 25 year old Volvo.",
        "A 30 year old car.",
        "I'm a mum to a 19 year old.",
        "I'm 32 weeks pregnant.",
        "I'm 20 minutes away.",
        "I'm 90 days sober.",
        "I'm 20 years sober.",
        "I'm between 30 and 40.",
        "I will be 32 in May.",
    ],
)
def test_a_number_that_counts_something_else_is_no_age(text: str) -> None:
    assert "age" not in said("dating", text)


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("My phone is 30 years old and I'm 41.", 41),
        ("I'm 32 weeks pregnant and 29 years old.", 29),
        ("My wife is 30 and I am 32.", 32),
        ("The user is 34 years old.", 34),
        ("This 34 year old smiles.", 34),
        ("I'm 40 and 10 years sober.", 40),
        ("I'm 5'11 and 28.", 28),
        ("I'm 6 foot 2 and 31.", 31),
        ("I'm 180 cm tall and 28.", 28),
        ("I'm 5'4\" and 30, looking for a 6'2\" man who is vegan.", 30),
    ],
)
def test_the_users_age_is_found_beside_other_numbers(text: str, age: int) -> None:
    assert said("dating", text) == {"age": age}


@pytest.mark.parametrize(
    "text",
    [
        "I'm looking for someone 30 to 35 who is vegan.",
        "A kind man, 30 to 40.",
        "Men, 35 and up.",
        "Women 30-40 only.",
        "Looking for a man 35+ who loves hiking.",
        "Looking for a lady, 40 or over, who is a non-smoker.",
        "I want a guy, ideally 30 to 40, who's into chess.",
        "I'm looking for a woman, who is vegetarian and wants kids.",
        "Looking for someone vegan.",
        "Ideally he's 30 to 35 and vegan.",
    ],
)
def test_what_is_sought_is_not_the_users(text: str) -> None:
    assert said("dating", text) == {}


def test_beside_somebody_sought_the_users_own_is_read() -> None:
    text = "I'm a 42 year old woman looking for a man 40 to 50. I love jazz."
    found = said("dating", text)
    assert (found["age"], found["interests"]) == (42, ["jazz"])
    assert said("dating", "Woman, 40+, loves hiking.")["age"] == 40


@pytest.mark.parametrize(
    ("domain", "text"),
    [
        ("dating", "I miss living in Denver."),
        ("dating", "I really miss hiking."),
        ("dating", "I'll be moving to Berlin in May."),
        ("dating", "I'm moving to Berlin next year."),
        ("dating", "Soon I'll live in Paris."),
        ("hiring", "I will be living in Rome from June."),
        ("dating", "I never said I was vegan."),
        ("dating", "I didn't say I smoke."),
        ("dating", "I never claimed to be vegan."),
    ],
)
def test_what_is_missed_planned_or_only_not_said_is_neither_so_nor_denied(
    domain: str, text: str
) -> None:
    assert read(domain, text) == ({}, {})


@pytest.mark.parametrize(
    "text",
    ["I never miss hiking.", "I'll be honest, I love hiking.", "I will always love hiking."],
)
def test_a_miss_or_a_will_may_say_something_all_the_same(text: str) -> None:
    assert said("dating", text)["interests"] == ["hiking"]


@pytest.mark.parametrize(
    "text",
    [
        "not only hiking but also climbing",
        "I love not only hiking but also climbing",
        "Not just hiking but climbing too",
    ],
)
def test_not_only_says_both(text: str) -> None:
    asserted, denied = read("dating", text)
    assert (asserted["interests"], denied) == (["hiking", "climbing"], {})


@pytest.mark.parametrize(
    "text",
    ["I'm almost vegan.", "vegan-ish", "I'm practically vegan.", "I'm sort of vegan."],
)
def test_what_is_nearly_so_is_doubted(text: str) -> None:
    (find,) = anyio.run(RulesExtractor().extract, BOOK.get("dating"), text, AT).finds
    assert find.confidence < 0.5


def test_almost_always_is_no_doubt() -> None:
    text = "I almost always eat vegan."
    (find,) = anyio.run(RulesExtractor().extract, BOOK.get("dating"), text, AT).finds
    assert find.confidence == 0.8


@pytest.mark.parametrize(
    "text",
    [
        "I love running late.",
        "I love running my business.",
        "I love fishing for compliments.",
        "I love my dog, Chess.",
        "I love my cat Salsa.",
        "I have a cat called Poker.",
    ],
)
def test_a_word_in_another_sense_is_no_interest(text: str) -> None:
    assert "interests" not in said("dating", text)


def test_the_same_words_in_their_own_sense_are_interests() -> None:
    assert said("dating", "I love running around the lake.")["interests"] == ["running"]
    assert said("dating", "I love my dog, chess and jazz.")["interests"] == ["chess", "jazz"]


@pytest.mark.parametrize(
    ("text", "left", "taken"),
    [
        ("We stopped using Jest in favour of Vitest.", "jest", "vitest"),
        ("We moved away from Jest in favor of Vitest.", "jest", "vitest"),
        ("We gave up on Webpack in favour of Vite.", "webpack", "vite"),
        ("We're not using Jest in favour of Vitest.", "jest", "vitest"),
        ("We dropped Webpack for Vite.", "webpack", "vite"),
    ],
)
def test_only_what_was_left_in_favour_of_another_is_denied(
    text: str, left: str, taken: str
) -> None:
    asserted, denied = read("coding", text)
    assert (asserted["tools"], denied["tools"]) == ([taken], [left])


@pytest.mark.parametrize(
    "text",
    [
        "Our team is looking for a senior engineer.",
        "My company is looking for a product manager.",
        "Our hospital is seeking a nurse.",
        "We want to hire a designer.",
        "I'm recruiting a senior engineer.",
    ],
)
def test_a_post_that_somebody_fills_is_not_the_users(text: str) -> None:
    assert "role" not in said("hiring", text)


def test_a_post_that_the_user_looks_for_is_the_users() -> None:
    text = "My company is closing, I'm looking for a backend developer role."
    assert said("hiring", text)["role"] == "backend developer"


@pytest.mark.parametrize(
    ("text", "languages"),
    [
        ("I speak German (C1) and English.", ["german", "english"]),
        ("German C1 and English.", ["german", "english"]),
        ("Spanish (native) and Portuguese (fluent).", ["spanish", "portuguese"]),
    ],
)
def test_a_level_between_two_languages_hides_neither(text: str, languages: list[str]) -> None:
    assert said("hiring", text)["languages"] == languages
