"""The little English grammar that the reading needs, as word lists."""

from __future__ import annotations

__all__ = [
    "ALWAYS",
    "ARRIVALS",
    "BREAKS",
    "DESIRED",
    "EMPLOYERS",
    "FILLERS",
    "FIRST",
    "GROUPS",
    "HEDGES",
    "JOINERS",
    "KIN",
    "LEAVERS",
    "LEAVING",
    "LINKERS",
    "MOVES",
    "NEARLY",
    "NEGATORS",
    "NEW_CLAUSE",
    "OTHERS",
    "PARENTS",
    "PLANNED",
    "PLANNED_BE",
    "POINTING",
    "POSITIVE",
    "POSTS",
    "SAYING",
    "SERVING",
    "SUPPOSING",
    "TELLING",
    "THIRD",
    "UNNEGATED",
    "VERBS",
    "WISHES",
    "listed",
]


def listed(words: str) -> tuple[str, ...]:
    """Words of a line, in order."""
    return tuple(words.split())


def _set(words: str) -> frozenset[str]:
    return frozenset(listed(words))


FILLERS = _set(
    "really actually still just definitely very currently now also always mostly mainly probably "
    "honestly basically only even already so truly totally pretty quite both usually generally "
    "um uh er like presently certainly particularly especially absolutely simply maybe all rather "
    "kinda sorta literally too far way"
)
"""Passed over within a phrase: "I still really want kids"."""

FIRST = _set("i we")
THIRD = _set("he she they it him her them his their hers who")

OTHERS = _set(
    "sister brother mother mom mum dad father parents parent son sons daughter daughters kid kids "
    "child children boy boys girl girls wife husband girlfriend boyfriend partner fiance fiancee "
    "fiancé fiancée ex friend friends bestie mate mates roommate roommates flatmate flatmates "
    "neighbor neighbour neighbors neighbours boss manager supervisor colleague colleagues coworker "
    "coworkers teammate teammates client clients customer customers competitor competitors cousin "
    "cousins aunt uncle grandma grandmother grandpa grandfather grandparents nephew niece twin "
    "sibling siblings family housemate housemates landlord teacher mentor intern contractor "
    "contractors vendor vendors predecessor recruiter employer bosses report reports dog cat "
    "buddy buddies crush date dates lead ceo cto founder cofounder stepson stepdaughter in-laws "
    "therapist team's consultant consultants agency professor students student hire hires newcomer "
    "apprentice trainee "
    "ad advert advertisement posting vacancy listing jd"
)
"""Said with "my", "our", "a": somebody else."""

KIN = _set(
    "kid son daughter child toddler baby sister brother mother mom mum dad father nephew niece "
    "cousin ex wife husband boyfriend girlfriend boss flatmate roommate neighbor neighbour dog cat "
    "twin"
)
"""Whom a "she" or "he" after them means, in a text where "I" speaks."""

TELLING = _set("am do live love like enjoy smoke eat play read run cook swim work")
"""After "I": a text about the one who speaks."""

PARENTS = _set(
    "mother father mom mum dad parent mama mam papa grandmother grandfather grandma grandpa"
)
"""Said with "a" perhaps the user: "a mother of two"."""

EMPLOYERS = _set(
    "team company startup start-up firm client agency department organisation organization studio "
    "employer boss business group lab practice hospital school restaurant bank office"
)
"""Who looks for somebody to hire: "our team is looking for …"."""

GROUPS = _set("people folks guys")
"""Said with "the" and a word between, and a verb: "the mobile people use …", somebody else."""

SERVING = _set(
    "nanny babysitter doctor gp dentist accountant lawyer solicitor tutor trainer coach vet nurse "
    "hairdresser barber plumber electrician mechanic gardener cleaner surgeon physio midwife chef"
)
"""Somebody else after "my" and "our" only: "a nurse" may be the user."""

POSTS = _set(
    "teacher mentor intern contractor recruiter manager supervisor lead ceo cto founder therapist "
    "consultant professor student apprentice trainee"
)
"""Of these "a teacher" may be the user, unless a verb follows."""

OWNERS = _set("my our his her their your the a an another some one's this that")

DESIRED = _set(
    "someone somebody anyone anybody everyone everybody people person woman man guy girl lady "
    "gentleman partner nobody men women guys girls folks others users lad lads lass bloke dude chap"
)
"""With a "who" or "that" after it: somebody else."""

VERBS = _set(
    "is are was were has have had who that lives live works work uses use loves love likes like "
    "hates hate wants want prefers prefer does do did says said thinks thought smokes smoke eats "
    "eat went goes got gets moved speaks speak writes write runs plays keeps needs recommended "
    "recommends told tells switched swears used lived worked started can will would asked never "
    "also still just recently"
)

NEGATORS = _set(
    "against not no never without neither nor nothing none hardly cannot non zero nobody"
)
UNNEGATED = _set("only just sure afraid missed least wait until enough too to kidding sorry worry")
"""After a "not": nothing is denied by it."""

