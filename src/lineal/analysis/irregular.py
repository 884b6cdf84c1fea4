"""English words whose forms no stemmer joins."""

from __future__ import annotations

__all__ = ["IRREGULAR"]

_VERBS = """
arise arose arisen|awake awoke awoken|beat beaten|become became|begin began begun|bend bent
bite bitten|bleed bled|blow blew blown|break broke broken|breed bred
bring brought|build built|burn burnt|buy bought|catch caught|choose chose chosen|cling clung
come came|creep crept|deal dealt|dig dug|do does did done|draw drew drawn|dream dreamt
drink drank drunk|drive drove driven|eat ate eaten|fall fell fallen|feed fed|feel felt
fight fought|find found|flee fled|fly flew flown|forbid forbade forbidden|forget forgot forgotten
forgive forgave forgiven|freeze froze frozen|get got gotten|give gave given|go went gone goes
grow grew grown|hang hung|have has had|hear heard|hide hid hidden|hold held|keep kept|kneel knelt
know knew known|lean leant|leap leapt|learn learnt|leave left|lend lent|light lit
lose lost|make made|mean meant|meet met|mistake mistook mistaken|overcome overcame|pay paid
prove proven|rebuild rebuilt|ride rode ridden|ring rang rung|rise risen|run ran|say said
see saw seen|seek sought|sell sold|send sent|sew sewn|shake shook shaken|shine shone
shoot shot|show shown|shrink shrank shrunk|sing sang sung|sink sank sunk|sit sat|sleep slept
slide slid|speak spoke spoken|spell spelt|spend spent|spill spilt|spin spun|spring sprang sprung
stand stood|steal stole stolen|stick stuck|sting stung|stride strode|strike struck|strive strove
swear swore sworn|sweep swept|swell swollen|swim swam swum|swing swung|take took taken
teach taught|tear tore torn|tell told|think thought|throw threw thrown|tread trod
understand understood|undertake undertook undertaken|undo undid undone|wake woke woken
wear wore worn|weave wove woven|weep wept|win won|withdraw withdrew withdrawn|write wrote written
rewrite rewrote rewritten|overwrite overwrote overwritten|override overrode overridden
"""

_NOUNS = """
man men|woman women|child children|person people|foot feet|tooth teeth|goose geese|mouse mice
louse lice|ox oxen|wife wives|knife knives|wolf wolves|shelf shelves|half halves
thief thieves|loaf loaves|calf calves|scarf scarves|elf elves|criterion criteria
phenomenon phenomena|bacterium bacteria|analysis analyses|crisis crises|thesis theses
hypothesis hypotheses|diagnosis diagnoses|index indices|vertex vertices|matrix matrices
appendix appendices|cactus cacti|fungus fungi|alumnus alumni|nucleus nuclei|stimulus stimuli
"""

_OTHERS = """
good better|bad worse|far farther
"""


def _forms(table: str) -> dict[str, str]:
    """ "go went gone" → {"went": "go", "gone": "go"}."""
    rows = (row.split() for line in table.strip().splitlines() for row in line.split("|"))
    return {form: row[0] for row in rows for form in row[1:]}


IRREGULAR = _forms(_VERBS) | _forms(_NOUNS) | _forms(_OTHERS)
"""Form → the word it belongs to, looked up before stemming. Left out are forms that are more often
another word: rose, bore, wound, ground, bit, bound, led, lay, lives, leaves, bases, axes, media,
best, further."""
