"""The words under which a text is found."""

from __future__ import annotations

import string
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lineal.analysis.analyzer import NO_STEMMING, TERMS_MAX, Analyzer
from lineal.analysis.folding import WORD_CHARS_MAX, digits, folded
from lineal.analysis.irregular import IRREGULAR
from lineal.analysis.pieces import shortened
from lineal.analysis.stopwords import STOP_WORDS
from lineal.errors import ErrorCode, LinealError

ENGLISH = Analyzer()
ANALYZERS = {name: Analyzer(name) for name in ("english", "german", "russian", NO_STEMMING)}

TEXTS = st.text(max_size=400) | st.text(
    alphabet="aBc dE1 0.-_/\\:@#+'’,$%&()s猫かカ한ไท้é\u0301\u200dЙßﷺ", max_size=400
)


def terms(text: str) -> list[str]:
    return ENGLISH.terms(text)


def finds(question: str, text: str) -> bool:
    """Whether each term of a question is one of the text's."""
    asked = ENGLISH.question(question)
    return bool(asked) and set(asked) <= set(terms(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n", []),
        ("?! … — *", []),
        ("Cats, cats and CATS", ["cat", "cat", "and", "cat"]),
        ("the running of the dogs", ["the", "run", "of", "the", "dog"]),
        ('NEAR("a b", 2) OR -x*', ["near", "a", "b", "2", "or", "-x", "x"]),
        ("one—two…three", ["one", "two", "three"]),
        ("wait...what -- and--so", ["wait", "what", "and", "so"]),
    ],
)
def test_a_text_becomes_its_words_in_order_with_repetitions(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("naïve", "naive"),
        ("cafe\u0301", "café"),
        ("Straße", "STRASSE"),
        ("Ｗｉｄｅ", "wide"),
        ("ﬁle", "file"),
        ("Øresund", "oresund"),
        ("Łódź", "lodz"),
        ("Ёлка", "елка"),
        ("Ἀθῆναι", "αθηναι"),
        ("כַּלְבָּא", "כלבא"),
        ("كَلْبٌ", "كلب"),
        ("soft\u00adhyphen", "softhyphen"),
        ("ｶﾀｶﾅ", "カタカナ"),
        ("한국", unicodedata.normalize("NFD", "한국")),
        ("Alice's house", "Alice’s houses"),
        ("Alice's", "Alice"),
        ("THE BOSS'S", "the boss"),
        ("the dogs' house", "the dog house"),
        ("we'll go", "we go"),
        ("don’t", "dont"),
        ("l'école", "ecole"),
        ("1,500", "1500"),
        ("1,500,000", "1500000"),
        ("$40", "40"),
        ("40%", "40"),
        ("007", "7"),
        ("٧", "7"),
        ("APIs and PRs", "API and PR"),
        ("HTTPServer", "httpserver http server"),
        ("the children went", "the child goes"),
        ("she bought mice", "she buys a mouse"),
    ],
)
def test_a_habit_of_writing_changes_no_term(one: str, other: str) -> None:
    mine, theirs = set(terms(one)), set(terms(other))
    assert mine - {"a"} == theirs - {"a"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("हिन्दी", "हनद"),
        ("が", "か"),
        ("กา", "กี"),
        ("C", "C++"),
        ("C++", "C#"),
        ("3.11", "3.12"),
        ("E0425", "E0426"),
        ("1.5", "15"),
    ],
)
def test_what_differs_stays_different(one: str, other: str) -> None:
    assert terms(one) != terms(other)


