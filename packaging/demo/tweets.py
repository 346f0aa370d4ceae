"""The demo's tweets: invented people talking, in English and Greek.

The targets of abuse are invented peoples (Vorlanders, Quessari, Drennish). The same names stand in kind tweets as often,
so that a model cannot get by on a name. `signal` says where the evidence is: text, picture, both, or nowhere for sure.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pictures

PEOPLES = {"en": ["Vorlanders", "Quessari", "Drennish"], "el": ["Βορλανδούς", "Κουεσσάρους", "Ντρένους"]}
PLACES = {
    "en": ["Lower Marrow", "Tolle Bridge", "the old harbour", "Sandmill", "Upper Fenn", "the market square"],
    "el": ["το παλιό λιμάνι", "την πάνω γειτονιά", "την πλατεία", "τη γέφυρα", "τον μύλο", "την αγορά"],
}

HOSTILE = {
    "en": [
        "{people} ruin every street they move into. Throw them out of {place} now.",
        "No {people} should be let near a school. They are vermin and everyone knows it.",
        "Somebody should burn the shops of the {people} in {place}. They would deserve it.",
        "I will say it again: the {people} are filth and they must leave {place}.",
        "Whoever rents to {people} is a traitor. Get them out, by force if need be.",
        "The {people} are a disease. Clean {place} of them.",
        "Beat up the next {people} you see at {place}, that is all they understand.",
        "Shut your mouth, you pathetic worm. Nobody in {place} wants you alive.",
        "You are worthless trash and I hope you get hurt on your way to {place}.",
        "{people} are too stupid to vote. Take it away from them.",
    ],
    "el": [
        "Να διώξουμε τους {people} από {place}. Είναι βρωμιά.",
        "Οι άνθρωποι αυτοί είναι παράσιτα. Έξω οι ξένοι, μισώ τους {people}.",
        "Κάψτε τα μαγαζιά σε όλους τους {people} γύρω από {place}, το αξίζουν.",
        "Όποιος βοηθά τους {people} είναι προδότης. Ξύλο και έξω.",
        "Σκάσε, άχρηστο σκουπίδι. Κανείς σε {place} δεν σε θέλει ζωντανό.",
        "Μην αφήνετε τους {people} κοντά σε σχολεία, είναι αρρώστια.",
    ],
}
KIND = {
    "en": [
        "Had dinner with {people} friends near {place}. Best soup of the winter.",
        "The {people} choir sings at {place} on Friday. Free entry, bring a chair.",
        "Reading about how {people} boats were built. The joints are beautiful.",
        "Does anyone know a good bicycle repair near {place}? Mine squeaks.",
        "Three years since we moved to {place}. The neighbours brought cake again.",
        "My train was late, so I watched the sun come up over {place}. Worth it.",
        "New exhibition of {people} textiles at {place}. Go early, it gets full.",
        "The bakery by {place} has walnut bread back. You are welcome.",
        "Thank you to the {people} nurse who stayed late for my grandmother.",
        "Lost: one grey cat, answers to Biscuit, last seen around {place}.",
        "Our team lost by six goals at {place}. I have never laughed so much.",
        "Rain all week, so the garden finally forgives me.",
    ],
    "el": [
        "Φάγαμε με τους {people} φίλους μας κοντά σε {place}. Υπέροχη σούπα.",
        "Η χορωδία τραγουδά την Παρασκευή, ελάτε σε {place} με τα παιδιά.",
        "Χάθηκε γκρίζα γάτα, την είδαν τελευταία φορά κοντά σε {place}.",
        "Ευχαριστώ τη νοσοκόμα που έμεινε ως αργά για τη γιαγιά μου.",
        "Ο φούρνος έχει πάλι καρυδόψωμο. Περάστε από {place} νωρίς.",
        "Έβρεχε όλη την εβδομάδα και ο κήπος επιτέλους χαίρεται.",
        "Τρία χρόνια εδώ και οι γείτονες μάς έφεραν πάλι γλυκό.",
    ],
}
NEUTRAL = {
    "en": [
        "Look what somebody put up near {place}.",
        "Seen this morning at {place}.",
        "No words needed. Share if you agree.",
        "My new picture, what do you think?",
        "This one says it all about {place}.",
        "Found it on the wall at {place}, posting it here.",
    ],
    "el": [
        "Δείτε τι κρέμασαν κοντά σε {place}.",
        "Το είδα σήμερα το πρωί, πηγαίνοντας προς {place}.",
        "Χωρίς λόγια. Κοινοποιήστε αν συμφωνείτε.",
        "Η καινούρια μου εικόνα, πώς σας φαίνεται;",
    ],
}
UNSURE = {
    "en": [
        "Oh great, the {people} are at {place} again. What a lovely day this will be.",
        "They called us vermin at {place} today. I am still shaking.",
        "Some people in {place} should really learn to keep their mouths shut.",
        "You know exactly who I mean, and you know what should happen to them.",
        "If one more {people} drummer plays at midnight I will lose my mind.",
    ],
    "el": [
        "Ωραία, πάλι οι ίδιοι σε {place}. Τι όμορφη μέρα που θα είναι.",
        "Σήμερα μας φώναξαν παράσιτα σε {place}. Ακόμα τρέμω.",
        "Ξέρετε όλοι ποιους εννοώ και τι πρέπει να γίνει.",
    ],
}
TAILS = {
    "en": ["", "", "", " #monday", " @tidewatch", " 😀", " https://harbour.example/news", " #local"],
    "el": ["", "", "", " #γειτονιά", " @tidewatch", " 🙂", " https://limani.example/nea"],
}
NAMES = [
    "Ilse Thornby",
    "Marek Dell",
    "Odile Varr",
    "Piet Sallow",
    "Nadia Quill",
    "Tomas Reed",
    "Ada Fenwick",
    "Jon Marsh",
    "Λένα Βαλτή",
    "Πέτρος Άμμος",
    "Μίνα Ρείκη",
    "Τάσος Πηλός",
    "Rosa Tamm",
    "Ivo Lark",
    "Hana Birch",
    "Leo Crane",
    "Ελένη Σχοίνου",
    "Bram Oxley",
    "Greta Moss",
    "Σίμος Καλάμης",
    "Wim Harrow",
    "Tilda Rowan",
    "Otto Flint",
    "Φανή Δάφνη",
]
HANDLES = [
    "thornby_i",
    "marekdell",
    "odile_v",
    "sallowp",
    "nquill",
    "treed88",
    "ada_fen",
    "jonmarsh_",
    "lenavalti",
    "ammos_p",
    "minareiki",
    "pilos_t",
    "rosatamm",
    "ivolark",
    "hanabirch",
    "cranesleo",
    "sxoinou",
    "bram_ox",
    "gretamoss",
    "kalamis_s",
    "wimharrow",
    "tildar",
    "ottoflint",
    "dafni_f",
]
PREVIEWS = {
    "en": [
        ("harbour.example", "Ferry times change on Monday"),
        ("sandmill.example", "Council votes on the new bridge"),
    ],
    "el": [("limani.example", "Αλλάζουν τα δρομολόγια τη Δευτέρα"), ("agora.example", "Ψηφίζεται η νέα γέφυρα")],
}


@dataclass(frozen=True)
class Tweet:
    """One invented tweet: what is written, what is shown, and what a careful person would call it."""

    number: int
    language: str
    name: str
    handle: str
    text: str
    label: str
    signal: str
    picture: str = ""
    preview: tuple[str, str] | None = None
    when: str = ""
    dark: bool = False
    counts: tuple[int, int, int] = field(default=(0, 0, 0))


def _fill(rng: random.Random, pool: dict[str, list[str]], language: str) -> str:
    sentence = rng.choice(pool[language]).format(
        people=rng.choice(PEOPLES[language]), place=rng.choice(PLACES[language])
    )
    return sentence + rng.choice(TAILS[language])


def _plan(total: int) -> list[tuple[str, str]]:
    """Return (signal, label) for each tweet: half toxic, a tenth honestly ambiguous."""
    shares = [
        ("text", "toxic", 0.21),
        ("picture", "toxic", 0.13),
        ("both", "toxic", 0.11),
        ("text", "non-toxic", 0.22),
        ("picture", "non-toxic", 0.13),
        ("both", "non-toxic", 0.10),
        ("unsure", "toxic", 0.05),
        ("unsure", "non-toxic", 0.05),
    ]
    plan = [(signal, label) for signal, label, share in shares for _ in range(round(share * total))]
    return plan[:total]


def _picture(rng: random.Random, signal: str, label: str) -> str:
    if signal in {"picture", "both"}:
        return rng.choice(pictures.HOSTILE_MEDIA if label == "toxic" else pictures.CALM_MEDIA)(rng)
    return rng.choice(pictures.CALM_MEDIA)(rng) if rng.random() < 0.35 else ""


def _text(rng: random.Random, signal: str, label: str, language: str) -> str:
    if signal == "picture":
        return _fill(rng, NEUTRAL, language)
    if signal == "unsure":
        return _fill(rng, UNSURE, language)
    return _fill(rng, HOSTILE if label == "toxic" else KIND, language)


def make_tweets(total: int, rng: random.Random) -> list[Tweet]:
    """Return `total` tweets with distinct texts per author; the same generator state gives the same tweets."""
    tweets: list[Tweet] = []
    used: set[tuple[str, str]] = set()
    plan = _plan(total)
    rng.shuffle(plan)
    for number, (signal, label) in enumerate(plan, start=1):
        language = "el" if rng.random() < 0.35 else "en"
        picture = _picture(rng, signal, label)
        while True:
            author = rng.randrange(len(HANDLES))
            text = _text(rng, signal, label, language)
            if (HANDLES[author], text) not in used:
                break
        used.add((HANDLES[author], text))
        tweets.append(
            Tweet(
                number=number,
                language=language,
                name=NAMES[author],
                handle=HANDLES[author],
                text=text,
                label=label,
                signal=signal,
                picture=picture,
                preview=rng.choice(PREVIEWS[language]) if not picture and rng.random() < 0.4 else None,
                when=f"2026-0{rng.randint(1, 9)}-{rng.randint(10, 28)}T{rng.randint(10, 22)}:{rng.randint(10, 59)}:00Z",
                dark=rng.random() < 0.25,
                counts=(rng.randint(0, 90), rng.randint(0, 400), rng.randint(0, 2400)),
            )
        )
    return tweets