LEAVING = {
    "instead": ("of",),
    "rather": ("than",),
    "no": ("longer", "more"),
    "used": ("to",),
    "got": ("rid", "tired"),
    "gave": ("up",),
    "given": ("up",),
    "grew": ("out",),
    "done": ("with",),
    "away": ("from",),
    "tired": ("of",),
    "sick": ("of",),
    "allergic": ("to",),
    "not": ("into",),
    "hopeless": ("at", "with"),
    "useless": ("at", "with"),
}
"""First word → second words that with it say that what follows no longer, or doesn't, hold."""

LEAVERS = _set(
    "stopped quit quitting stopping ditched ditching dropped dropping hate hates hated dislike "
    "dislikes despise avoid avoids avoiding replaced replacing removed removing abandoned left "
    "leaving deprecated rejected detest loathe banned killed lost skip rewrote ported"
)
"""One word that says so."""

MOVES = _set(
    "switched switching moved moving migrated migrating migrate switch move converted ported "
    "went changed coming relocated relocating transitioned transitioning"
)
ARRIVALS = _set("to with for by into favour favor")

BREAKS = _set(
    "but however although though except yet because since so which whereas while when if until "
    "unless as where"
)
"""A new clause: what was denied, wished or hedged before isn't any more."""

HEDGES = _set("maybe perhaps possibly might probably presumably supposedly guess seemingly could")
NEARLY = _set("almost nearly practically virtually borderline semi kinda sorta sort kind")
"""Not quite: "I'm almost vegan"."""

ALWAYS = _set("always every everything all daily never any anything everyone only entirely each")
"""After "almost": said of how often, not of what."""

SAYING = _set(
    "say said says saying claim claimed tell told mean meant pretend pretended write wrote"
)
"""After a "not" or "never": what follows is neither said nor denied."""

PLANNED = _set("move relocate live settle turn")
PLANNED_BE = _set("moving relocating living settling based staying in turning studying")
"""After "will" or "going to", and after "will be": a plan."""

SUPPOSING = _set("if unless imagine suppose supposing assuming wish whether would could might may")
WISHES = {
    "want": ("to", "a", "an"),
    "wants": ("to",),
    "wanted": ("to",),
    "hope": ("to",),
    "hoping": ("to",),
    "plan": ("to", "on"),
    "planning": ("to", "on", "a"),
    "plans": ("to",),
    "dream": ("of", "to"),
    "dreaming": ("of",),
    "thinking": ("of", "about"),
    "looked": ("at", "into"),
    "look": ("at", "into"),
    "toying": ("with",),
    "spike": ("with", "in"),
    "experiment": ("with",),
    "tried": None,
    "whether": None,
    "comparing": None,
    "compared": None,
    "considering": None,
    "consider": None,
    "considered": None,
    "evaluating": None,
    "evaluated": None,
    "evaluate": None,
    "exploring": None,
    "wish": None,
    "wishing": None,
    "learn": None,
    "learning": None,
    "intend": ("to",),
    "eager": ("to",),
    "willing": ("to",),
    "open": ("to",),
    "curious": ("about",),
    "someday": None,
    "should": None,
    "would": None,
    "wouldn": None,
    "let": ("us",),
    "about": ("to",),
    "ready": ("to",),
    "keen": ("to",),
    "trying": ("to",),
}
"""First word → second words (None: alone) after which something is only wished or considered."""

POSITIVE = {
    ("not", "wait"),
    ("not", "live", "without"),
    ("not", "get", "enough"),
    ("not", "imagine", "life", "without"),
    ("not", "have", "to"),
    ("not", "mind"),
    ("nothing", "beats"),
    ("nothing", "better"),
    ("nothing", "but"),
    ("nothing", "like"),
    ("not", "touched"),
    ("no", "problem"),
    ("no", "doubt"),
    ("no", "matter"),
    ("no", "stranger"),
    ("no", "rush"),
    ("no", "wonder"),
    ("no", "secret"),
    ("no", "joke"),
    ("without", "fail"),
    ("not", "say", "no", "to"),
    ("never", "say", "no", "to"),
    ("never", "tired", "of"),
    ("never", "get", "tired"),
    ("never", "far"),
    ("never", "without"),
    ("not", "go", "a", "day", "without"),
    ("not", "function", "without"),
    ("not", "do", "without"),
    ("not", "forget"),
    ("not", "find"),
    ("not", "upgrade"),
    ("not", "bump"),
    ("not", "update"),
    ("not", "connect"),
    ("not", "reach"),
    ("none", "of", "that"),
    ("not", "be", "the", "only"),
    ("never", "miss"),
}
"""Sayings with a negator that deny nothing."""

JOINERS = _set(", and or / & + nor plus · | n y then ; ( )")
LINKERS = _set("and or nor &")
POINTING = _set("it this that those these them")
NEW_CLAUSE = _set(
    "i we he she they it you love loves enjoy enjoys like likes am is are work works live lives "
    "looking have has use uses do does want wants looking my our the there this that now since"
)
"""After an "and" or a comma: a clause of its own begins."""