CODE = [
    ("user_id", ["user_id", "user", "id"]),
    ("__init__", ["__init__", "init"]),
    ("MAX_RETRIES", ["max_retries", "max", "retri"]),
    ("getUserById", ["getuserbyid", "get", "user", "by", "id"]),
    ("HTTPServer2", ["httpserver2", "http", "server", "2"]),
    ("e-mail", ["e-mail", "email", "e", "mail"]),
    ("U.S.A.", ["u.s.a", "usa", "u", "s", "a"]),
    ("--dry-run", ["--dry-run", "dry-run", "dryrun", "dri", "run"]),
    ("-v", ["-v", "v"]),
    ("src/app/main.py", ["src/app/main.py", "src", "app", "main.py", "main", "py"]),
    ("/etc/hosts", ["etc/hosts", "etc", "host"]),
    ("C:\\Users\\x.py", ["c:/users/x.py", "c", "user", "x.py", "x", "py"]),
    ("np.linalg.norm", ["np.linalg.norm", "np", "linalg", "norm"]),
    ("a.b.c", ["a.b.c", "abc", "a", "b", "c"]),
    ("Foo::bar", ["foo::bar", "foo", "bar"]),
    ("E0425", ["e0425", "425"]),
    ("TS2304", ["ts2304", "ts", "2304"]),
    ("0x80070005", ["0x80070005"]),
    ("42P01", ["42p01"]),
    ("a3f9c1e2", ["a3f9c1e2"]),
    ("v1.2.3", ["v1.2.3", "1.2.3", "1.2", "1", "2", "3"]),
    ("3.11", ["3.11", "3", "11"]),
    ("@scope/pkg", ["@scope/pkg", "scope/pkg", "scope", "pkg"]),
    ("#123", ["#123", "123"]),
    ("C++", ["c++"]),
    ("C#", ["c#"]),
    ("C/C++", ["c/c++", "c", "c++"]),
    (".NET", [".net", "net"]),
    ("node.js", ["node.js", "node", "js"]),
    ("AT&T", ["at&t", "at", "t"]),
    ("7th", ["7th", "7"]),
    ("50kg", ["50kg", "50", "kg"]),
    ("2023-05-07", ["2023-05-07", "2023", "5", "7"]),
    ("O'Brien", ["obrien", "brien"]),
    ("jo@example.com", ["jo@example.com", "jo", "example.com", "exampl", "com"]),
    (
        "https://www.python.org/doc/re.html",
        ["python.org/doc/re.html", "python.org", "python", "org", "doc", "re.html", "re", "html"],
    ),
]


@pytest.mark.parametrize(("name", "expected"), CODE)
def test_a_name_gives_itself_and_its_parts(name: str, expected: list[str]) -> None:
    assert terms(name) == expected


@pytest.mark.parametrize("name", [name for name, _ in CODE])
@pytest.mark.parametrize("text", ["{}", "see ({}), or not", "It's «{}»!", "`{}`:"])
def test_a_name_is_found_wherever_it_stands(name: str, text: str) -> None:
    assert finds(name, text.format(name))


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("httpserver", "class HTTPServer"),
        ("iphone", "my iPhone"),
        ("main.py", "in src/app/main.py"),
        ("etc/hosts", "edit /etc/hosts"),
        ("c:/users/x.py", r"at C:\Users\x.py"),
        ("1.2.3", "released v1.2.3"),
        ("python 3.11", "Python 3.11.4"),
        ("dry run", "git push --dry-run"),
        ("dry-run", "git push --dry-run"),
        ("email", "her e-mail"),
        ("moved servers", "moveAllServers"),
        ("error 425", "error E0425"),
        ("python 3", "python3"),
        ("404", "HTTP/404"),
        ("example.com", "jo@example.com"),
        ("7", "on the 7th"),
    ],
)
def test_a_part_finds_the_whole(question: str, text: str) -> None:
    assert finds(question, text)


def test_a_name_in_small_letters_is_the_same_whole() -> None:
    assert terms("httpserver2")[0] == terms("HTTPServer2")[0]


@pytest.mark.parametrize(
    ("question", "text", "found"),
    [
        ("猫", "我养了一只猫。", True),
        ("养猫", "我养了一只猫。", False),
        ("一只猫", "我养了一只猫。", True),
        ("食べる", "りんごを食べる", True),
        ("コーヒー", "熱いコーヒーを飲む", True),
        ("コー", "熱いコーヒーを飲む", True),
        ("친구", "친구가 왔다", True),
        ("고양이는", "고양이는 잔다", True),
        ("ภาษา", "ฉันพูดภาษาไทย", True),
        ("Python", "用Python开发", True),
        ("开发", "用Python开发", True),
        ("版本3", "版本3", True),
    ],
)
def test_scripts_without_spaces_are_found_by_pairs(question: str, text: str, found: bool) -> None:
    assert finds(question, text) is found


