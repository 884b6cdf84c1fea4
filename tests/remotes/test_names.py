"""Names at a remote: nobody ever goes by somebody else's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lineal.models.context import Context
from lineal.remotes.names import Person, name_of, person_of, segment
from lineal.remotes.padding import content_of, own_line, summary_of, title_of, without
from lineal.testing.samples import a_context

HOME = "home"
WORDS = st.text(alphabet=st.sampled_from("ab:/%. lineal3A2F日"), max_size=12) | st.text(max_size=12)
PEOPLE = st.builds(Person, st.just(HOME) | WORDS, WORDS | WORDS.map("lineal:".__add__))
TEXTS = st.text(min_size=1).filter(lambda text: not text.isspace())
CONTEXTS = st.builds(
    lambda content, title, summary, user: a_context(
        "ctx_1", content=content, title=title, summary=summary, user_id=user
    ),
    TEXTS,
    st.none() | TEXTS,
    st.none() | TEXTS,
    TEXTS,
)


@given(PEOPLE, PEOPLE)
def test_two_people_never_share_a_name(one: Person, other: Person) -> None:
    assert (name_of(one, HOME) == name_of(other, HOME)) == (one == other)


@given(PEOPLE)
def test_a_name_leads_back_to_its_person(person: Person) -> None:
    assert person_of(name_of(person, HOME), HOME) == person


@given(WORDS.map("lineal:".__add__) | WORDS)
def test_a_name_that_was_never_given_is_nobodys(name: str) -> None:
    """What is read as a person is what that person goes by, and nothing else."""
    person = person_of(name, HOME)
    assert person is None or name_of(person, HOME) == name


def test_at_home_people_go_by_their_own_ids() -> None:
    assert name_of(Person(HOME, "u_alice"), HOME) == "u_alice"
    assert name_of(Person(HOME, "lineal:a:b"), HOME) == "lineal:home:lineal%3Aa%3Ab"
    assert name_of(Person("acme/x", "a:b"), HOME) == "lineal:acme%2Fx:a%3Ab"
    assert person_of("lineal:half", HOME) is None
    assert person_of("lineal:a%2fb:c", HOME) is None


@given(st.text())
def test_a_segment_of_a_path_stays_one(text: str) -> None:
    assert "/" not in segment(text)
    assert "?" not in segment(text)
    assert segment(text) not in (".", "..")


@given(CONTEXTS)
def test_what_is_asked_of_a_context_is_met_whatever_it_holds(context: Context) -> None:
    assert 1 <= len(title_of(context)) <= 200
    assert 10 <= len(summary_of(context)) <= 1_000
    assert len(content_of(context)) >= 50


@given(CONTEXTS)
def test_a_short_text_comes_back_as_it_was(context: Context) -> None:
    line = own_line(context.user_id, context.domain, "2026-03-01T12:00:00Z")
    padded = content_of(context)
    assert without(padded, line) == context.content or len(context.content) >= 50


def test_what_is_long_enough_is_left_alone() -> None:
    content = "x" * 50
    context = a_context("ctx_1", content=content, title="Deployments", summary="Where we deploy.")
    assert title_of(context) == "Deployments"
    assert summary_of(context) == "Where we deploy."
    assert content_of(context) == content


def test_a_title_is_the_first_line_of_the_text() -> None:
    context = a_context("ctx_1", content="\n\n  Frankfurt it is.  \nOn Thursdays.")
    assert title_of(context) == "Frankfurt it is."
