"""How people speak of time, in English and simply in six languages more."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache

__all__ = ["MONTHS", "READ_CHARS_MAX", "WEEKDAYS", "asks_when", "date_words", "tells_when"]

_MONTH_NAMES = (
    "January February March April May June July August September October November December"
)
MONTHS = tuple(_MONTH_NAMES.split())
_WEEKDAY_NAMES = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
WEEKDAYS = tuple(_WEEKDAY_NAMES.split())
"""In English wherever the process runs: the library's own names follow the locale."""

READ_CHARS_MAX = 10_000
"""Of a text; what says nothing of time in so many characters is about something else."""

_UNITS = "day date time year month week weekday hour season decade"

_ASKED = (
    # "what did you do when it rained" asks for no time; "when did it rain" does.
    r"\bwhen(?:['’][sd]|\s{1,4}(?:am|are|is|was|were|be|been|do|does|did|has|have|had|will|would"
    r"|shall|should|can|could|may|might|must))\b",
    r"\bwhen\s{0,4}(?:\?|$)|\b(?:since|until|till|by|from|exactly)\s{1,4}when\b",
    rf"\b(?:what|which)\s{{1,4}}(?:(?:exact|other)\s{{1,4}})?(?:{'|'.join(_UNITS.split())})s?\b",
    r"\bhow\s{1,4}(?:long|recently|often|soon|old|many\s{1,4}(?:year|month|week|day|hour)s)\b",
    r"\bwann\b|\bwie\s(?:lange|oft|spät)\b",
    r"\bwelche[mnrs]?\s(?:tag|datum|jahr|monat|woche|uhrzeit)",
    r"\bcuándo\b|\b(?:quand|quando|wanneer)\s?\?",
    r"(?:^|[¿,;])\s?(?:(?:depuis|desde|de|da|sinds|vanaf|para|até|hasta)\s)?"
    r"(?:quand|cuando|quando|wanneer)\b",
    r"\b(?:quel|quelle|qué|que|che|quale|qual|welke?)\s(?:jour|date|année|mois|heure|día|dia|fecha"
    r"|año|mes|hora|giorno|data|anno|mese|ora|ano|mês|dag|datum|jaar|maand|tijd)\b",
    r"\b(?:combien\sde\stemps|cuánto\stiempo|quanto\stempo|hoe\sla(?:ng|at))\b",
    r"什么时候|什麼時候|何时|何時|几点|哪天|哪年|多久|いつ|何[日年月]|언제|며칠|몇\s?[시월년]",
)

_ALONE = """
yesterday today tomorrow tonight nowadays recently lately ago earlier january february april june
july september october november december monday tuesday wednesday thursday friday saturday sunday
mondays tuesdays wednesdays thursdays fridays saturdays sundays
gestern vorgestern heute übermorgen neulich kürzlich januar jänner februar märz juni juli oktober
dezember montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag
aujourd demain récemment janvier février fevrier avril juin juillet août septembre octobre novembre
décembre lundi mardi mercredi jeudi vendredi samedi dimanche
ayer anteayer hoy anoche recientemente enero febrero abril junio julio septiembre octubre noviembre
diciembre lunes martes miércoles jueves viernes sábado domingo
ieri oggi domani stamattina stasera recentemente gennaio febbraio aprile giugno luglio settembre
ottobre dicembre lunedì martedì mercoledì giovedì venerdì sabato domenica
ontem anteontem hoje amanhã janeiro fevereiro maio junho julho setembro outubro novembro dezembro
gisteren eergisteren vandaag onlangs geleden januari februari maart augustus maandag dinsdag
woensdag donderdag vrijdag zaterdag zondag
"""
_TELLING = frozenset(_ALONE.split())
"""Words that name a time by themselves."""

_MONTHS = "may|march|august|mars|mai|mayo|marzo|agosto|maggio|março|mei"
_SHORT_MONTHS = "jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|okt|dez"
"""Words of their own too: months only beside a number, the former behind "in" or "last" as well."""

_SPANS = (
    "second|minute|hour|day|week|weekend|fortnight|month|quarter|year|decade|night|evening|morning"
    "|afternoon|spring|summer|autumn|winter|christmas|easter"
)
_SPANS_ELSEWHERE = (
    "tag|tage|tagen|woche|wochen|monat|monate|monaten|jahr|jahre|jahren|stunden|sommer|nacht"
    "|semaine|semaines|mois|an|ans|année|jour|jours|nuit|été|hiver|semana|semanas|mes|meses|año"
    "|años|día|días|noche|verano|invierno|settimana|settimane|mese|mesi|anno|anni|giorno|giorni"
    "|notte|estate|mês|ano|anos|dia|dias|noite|verão|weken|maand|maanden|jaar|dagen|uur|zomer"
)
_COUNTED = r"\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten|a\sfew"