def test_a_question_of_several_characters_asks_for_pairs_only() -> None:
    assert ENGLISH.question("三毛猫") == ("三毛", "毛猫")
    assert ENGLISH.question("猫") == ("猫",)
    assert set(terms("三毛猫")) == {"三毛", "毛猫", "三", "毛", "猫"}


def test_a_whole_word_of_katakana_and_of_hangul_is_a_term() -> None:
    assert "コーヒー" in terms("熱いコーヒーを")
    assert "고양이는" in terms("고양이는 잔다")


def test_a_vowel_sign_stays_on_its_letter() -> None:
    assert terms("ที่นี่") == ["ที่นี่"]


def test_a_pair_across_two_slices_of_a_long_run_is_there() -> None:
    run = "".join(chr(0x4E00 + n) for n in range(2_000))
    pairs = {run[n : n + 2] for n in range(len(run) - 1)}
    assert pairs <= set(terms(run))
    assert set(ENGLISH.question(run)) <= pairs


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("", ()),
        ("which python version do we use", ("python", "version", "use")),
        ("uv uv UV", ("uv",)),
        ("who are you", ("who", "are", "you")),
        ("Why don't we?", ("whi", "dont", "we")),
        ("Wo habe ich den Schlüssel für die Wohnung?", ("schlussel", "wohnung")),
        ("¿Dónde está la llave de mi casa?", ("llave", "casa")),
        ("Où est la clé de notre maison ?", ("cle", "maison")),
        ("什么时候去北京", ("候去", "去北", "北京")),
        ("何をしましたか", ("何を", "をし", "しま")),
        ("hat size", ("hat", "size")),
        ("die hard", ("die", "hard")),
    ],
)
def test_a_question_becomes_its_telling_words(question: str, expected: tuple[str, ...]) -> None:
    assert ENGLISH.question(question) == expected


def test_the_analyzers_own_language_goes_first() -> None:
    assert ANALYZERS["german"].question("was die the Haus") == ("the", "haus")
    assert ENGLISH.question("was die the Haus") == ("die", "haus")


def test_a_text_keeps_the_words_that_a_question_leaves_out() -> None:
    assert terms("to be or not to be") == ["to", "be", "or", "not", "to", "be"]


def test_a_question_says_which_word_gave_which_term() -> None:
    assert ENGLISH.words("Which servers were running?") == (
        ("servers", "server"),
        ("running", "run"),
    )


@pytest.mark.parametrize("name", ANALYZERS)
@given(text=TEXTS)
@example("how-to of the the")
def test_a_text_is_found_by_all_of_its_words(name: str, text: str) -> None:
    analyzer = ANALYZERS[name]
    assert set(analyzer.question(text)) <= set(analyzer.terms(text))
    assert bool(analyzer.question(text)) is bool(analyzer.terms(text))


@given(text=TEXTS)
def test_a_word_gives_the_same_terms_alone(text: str) -> None:
    alone = [term for word in text.split() for term in terms(word)]
    assert alone == terms(text)


@given(text=TEXTS)
def test_questions_words_are_its_terms(text: str) -> None:
    assert tuple(term for _, term in ENGLISH.words(text)) == ENGLISH.question(text)


@given(text=TEXTS)
def test_a_term_is_short_and_holds_no_space(text: str) -> None:
    for term in terms(text):
        assert term
        assert len(term) <= 4 * WORD_CHARS_MAX
        assert "".join(term.split()) == term
        assert term.isprintable() or not term.isascii()


@given(text=st.text(max_size=200))
def test_folding_again_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(number=st.integers(min_value=0, max_value=10**30))
def test_a_number_is_its_digits(number: int) -> None:
    assert digits(f"00{number}") == str(number)
    assert terms(f"{number:,}") == [str(number)]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        '"' * 100_000,
        "*" * 100_000,
        "NEAR(" * 20_000,
        "\ud800" * 100_000,
        "\0" * 100_000,
        "\u0301\u0323" * 50_000,
        "a" + "\u0301\u0323" * 50_000,
        "क" + "\u093c\u094d" * 50_000,
        "\u0e48\u0e38" * 50_000,
        "か" + "\u3099" * 100_000,
        "ﷺ" * 100_000,
        "x" * 1_000_000,
        "aB" * 500_000,
        "a1" * 500_000,
        "a." * 50_000,
        "a'" * 50_000,
        "a-" * 50_000 + "é",
        "a://" * 25_000,
        "1,000" * 20_000,
        "猫" * 100_000,
        "@#." * 30_000,
    ],
    ids=lambda text: ascii(text[:4]),
)
def test_a_hostile_text_costs_no_more_than_its_length(text: str) -> None:
    """Counted, not timed: what is made of a text is a small multiple of it."""
    found = terms(text)
    assert sum(map(len, found)) <= 8 * len(text) + 1_000
    assert len(ENGLISH.question(text)) <= TERMS_MAX


