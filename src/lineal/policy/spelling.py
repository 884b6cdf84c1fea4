"""Words that are known: what they are short for, and which never stand for another."""

from __future__ import annotations

__all__ = ["EXACT", "KNOWN", "SHORT", "SPELLED", "TAILS"]

_NUMBERS = """
one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand
million billion first second third fourth fifth sixth seventh eighth ninth tenth half quarter once
twice thrice double triple dozen zwei drei vier fuenf sechs sieben acht neun zehn zwanzig hundert
tausend deux trois quatre cinq sept huit neuf onze douze vingt cent mille tres cuatro cinco seis
siete ocho nueve diez doce trece veinte cien
"""

_NEGATIONS = """
not no never none nobody nothing nowhere neither nor without hardly barely rarely seldom scarcely
except unless cannot nicht kein keine keinen keiner keinem keines nie niemals niemand nichts ohne
kaum weder selten ausser außer pas jamais sans aucun aucune personne rien sauf nunca jamás sin
ningún ninguno ninguna nadie nada tampoco excepto
"""

_DATES = """
monday tuesday wednesday thursday friday saturday sunday january february march april may june
july august september october november december today tomorrow yesterday tonight morning noon
afternoon evening midnight daily weekly monthly yearly spring summer autumn winter montag dienstag
mittwoch donnerstag freitag samstag sonntag januar februar maerz mai juni juli oktober dezember
heute morgen gestern lundi mardi mercredi jeudi vendredi samedi dimanche janvier février mars
avril juin juillet août septembre octobre novembre décembre demain hier lunes martes miércoles
jueves viernes sábado domingo enero febrero marzo abril mayo junio julio agosto septiembre octubre
noviembre diciembre mañana ayer
"""

_UNITS = """
seconds minute minutes hour hours day days week weeks month months year years percent degrees
celsius fahrenheit metre metres meter meters mile miles pound pounds euro euros dollar dollars
francs litre litres liter liters ounce ounces gram grams
"""

