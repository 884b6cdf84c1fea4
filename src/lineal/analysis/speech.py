"""Who speaks in a line; with the words for its time, all that is read from how a line is put."""

from __future__ import annotations

import re
from functools import cache

from lineal.analysis.stopwords import STOP_WORDS
from lineal.analysis.timewords import asks_when, date_words, tells_when

__all__ = ["asks_when", "date_words", "spoken", "tells_when"]

_LABELLED = """
note notes todo fixme xxx hack error errors warning warnings fix fixed fixes bug bugs decision
decisions decided q a question questions answer answers http https ftp example examples summary
result results reason reasons cause solution solutions problem problems issue issues goal goals plan
plans context background status update updates important caution info information tip tips hint
remember reminder rule rules task tasks step steps subject title date time day from to re fwd cc bcc
ps nb eg ie fact facts claim option options pros cons total version changelog release releases
feature features requirement requirements constraint constraints conclusion conclusions lesson
lessons learned finding findings workaround usage see source sources reference references
description details input inputs output outputs expected actual test tests code command commands
file files path url link links key keys value values name names type types id default defaults
config configuration settings setup install api database server client system environment project
preference preferences correction topic agenda action actions next done blocked open closed known
python rust java javascript typescript node docker kubernetes git github linux windows macos sql
postgres redis react django go golang bash shell json yaml html css
hinweis notiz fehler frage antwort entscheidung beispiel achtung aufgabe ergebnis
remarque erreur réponse décision exemple résumé attention nota respuesta pregunta ejemplo decisión
resumen errore domanda risposta decisione esempio erro pergunta resposta decisão exemplo resumo
january february march july september october november december monday tuesday wednesday thursday
friday saturday sunday opmerking fout vraag antwoord besluit voorbeeld
注 注意 备注 例 例如 错误 问题 问 答 回答 决定 结论 总结 待办 原因 提示
メモ 補足 エラー 質問 決定 結論 備考
메모 참고 주의 오류 질문 답 답변 결정 결론 예
"""
_LABELS = frozenset(_LABELLED.split()) | STOP_WORDS["english"] - {"will"}
"""Words of beginnings that name a matter, not a person, in small letters. April and Will are people
too."""


@cache
def _head() -> re.Pattern[str]:
    """Compiled when first used: it holds large ranges."""
    word = r"[^\W\d_][\w'’.-]{0,23}"
    wide = "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]"
    date = r"\s?[(（][^()（）\n]{0,30}\d[^()（）\n]{0,30}[)）]"
    return re.compile(
        rf"\s*(?P<name>{wide}{{1,8}}(?:[ ·・]{wide}{{1,12}})?(?=(?:{date})?：)"
        rf"|{word}(?: {word}){{0,2}})(?:{date})?\s?(?::(?=\s)|：)\s*(?=\S)"
    )


def spoken(content: str) -> tuple[str | None, int]:
    """Who speaks in a line such as "Ana: …" or "Ana (7 May 2023): …", and where the rest begins.

    (None, 0) when nobody is named, as in "Note: …", or nothing follows.
    """
    found = _head().match(content)
    if found is None or not _is_name(found["name"]):
        return None, 0
    return found["name"], found.end()


def _is_name(name: str) -> bool:
    return all(map(_may_be_name, name.split(" ")))


def _may_be_name(word: str) -> bool:
    """A capital and small letters; an initial; a script without capitals. SQL is no name."""
    plain = word.rstrip(".")
    if plain.lower() in _LABELS:
        return False
    shouted = len(plain) > 1 and plain.isupper() and "." not in plain
    return not (word[0].islower() or shouted)