def test_a_word_is_cut_and_what_follows_it_is_not() -> None:
    assert terms("x" * 1_000_000 + " after")[-1] == "after"
    assert terms("/".join(["part"] * 100 + ["last"]))[-1] == "last"
    for long in ("x" * 1_000, "x" * 1_000 + "/" + "y" * 1_000, "é1" * 1_000, "aB" * 1_000):
        assert all(len(term) <= WORD_CHARS_MAX for term in terms(long))


def test_a_chunk_is_short_before_its_marks_are_sorted() -> None:
    """Normalising takes the square of a run of marks."""
    assert len(shortened("a" + "\u0301\u0323" * 50_000)) == WORD_CHARS_MAX
    assert len(shortened("é" * 100 + "/b-" + "c" * 100)) == WORD_CHARS_MAX * 2 + 3


def test_a_question_asks_for_so_many_terms_and_no_more() -> None:
    assert len(ENGLISH.question(" ".join(f"w{n}x" for n in range(20_000)))) == TERMS_MAX


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("german", "Häuser", "Haus"),
        ("french", "mangée", "manger"),
        ("spanish", "canciones", "cancion"),
        ("russian", "красный", "красная"),
        ("porter", "children", "child"),
    ],
)
def test_a_language_joins_its_own_forms(language: str, one: str, other: str) -> None:
    analyzer = Analyzer(language)
    assert analyzer.terms(one) == analyzer.terms(other)


def test_without_stemming_words_stay_as_they_are() -> None:
    assert Analyzer("none").terms("Running Mice") == ["running", "mice"]


def test_an_unknown_language_is_refused_with_the_choices() -> None:
    with pytest.raises(LinealError, match="klingon") as caught:
        Analyzer("klingon")
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert caught.value.details["field"] == "language"
    assert {"none", "english", "german"} <= set(caught.value.details["choices"])


def test_the_version_names_what_the_terms_depend_on() -> None:
    versions = {Analyzer(name).version for name in ("english", "porter", "none")}
    assert len(versions) == 3
    assert Analyzer().version == ENGLISH.version
    assert ENGLISH.version.startswith("words.v1-english-")


def test_near_are_the_terms_one_slip_away() -> None:
    near = ENGLISH.near("kitchen")
    for slip in ("kichen", "ktichen", "kitchan", "kitchenn"):
        assert ENGLISH.terms(slip)[0] in near
        assert ENGLISH.terms("kitchen")[0] in ENGLISH.near(slip)
    assert ENGLISH.terms("kitchen")[0] not in near


@given(word=st.text(alphabet=string.ascii_lowercase, min_size=4, max_size=24))
def test_near_terms_are_distinct_and_bounded(word: str) -> None:
    near = ENGLISH.near(word)
    assert 0 < len(near) <= 800
    assert len(set(near)) == len(near)
    assert not set(ENGLISH.terms(word)) & set(near)


@pytest.mark.parametrize(
    "word", ["", "cat", "x" * 25, "e0425", "main.py", "кухня", "三毛猫", "a b c d"]
)
def test_nothing_is_near_a_short_word_an_endless_one_a_code_or_another_script(word: str) -> None:
    assert ENGLISH.near(word) == ()


def test_an_accent_is_no_hindrance_to_a_slip() -> None:
    assert Analyzer("french").terms("fenetre")[0] in Analyzer("french").near("fenêttre")


def test_an_irregular_form_belongs_to_one_word_that_is_none_itself() -> None:
    assert not IRREGULAR.keys() & set(IRREGULAR.values())
    assert len(IRREGULAR) > 150


def test_stop_words_are_folded_as_a_question_is() -> None:
    wrong = [word for listed in STOP_WORDS.values() for word in listed if folded(word) != word]
    assert wrong == []
