"""Who speaks in a line, and whether it speaks of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.analysis.analyzer import Analyzer
from lineal.analysis.speech import asks_when, date_words, spoken, tells_when


@pytest.mark.parametrize(
    ("content", "name", "rest"),
    [
        ("Ana: hello", "Ana", "hello"),
        ("  Ana:  hello", "Ana", "hello"),
        ("Ana (7 May 2023): hello", "Ana", "hello"),
        ("Ana (1:56 pm on 8 May, 2023): hello", "Ana", "hello"),
        ("Ana Maria Lopez: hello", "Ana Maria Lopez", "hello"),
        ("Jean-Luc: oui", "Jean-Luc", "oui"),
        ("O'Brien: yes", "O'Brien", "yes"),
        ("Dr. House: yes", "Dr. House", "yes"),
        ("J. R. Smith: yes", "J. R. Smith", "yes"),
        ("Will: yes", "Will", "yes"),
        ("Иван Петров: да", "Иван Петров", "да"),
        ("Élodie: oui", "Élodie", "oui"),
        ("李雷：你好", "李雷", "你好"),
        ("李雷（2023年5月7日）：你好", "李雷", "你好"),
        ("田中 太郎：はい", "田中 太郎", "はい"),
        ("Ana：你好", "Ana", "你好"),
    ],
)
def test_a_line_tells_who_speaks_in_it(content: str, name: str, rest: str) -> None:
    found, start = spoken(content)
    assert (found, content[start:]) == (name, rest)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "Ana",
        "Ana:",
        "Ana: \n",
        "Note: use uv",
        "TODO: use uv",
        "Error: no such file",
        "Fix: restart it",
        "Decision: SQLite",
        "Q: why?",
        "API: stable",
        "GDPR: applies",
        "Known Issues: none",
        "The Plan: wait",
        "http://example.com",
        "Foo::bar is a path",
        "C:\\x",
        "ana: hello",
        "see this: hello",
        "One Two Three Four: hello",
        "It is 10:30 now",
        "Monday: rest",
        "注意：小心",
        "メモ：買い物",
        "Python: use uv",
        "A" * 100 + ": hello",
    ],
)
def test_a_label_is_nobody(content: str) -> None:
    assert spoken(content) == (None, 0)


@given(content=st.text(max_size=200))
def test_a_name_and_the_rest_lie_in_the_line(content: str) -> None:
    name, start = spoken(content)
    assert (name is None) is (start == 0)
    assert name is None or (name in content[:start] and content[start:].strip())


@pytest.mark.parametrize("content", ["A " * 50_000, " " * 100_000, "(" * 100_000, "A(1" * 30_000])
def test_a_hostile_line_has_no_speaker(content: str) -> None:
    assert spoken(content) == (None, 0)


def test_a_date_is_put_as_a_question_would_put_it() -> None:
    assert date_words(datetime(2023, 5, 7, 23, 59, tzinfo=UTC)) == "Sunday 7 May 2023"


@given(days=st.integers(min_value=0, max_value=20_000))
def test_a_days_words_are_the_calendars_and_tell_a_time(days: int) -> None:
    moment = datetime(1990, 1, 1, tzinfo=UTC) + timedelta(days=days)
    words = date_words(moment)
    assert words == f"{moment:%A} {moment.day} {moment:%B} {moment.year}"
    assert tells_when(words)
    assert len(Analyzer().terms(words)) == 4


@pytest.mark.parametrize(
    "question",
    [
        "When did I go to Paris?",
        "when's the release",
        "When is it due",
        "since when do we use uv",
        "and that was when?",
        "what year was it",
        "Which day did she call?",
        "On what exact date did we ship?",
        "How long have we had it?",
        "how many weeks did it take",
        "Wann war das?",
        "An welchem Tag war das?",
        "Quand est-ce qu'on part ?",
        "Depuis quand ?",
        "Quel jour était-ce ?",
        "¿Cuándo fue?",
        "¿En qué año fue?",
        "Quando è successo?",
        "Em que mês foi? Quando?",
        "Wanneer was dat?",
        "什么时候去的？",
        "いつ行きましたか",
        "언제 갔어?",
    ],
)
def test_a_question_asks_for_a_time(question: str) -> None:
    assert asks_when(question)


@pytest.mark.parametrize(
    "question",
    [
        "",
        "Which database do we use?",
        "What do I do when bored?",
        "When I was in Paris, what did I eat?",
        "Who went there yesterday?",
        "Whenever it rains, where do we go?",
        "Welche Datenbank nutzen wir?",
        "我们用什么数据库？",
    ],
)
def test_a_question_asks_for_something_else(question: str) -> None:
    assert not asks_when(question)


@pytest.mark.parametrize(
    "text",
    [
        "I went there yesterday",
        "We met last week",
        "the past few months",
        "the other day",
        "in three weeks",
        "the week before the talk",
        "3 days ago",
        "in 2022",
        "since 2019",
        "back in the 1990s",
        "on 2023-05-07",
        "on 7/5/2023",
        "at 10:30",
        "at 5 pm",
        "7 May",
        "May 7th",
        "the 3rd of March",
        "in May.",
        "It rained in october",
        "on Mondays",
        "gestern Abend",
        "vor drei Tagen",
        "letzte Woche",
        "la semaine dernière",
        "il y a deux ans",
        "aujourd'hui",
        "hace dos días",
        "el año pasado",
        "tre giorni fa",
        "há 3 dias",
        "twee dagen geleden",
        "昨天我去了",
        "2023年5月",
        "先週行った",
        "어제 갔다",
    ],
)
def test_a_text_names_a_time(text: str) -> None:
    assert tells_when(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "We use uv",
        "I may march on",
        "It costs 2022 dollars",
        "the 2010 model",
        "version 3.11.4",
        "10.0.0.1",
        "the first time",
        "a mars bar",
        "day trip",
        "我用 uv 写代码",
    ],
)
def test_a_text_names_none(text: str) -> None:
    assert not tells_when(text)


@given(text=st.text(max_size=300))
def test_any_text_may_be_asked(text: str) -> None:
    assert asks_when(text) in (True, False)
    assert tells_when(text) in (True, False)