_ALIKE = """
ability accept access action actions adapting adaptive addiction addictive addition additive
adiccion adicion adopting adoptive adverse adviser advisor aesthetic agility alan alegria alergia
alison allan allen allison alteration altercation altitude amend analyses analysis anders andres
anesthetic angel angels angle angles append apples applies aptitude archie archive aspect assert
asses assess asset attach attack attend attitude auction auctions audition averse backed backet
backing backs backup backward backyard bacon baiser baisser baked baker baking ballet ballot bands
banker banking barely baring barking barn barring based bated batted batter batting battle
battling beach beacon beast beasts beat beating beats became become bedside began begin begun
being bellow below beside best beta bets better biased bidding biding biter bitter blacked blacks
blocked blocks blot blots boasts boats boeing bolt bolts bonds books boost boots boring born
bother bottle bought boulder bounds bracket brain braking bran branch branched branches brands
breach breadth breast breasts breath breathe breaths brian bride bridge bring broke bron brooke
brooks brother brought brunch brushes build builds built bullet bundle bungle bunker buses bushes
busy butter buys cabron cache cached callback calm calms campaign camps campus cannon canon canyon
capital capitol caption caramel carbon carbs cared careers carers carter carton cartoon carve
carved carving cases cast casual catched cater catherine cats causal cause causes caution cellar
certain chairman chairmen champaign chanel channel chapter charger charity charter chefs chiefs
choose chose christina christine cites cities clam clams clarity clashes classes clause clean
cleaned cleaner cleaning cleansing clear cleared clearer closest closet clots cloud coal coast
coats cola collage collar college collision collusion colts coma comic comical comit comma command
commanded commence commenced commend commended commerce commit comparado compete competed competes
competing compiled complaint complement complementary complete completed completes completing
compliant complied compliment complimentary comprado compute computing concepts concert concerted
concerts concession concret concussion conducive conductive confession confirm conform congested
conical connor conor consent contact contacted contacting contacts content contention contents
contest contested contests context contexts continent contingent contract contracted contracting
contracts contrast convection convention convert converted converts convey conviction convoy
cooked coping copying coral corp corps corpse corpus corral cosmic cost costume costumer costumers
cots could countess counties countless countries country county course covert crabs crashed
crashing crater crates crave craving creation creep cremation crept cries crimes crooked crop
crops crushed crushing cuarto cuatro cured curse cursed curtain curved customer customers customs
dairy daring darling decade decease deceased decent decide decode decrease decreased defect
defective defend defiant deflect deletion denies denis denise dennis departed depend depletion
deported deprivation deprive deprived derivation derive derived descent desert deserts dessert
desserts detach detect detection detective detention deviant diagnoses diagnosis diary diet diner
diners dinner dinners discard discord disease displaced displayed distract district divers diverse
divided dividend diving does donors doors dose drank draught drink drivers driving drought drunk
drying dunkeln dunklen dying earnest east eats elect election elections electron electrons elliot
elliott employee employees employer employers encode enterado enterrado erreichten errichten
eternal eternally evacuated evacuation evaluated evaluation event except excerpt excess exclude
expand expanse expansive expect expend expense expensive expert experts expired explode explore
explored export exports extend extensive external externally faction factions faculty faibles
failed failing fairly fairy fallback falsche falschen famed farmed farmer farming farther fast
faster father fathers fats faulty feather feathers feedback feeling felling fellow fellows ferien
fiables fiance fiction field fiend fight fights filed files filing filled filling filmed filming
finance finely finish finley finnish firearm fired fires fist fits flasche flaschen flattering
flies flight flights floods fluttering folder folders follow follows foods forearm forest forgave
forget forgive forgot form former forms forrest forth forums foster founded founding fourth
fraction fractions framed framing freien freight freshman freshmen friction fried friend fries
fright from funded funding furry further fury gains gaol garage garbage garde generic genes
genetic genius genres gentleman gentlemen genus geschlossen geschossen ghastly ghostly goal goals
grade grains grande groove grove guess guest guests guild haired halfway hallway handed handing
handled handling hanna hannah hardest hardly hardness hardy harness harvest hated hating hatred
haunted haven header health hearted heated heater heath heather heating heaven herein heroin hired
hoisted holder holders holes holly holmes holy homeless homes honestly honesty hoover hoped
hopeless hoping hopped hopping hosted hover human humane humidity humility hungary hungry hunted
identify identity immoral immortal impart impatient import imports incentive incline include
increase indicated indicted inert infected infection inferior inflected inhabit inhibit inject
injection inline inpatient insect insert insertion inspect install instill insulate insulated
insulted intend intention intentions interior internal interval invent invention inventions
inventive inventor investor irrigation irritation jaime jamie jeffery jeffrey johan johann johnson
johnston kannten kanten katarina katharina katharine katherine keine kirsten kleine knoten konnten
konten kristen lairs landfall landfill later lateral latter launch launches laundry lawyer lawyers
layer layered layers laying lean leaning learning legado leistungen leitungen liars liberal
license licensee lighting lightning liked liking linear lined liner lining linked linking lion
liter literal litter lively llegado loath loathe local locale locks loin looks lookup loose looser
loosing lose loser loses losing losses lost lots lovely lunch lunches lying macro maine mainly
maker makers makes making manly mansion manual manuel marco marge maria marina marine marital
marker markers marking marry marta martha martial mary massage massages master mastery mater
material maternal mathew matter matthew meals meat medals medial mediate mediation medical
medicate medication medien meditate meditation meeting meiden mellon melon mental merge message
messages meta metal metals meting michael michel minute minutes money monitory monkey moral morale
morality morning mortal mortality mourning moves movies muster mustered mystery naive nation
native need needed needle needles needless needs nest nets nettle neural neuron neutral neutron
never newer nicholas nicolas nobel noble nothing noting notion older optical optimal order orders
ordinance ordnance outage outrage overcame overcome overly overnight override overrode oversight
overtly owing owning paced packed packet pained pains painted painter painters paints pairs palace
pants paris parted parties partly party pasture patched patent patents patient patients patries
patrol payable payback paying payoff peach pearson peasant percent perfect perjuicio persevere
person pest petrol pets petty phase phases philip phillip phrase phrases piece piedras pierce
pierdas pilots pirates pitched place placed plains planed planer planes planet planeta planets
planned planner plans plant plantea planted plants plates playable playback playing playoff
pleasant pleats plots pocket pointed pointer poison poisson policeman policemen pollen polo ponds
pool poplar popular ported portion posed posing post posted posting posture potent potion pots
pounds powder power praying preach precios precious precise preciso predict prefect prejuicio
premier premiere premise premises prescribe present presented presenting presents preserve pretty
prevent prevented preventing prevents previous price prices prince princes princess printed
printer printers process procession processor produce product profess profession professor project
projected projection projections projects promise promises protect protected protecting protection
protections protects protest protested protesting protests provence province purse pursue quest
queues quiet quit quite radial radical raiders raids raises raising rally rapids rapture rational
rationale reaccion reactor reading reality really realty rebuild rebuilt receiver recover rector
redaccion reeding reference refuge refugee reign reisen reissen reject relay relied relies relieve
reliever relive reload remainder remainders reminder reminders remover repay replay replied
replies reply request requests resign resin resolution respect rest reverence revolution rewrite
rewrote riders riping ripping rises rising robbed robed robots rogue rollback rollout rooster
roots roster rouge runaway runway rupture sacked sacks sacred sales salmon salon saloon salt
salted salvage sample sandals sands satin savage saved saves saving saying scales scandals scanned
scanner scarce scare scared scares scarred scars scattered schiessen schliessen scooter scores
scraped scraping scrapped scrapping seals seating section seeds seeing seeking seized select
selling sells sending sends sentient sentiment server servers serves setting settle settling seven
sever severs sewing shallow shattered shaved shaving shells shield shine shipping shoes shooter
shoots shopping shores shorter shorts shots should shoulder shrine sides sight sign signes signing
signs silver simple simulate simulated simulation sing singes singing sings sitting sized slash
slat slated slaves sleep slept slides slight sliver smarter smelling smells smuggle snacks snores
snuggle socks sorting sorts sparing sparring speak sped speed speeds spelling spells spending
spends splash spoke spoken sporting sports spots stable stacked stacking stain stairs stake stand
stands staple stared staring starred starring stars start started starter starting starts starving
state stated states stating stationary stationery stats statue statues status statute staying
steak steals steam steep stellen stellten step sterben steve steven stevie sticking stimulate
stimulated stimulation sting stitched stocked stocking stocks stoke stokes stores stories storing
strain strand stranger strangest streak stream streben strike string striped stripes stripped
strips stroke strokes stronger strongest struck stuart stuck subscribe suction super supper
suspect swallow sweating sweep swelling swept swing swinging swings switched tables tailor tails
taking tales talking tanks taped taping tapped tapping tarp tasted tasting taylor tender tends
teresa tested testing texted texting thanks there theresa thirsty thirty thompson thomson thorough
though threads threat threats three throat through throughout throughput thrust tickle tide tied
tier tiers tiles tilted timber timer tinder tipped tire tired tires titled titles toady today
tones tonnes topical topped tories tough traced traces tracing tracked tracking tractor trail
trailer trailers trails trainer trainers trains traitor trans transit transmit trap trapped treat
treats trends trial trials tribal tribes trickle tried tries tropical trough trust trying tuned
tuning turned turning tying typing unbearable unbeatable unblock united unload unlock untied
upload urban urbane vacation vantage vector venues venus vergleichen verglichen verschieben
verschreiben verschrieben victor vintage violent violet vocation waist waiter waits waking wales
walking walter wander wandering warmer warner warp warship washed watched water weakly weekly
weighed weighted weise weisen weisse weissen west wets whales whenever wherever widow wildly
window wining winning withdraw withdrew withheld withhold wonder wondering words worlds worship
wrap write writen written wrote
"""

