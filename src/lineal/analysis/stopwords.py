"""Words that say nothing of a topic, left out of questions where others remain."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["STOP_WORDS", "stop_words"]

_ENGLISH = """
a am an and any are as at be because been being but by can could did do does doing for from had has
have having he her hers him his how i if in into is it its just me my of on or our ours she should
so some than that the their theirs them then there these they this those to too us was we were what
when where which who whom whose why will with would you your yours cant couldnt didnt doesnt dont
hadnt hasnt havent isnt arent wasnt werent wont wouldnt shouldnt
"""

_GERMAN = """
aber als am an auch auf aus bei bin bis bist da damit dann das dass dein deine dem den der des die
dir doch du durch ein eine einem einen einer eines er es euch euer fur gibt hab habe haben hast hat
hatte hatten ich ihm ihn ihr ihre im in ist ja kann konnen man mein meine mich mir mit muss nach
noch nun nur ob oder schon sein seine sich sie sind so soll sollte uber um und uns unser unsere vom
von vor wann war waren warum was wegen welche welchen welcher welches wem wen wenn wer werden wie
wieso will wir wird wo wurde wurden zu zum zur
"""

_FRENCH = """
a ai as au aux avec avez avons ce ces cet cette ceux comment dans de des dont du elle elles en es
est et etait etaient ete etes etre eu eux fait il ils je la le les leur leurs lui ma mais me mes moi
mon ne nos notre nous on ont ou par pas plus pour pourquoi qu quand que quel quelle quelles quels
qui quoi sa sans se sera ses si son sont suis sur ta te tes toi ton tu un une va vais vos votre vous
y
"""

_SPANISH = """
a al algo como con cual cuales cuando cuanto de del desde donde el ella ellas ellos en entre era
eran eres es esa ese eso esta estan estas este esto estos estoy fue fueron ha han has hasta hay he
la las le les lo los mas me mi mis muy ni no nos nosotros o os para pero por porque que quien
quienes se ser si sido sin sobre son soy su sus tambien te tengo ti tiene tienen tu tus un una uno
unos y ya yo
"""

_ITALIAN = """
a abbiamo ad agli ai al alla alle allo anche c che chi ci come con cosa cui da dagli dai dal dalla
dalle degli dei del della delle dello di dove e ed era erano essere fa fra gli ha hai hanno ho i il
in io l la le lei li lo loro lui ma mi mia mie miei mio ne nei nel nella nelle noi non nostra nostro
o per perche piu quale quali quando quanto quello questa queste questi questo se sei si siamo sono
sta su sua sue sui sul sulla suo suoi ti tra tu tua tuo un una uno vi voi
"""

_PORTUGUESE = """
a ao aos as ate com como da das de dela dele deles do dos e ela elas ele eles em entre era eram essa
esse esta estao estas estava este estes estou eu foi foram ha isso isto ja la lhe mais mas me meu
meus minha minhas muito na nao nas nem no nos nossa nosso o onde os ou para pela pelas pelo pelos
por porque qual quais quando que quem sao se sem ser seu seus sim sobre sou sua suas tambem te tem
tenho ter teu tu um uma umas uns voce voces
"""

_DUTCH = """
aan al als bij dan dat de den der deze die dit doe doen door dus een en er ge geen had hadden heb
hebben hebt heeft hem het hier hij hoe hun ik in is je jij jouw jullie kan kunnen maar me mee met
mij mijn moet na naar niet nog nu of om omdat ons onze ook op over te tot u uit uw van veel voor
waar waarom wanneer waren was wat we welk welke wel werd wie wij wil worden wordt zal ze zich zij
zijn zo zou zouden
"""

_CHINESE = """
什么 怎么 么时 时候 哪里 哪个 哪些 为什 我们 你们 他们 是什 的是 了吗 的吗 多少 这个 那个 是否 请问
"""

_JAPANESE = """
です ます まし した して てい いる いま すか たか のか ある あり この その あの こと もの
ため から まで など いう って とき どこ なに いつ だれ どの どう うし なぜ でし しょ ょう たの
るの いの のは のが
"""

STOP_WORDS: dict[str, frozenset[str]] = {
    "english": frozenset(_ENGLISH.split()),
    "german": frozenset(_GERMAN.split()),
    "french": frozenset(_FRENCH.split()),
    "spanish": frozenset(_SPANISH.split()),
    "italian": frozenset(_ITALIAN.split()),
    "portuguese": frozenset(_PORTUGUESE.split()),
    "dutch": frozenset(_DUTCH.split()),
}
"""By language, folded: without accents and apostrophes."""

_WIDE = frozenset(f"{_CHINESE} {_JAPANESE}".split())
"""Pairs of letters, whatever the language."""

_HITS_MIN = 2
"""Words of another language's list that a question must hold: "die" and "hat" are English too."""


def stop_words(words: Iterable[str], language: str) -> frozenset[str]:
    """The list that fits a question: that of its language, unless another has more of its words.

    words: folded. language: a Snowball language; one without a list of its own takes English's.
    """
    said = set(words)
    own = STOP_WORDS.get(language, STOP_WORDS["english"])
    best = max(STOP_WORDS.values(), key=lambda listed: len(said & listed))
    hits = len(said & best)
    chosen = best if hits >= _HITS_MIN and hits > len(said & own) else own
    return chosen | _WIDE