_NUMBERED = (
    r"\b\d{4}-\d\d?(?:-\d\d?)?\b|\b\d\d?[/.]\d\d?[/.](?:\d{4}|\d\d)(?![.\d])",
    r"\b(?:1[0-2]|0?[1-9])(?::[0-5]\d)?\s?(?:am|pm|a\.m|p\.m)\b|\b(?:[01]?\d|2[0-3]):[0-5]\d\b",
    r"\b(?:in|since|by|until|till|before|after|from|during|of|year|early|late|mid|seit|im\sjahr"
    r"|depuis|en|desde|dal|nel|em|sinds)[\s-](?:19|20)\d\d\b|\b(?:19|20)\d0s\b",
    rf"\b(?:{_MONTHS}|{_SHORT_MONTHS})\.?\s(?:the\s)?\d{{1,4}}(?:st|nd|rd|th)?\b",
    rf"\b\d\d?(?:st|nd|rd|th|er|\.|º)?\s(?:of\s|de\s)?(?:{_MONTHS}|{_SHORT_MONTHS})\b",
)
_SPANNED = (
    r"\b(?:last|next|this|past|previous|coming|every|each|the\sother)\s"
    rf"(?:few\s|couple\sof\s)?(?:{_SPANS})s?\b",
    rf"\b(?:in|within|for)\s(?:{_COUNTED})\s(?:{_SPANS})s?\b",
    rf"\b(?:{_SPANS})\s(?:before|after)\b",
    r"\b(?:letzte|nächste|vorige|diese|vergangene)[nrsm]?\s"
    rf"(?:{_SPANS_ELSEWHERE})\b|\b(?:vorige?|volgende?|afgelopen)\s(?:week|{_SPANS_ELSEWHERE})\b",
    rf"\b(?:{_SPANS_ELSEWHERE})\s(?:derni(?:er|ère)|prochaine?|pasad[oa]|próxim[oa]|scors[oa]"
    r"|prossim[oa]|passad[oa]|fa)\b",
    rf"\b(?:vor|il\sy\sa|hace|há)\s(?:\d+|\w{{1,9}})\s(?:{_SPANS_ELSEWHERE})\b",
)
_IN_MONTH = (
    rf"\b(?:in|last|next|this|since|until|by|early|late|mid|im|en|em)[\s-](?:{_MONTHS})"
    r"(?=\s?(?:[.,;:!?)]|$|\d))"
)
_WIDE = (
    r"[昨今明前后後]天|[昨今明]日|[去今明前]年|[上下本这][周週月]|[先来今][週月]|\d\s?[年月日号]|星期[一二三四五六日天]"
    r"|[月火水木金土日]曜|어제|오늘|내일|그저께|지난\s?[주달해]|작년|올해|\d[년월일]"
)

_WORD = re.compile(r"[^\W\d_]+")
_DIGIT = re.compile(r"\d")
_UNIT_WORDS = frozenset(
    [*_SPANS.split("|"), *(f"{span}s" for span in _SPANS.split("|")), *_SPANS_ELSEWHERE.split("|")]
)
_MONTH_WORDS = frozenset(_MONTHS.split("|"))


def date_words(moment: datetime) -> str:
    """The words by which a question would name the day: "Sunday 7 May 2023"."""
    weekday, month = WEEKDAYS[moment.weekday()], MONTHS[moment.month - 1]
    return f"{weekday} {moment.day} {month} {moment.year}"


def asks_when(question: str) -> bool:
    """Whether a time is asked for: when did…, what year…, how long ago…, wann…, いつ…"""
    return _any_of(*_ASKED).search(question[:READ_CHARS_MAX]) is not None


def tells_when(text: str) -> bool:
    """Whether a text names a time: yesterday, last week, in 2022, on Monday, 3 days ago, 7 May."""
    read = text[:READ_CHARS_MAX].lower()
    words = set(_WORD.findall(read))
    if words & _TELLING:
        return True
    # A pattern is searched only where it could be found.
    likely = [
        (bool(words & _UNIT_WORDS), _SPANNED),
        (bool(words & _MONTH_WORDS), (_IN_MONTH,)),
        (_DIGIT.search(read) is not None, _NUMBERED),
        (not read.isascii(), (_WIDE,)),
    ]
    return any(_any_of(*told).search(read) is not None for there, told in likely if there)


@cache
def _any_of(*patterns: str) -> re.Pattern[str]:
    """Compiled when first used; there are five."""
    return re.compile("|".join(patterns), re.IGNORECASE)