EXACT = frozenset(f"{_NUMBERS} {_NEGATIONS} {_DATES} {_UNITS}".split())
"""Numbers, negations, dates and units in four languages; umlauts written out."""

KNOWN = EXACT.union(_ALIKE.split())
"""With the English words that one slip makes of each other: known words that differ are meant."""

TAILS = {
    "t": ("not", "don doesn didn isn aren wasn weren haven hasn hadn wouldn couldn shouldn mustn"),
    "s": ("is", "it that what there here he she who where how"),
    "re": ("are", "we you they there what who"),
    "ll": ("will", "i we you he she it they that there who"),
    "ve": ("have", "i we you they could should would might must who"),
    "m": ("am", "i"),
    "d": ("would", "i we you he she it they who that"),
}
"""What is left of a word behind an apostrophe, what it stands for, and behind which words."""

SHORT: dict[tuple[str, str], tuple[str, ...]] = {
    (head, tail): (head.removesuffix("n") if tail == "t" else head, full)
    for tail, (full, heads) in TAILS.items()
    for head in heads.split()
} | {
    ("can", "t"): ("can", "not"),
    ("won", "t"): ("will", "not"),
    ("let", "s"): ("let", "us"),
    ("p", "m"): ("pm",),
    ("a", "m"): ("am",),
}

_OTHER_WORDS = frozenset(("we re", "we ll", "he ll", "she ll", "she d", "we d"))
"""Without their apostrophe these are words of their own: were, well, hell…"""

_WRITTEN = (
    "cannot=can not|wont=will not|its=it is|gonna=going to|wanna=want to|gotta=got to|"
    "kinda=kind of|dunno=do not know|alot=a lot|atleast=at least|u=you|ur=your|pls=please|"
    "plz=please|thx=thanks|cuz=because|bc=because|tmrw=tomorrow|tmr=tomorrow|ppl=people|"
    "teh=the|hte=the|adn=and|nad=and|taht=that|thta=that|wiht=with|wtih=with|jsut=just|wich=which|"
    "evey=every|evry=every|yuo=you|rember=remember|catalog=catalogue|dialog=dialogue|grey=gray|"
    "beacuse=because|becasue=because|tommorow=tomorrow|tommorrow=tomorrow|wensday=wednesday|"
    "febuary=february|twelth=twelfth|fourty=forty|ninty=ninety"
)

SPELLED: dict[str, tuple[str, ...]] = {
    head + tail: words
    for (head, tail), words in SHORT.items()
    if head not in ("won", "a", "p", "let") and f"{head} {tail}" not in _OTHER_WORDS
} | {short: tuple(full.split()) for short, full in (p.split("=") for p in _WRITTEN.split("|"))}
"""What is written otherwise without being another word: short forms, and common slips that no rule
finds. `ill` and `id` may be meant, but then nobody writes `I'll` or `I'd` in their place."""
