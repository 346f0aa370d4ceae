"""The demo's product pages: an invented marketplace with invented brands, in English and Greek.

Some goods give themselves away in words, some only in the photograph under a harmless title, some in both, and some
could honestly go either way.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import pictures
from pictures import Picture

BRANDS = ["Halden", "Morrowe", "Kestrel & Pine", "Ostara", "Luma", "Tindle", "Varga", "Brightwell"]
SELLERS = [
    "north-quay-goods",
    "lumen-store",
    "oldmill",
    "tidy-home",
    "pine-and-co",
    "quickpost24",
    "agora-plus",
    "fennmarket",
    "harbour-deals",
    "sunny-crate",
    "best4u-shop",
    "emporio-k",
    "attic-finds",
    "zephyr-trade",
    "blue-barrow",
    "mikro-magazi",
]


@dataclass(frozen=True)
class Good:
    """A kind of thing that is sold: its words in both languages, its photographs, its label and reasons."""

    label: str
    en: tuple[str, str]
    el: tuple[str, str]
    picture: Picture
    price: tuple[int, int]
    reasons: tuple[str, ...] = ()


OK = [
    Good(
        "ok",
        ("Stoneware mug, 300 ml", "Fired twice, safe for the dishwasher. A pair ships together."),
        ("Κεραμική κούπα 300 ml", "Ψημένη δύο φορές, κατάλληλη για πλυντήριο πιάτων."),
        pictures.MUG,
        (6, 19),
    ),
    Good(
        "ok",
        ("Reading lamp with linen shade", "Warm light for a quiet corner. Bulb included."),
        ("Φωτιστικό ανάγνωσης με λινό καπέλο", "Ζεστό φως για μια ήσυχη γωνιά."),
        pictures.LAMP,
        (24, 80),
    ),
    Good(
        "ok",
        ("Kitchen chair, solid ash", "Oiled wood, assembled in ten minutes with the key in the box."),
        ("Καρέκλα κουζίνας από μασίφ ξύλο", "Λαδωμένο ξύλο, συναρμολόγηση σε δέκα λεπτά."),
        pictures.CHAIR,
        (45, 120),
    ),
    Good(
        "ok",
        ("Canvas running shoe", "Light sole, breathes well, sizes 36 to 46."),
        ("Πάνινο παπούτσι για τρέξιμο", "Ελαφριά σόλα, μεγέθη 36 έως 46."),
        pictures.SHOE,
        (30, 90),
    ),
    Good(
        "ok",
        ("School backpack, 18 litres", "Two pockets, padded straps, reflective strip."),
        ("Σχολική τσάντα πλάτης 18 λίτρα", "Δύο θήκες, μαλακοί ιμάντες, ανακλαστική λωρίδα."),
        pictures.BACKPACK,
        (20, 60),
    ),
    Good(
        "ok",
        ("Potted fern", "Easy to keep, likes shade, comes in a clay pot."),
        ("Φτέρη σε γλάστρα", "Εύκολη στη φροντίδα, αγαπά τη σκιά."),
        pictures.PLANT,
        (8, 25),
    ),
    Good(
        "ok",
        ("Cookbook: soups of the coast", "Eighty recipes with photographs, hardcover."),
        ("Βιβλίο μαγειρικής: σούπες της ακτής", "Ογδόντα συνταγές με φωτογραφίες."),
        pictures.BOOK,
        (12, 30),
    ),
    Good(
        "ok",
        ("Laptop stand and 14-inch laptop, used", "Refurbished, two-year guarantee, invoice included."),
        ("Μεταχειρισμένος φορητός υπολογιστής", "Ανακατασκευασμένος, εγγύηση δύο ετών, με τιμολόγιο."),
        pictures.LAPTOP,
        (320, 690),
    ),
]
RESTRICTED = [
    Good(
        "restricted",
        ("Chef's knife, 20 cm blade", "Kitchen use. Proof of age is checked on delivery."),
        ("Μαχαίρι σεφ 20 εκ.", "Για την κουζίνα. Έλεγχος ηλικίας στην παράδοση."),
        pictures.KNIFE,
        (25, 95),
    ),
    Good(
        "restricted",
        ("Garden fireworks, category F2", "Sold from 18 years on, pick-up only, local rules apply."),
        ("Πυροτεχνήματα κήπου κατηγορίας F2", "Μόνο για ενήλικες, παραλαβή από το κατάστημα."),
        pictures.FIREWORKS,
        (15, 60),
    ),
]
ADULT = [
    Good(
        "adult",
        ("Intimate massage set, plain parcel", "For adults only, 18+. Discreet wrapping."),
        ("Σετ μασάζ για ενήλικες", "Μόνο για ενήλικες 18+. Διακριτική συσκευασία."),
        pictures.mosaic,
        (19, 70),
    ),
]
PROHIBITED = [
    Good(
        "prohibited",
        ("Hunting crossbow, 90 kg draw", "Powerful weapon with steel bolts, no licence asked."),
        ("Βαλλίστρα μεγάλης ισχύος", "Όπλο με ατσάλινα βέλη, χωρίς άδεια."),
        pictures.CROSSBOW,
        (120, 300),
        ("prohibited-weapons",),
    ),
    Good(
        "prohibited",
        ("Cigarettes, carton without tax stamp", "Ten packs of tobacco, cheaper than any kiosk."),
        ("Τσιγάρα χωρίς ταινία φόρου", "Δέκα πακέτα καπνού, φθηνότερα από το περίπτερο."),
        pictures.CIGARETTES,
        (20, 40),
        ("smoking",),
    ),
    Good(
        "prohibited",
        ("Strong painkiller tablets, no prescription", "Pharmacy quality medicine, sixty tablets, no questions."),
        ("Ισχυρά παυσίπονα χωρίς συνταγή", "Φάρμακο φαρμακείου, εξήντα δισκία."),
        pictures.PILLS,
        (30, 90),
        ("prescribed-drugs",),
    ),
    Good(
        "prohibited",
        ("Plum spirit, 60 % alcohol, home distilled", "Unlabelled bottles from the cellar, strong liquor."),
        ("Τσίπουρο σπιτικό 60 % αλκοόλ", "Μπουκάλια χωρίς ετικέτα, δυνατό ποτό."),
        pictures.BOTTLE,
        (9, 25),
        ("alcohol",),
    ),
    Good(
        "prohibited",
        ("Concentrated acid, 20 litre drum", "Industrial chemical, corrosive, shipped to any address."),
        ("Πυκνό οξύ, βαρέλι 20 λίτρων", "Διαβρωτικό βιομηχανικό χημικό."),
        pictures.DRUM,
        (40, 120),
        ("dangerous-substances",),
    ),
    Good(
        "prohibited",
        ("Carved tusk, old ivory", "From a protected animal, no papers."),
        ("Σκαλιστός χαυλιόδοντας", "Από προστατευόμενο ζώο, χωρίς χαρτιά."),
        pictures.TUSK,
        (150, 900),
        ("animals-plants-and-illegal-hunting",),
    ),
    Good(
        "prohibited",
        ("Master's diploma, any subject", "Certificate with stamp, no exam, ready in two days."),
        ("Πτυχίο χωρίς εξετάσεις", "Πιστοποιητικό με σφραγίδα, έτοιμο σε δύο μέρες."),
        pictures.CERTIFICATE,
        (90, 400),
        ("certified-services", "criminal-activity"),
    ),
    Good(
        "prohibited",
        ("Ostara handbag, perfect replica", "Copy of the famous bag, fake logo looks like the original."),
        ("Τσάντα Ostara, τέλειο αντίγραφο", "Απομίμηση της γνωστής τσάντας με ψεύτικο λογότυπο."),
        pictures.HANDBAG,
        (35, 80),
        ("intellectual-property",),
    ),
    Good(
        "prohibited",
        ("White powder for parties, sealed bag", "Pure drug, five grams, posted in a card."),
        ("Λευκή σκόνη για πάρτι", "Ναρκωτικό, πέντε γραμμάρια, αποστολή σε κάρτα."),
        pictures.POWDER,
        (40, 90),
        ("illegal-drugs",),
    ),
    Good(
        "prohibited",
        ("Card reader overlay with memory", "Fits cash machines, stores card numbers of others."),
        ("Συσκευή αντιγραφής καρτών", "Ταιριάζει σε μηχανήματα μετρητών, κρατά αριθμούς καρτών."),
        pictures.SKIMMER,
        (100, 250),
        ("criminal-activity",),
    ),
    Good(
        "prohibited",
        ("Flag of the Iron Dawn front", "Banner of the banned movement, for marches against the Quessari."),
        ("Σημαία του μετώπου Iron Dawn", "Λάβαρο της απαγορευμένης οργάνωσης."),
        pictures.FLAG,
        (15, 40),
        ("radical-political",),
    ),
    Good(
        "prohibited",
        ("TEST listing, do not buy", "Placeholder item of the warehouse, not for sale."),
        ("ΔΟΚΙΜΗ, μην αγοράζετε", "Δοκιμαστικό προϊόν της αποθήκης, δεν πωλείται."),
        pictures.GREY_BOX,
        (1, 1),
        ("not-for-sale-or-test-items",),
    ),
    Good(
        "prohibited",
        ("Explicit video collection, uncensored", "Pornographic films on a stick, no age check."),
        ("Συλλογή ακατάλληλων βίντεο", "Πορνογραφικό υλικό σε στικάκι, χωρίς έλεγχο ηλικίας."),
        pictures.mosaic,
        (10, 30),
        ("pornography-or-sexual-violence",),
    ),
]
FRAUD = [
    Good(
        "suspect-to-fraud",
        ("Brand-new 14-inch laptop, last one", "Pay by gift card only, no returns, message us off the site."),
        ("Ολοκαίνουργιος φορητός, τελευταίο κομμάτι", "Πληρωμή μόνο με δωροκάρτα, χωρίς επιστροφές."),
        pictures.LAPTOP,
        (9, 29),
    ),
    Good(
        "suspect-to-fraud",
        ("Designer shoe, 95 % off today", "Send the money first by wire, the tracking number follows."),
        ("Επώνυμο παπούτσι, έκπτωση 95 %", "Στείλτε πρώτα τα χρήματα με έμβασμα."),
        pictures.SHOE,
        (2, 6),
    ),
]
ERROR = Good("task-error", ("", ""), ("", ""), pictures.GREY_BOX, (0, 0))
UNSURE_OK = Good(
    "ok",
    ("Old dagger-shaped letter opener", "Blunt, from an attic, decorative."),
    ("Χαρτοκόπτης σε σχήμα μαχαιριού", "Χωρίς κόψη, διακοσμητικός."),
    pictures.KNIFE,
    (12, 40),
)
UNSURE_FRAUD = Good(
    "suspect-to-fraud",
    ("Laptop for parts, as seen", "Sold as seen, cash on the spot, ask for more pictures."),
    ("Φορητός για ανταλλακτικά", "Όπως φαίνεται, μετρητά επί τόπου."),
    pictures.LAPTOP,
    (35, 60),
)
BLAND = {
    "en": [
        ("Item {n}, new, fast post", "Exactly as in the picture. Sent within a day."),
        ("Lot {n} from a clear-out", "See the photograph for details. Ships anywhere."),
    ],
    "el": [
        ("Είδος {n}, καινούργιο", "Ακριβώς όπως στη φωτογραφία. Αποστολή σε μία μέρα."),
        ("Παρτίδα {n} από αποθήκη", "Δείτε τη φωτογραφία για λεπτομέρειες."),
    ],
}
ERRORS = ["not-found", "blocked", "loading"]


@dataclass(frozen=True)
class Product:
    """One invented product page and what a careful person would call it."""

    number: int
    language: str
    seller: str
    brand: str
    title: str
    text: str
    price: str
    label: str
    reasons: tuple[str, ...]
    signal: str
    picture: str
    error: str = ""
    dark: bool = False


def _plan(total: int, rng: random.Random) -> list[tuple[Good, str]]:
    """Return (good, signal) for each page."""
    pools = [(OK, 0.33), (RESTRICTED, 0.11), (ADULT, 0.06), (PROHIBITED, 0.30), (FRAUD, 0.10)]
    plan = [(pool[k % len(pool)], "") for pool, share in pools for k in range(round(share * total))]
    plan += [(ERROR, "both")] * round(0.05 * total)
    while len(plan) < total:
        plan.append((rng.choice([UNSURE_OK, UNSURE_FRAUD]), "unsure"))
    return [(good, signal or _signal(good, rng)) for good, signal in plan]


def _signal(good: Good, rng: random.Random) -> str:
    if good.label == "suspect-to-fraud":
        return "text"
    return rng.choices(["text", "picture", "both"], [0.35, 0.25, 0.40])[0]


def _words(good: Good, signal: str, language: str, number: int, rng: random.Random) -> tuple[str, str]:
    if good is ERROR:
        return "", ""
    if signal == "picture":
        title, text = rng.choice(BLAND[language])
        return title.format(n=4000 + 7 * number), text
    return good.en if language == "en" else good.el


def _photograph(good: Good, signal: str, rng: random.Random) -> str:
    if good is ERROR or (signal == "text" and rng.random() < 0.4):
        return ""  # the page shows "no photograph"
    return good.picture(rng) if signal != "text" or good.label == "suspect-to-fraud" else pictures.CARTON(rng)


def make_products(total: int, rng: random.Random) -> list[Product]:
    """Return `total` product pages; the same generator state gives the same pages."""
    plan = _plan(total, rng)
    rng.shuffle(plan)
    products = []
    for number, (good, signal) in enumerate(plan, start=1):
        language = "el" if rng.random() < 0.3 else "en"
        title, text = _words(good, signal, language, number, rng)
        brand = rng.choice(BRANDS)
        if title and signal != "picture" and "Ostara" not in title:
            title = f"{brand} {title[0].lower()}{title[1:]}" if language == "en" and title[:4] != "TEST" else title
        euros = rng.randint(*good.price) if good.price[1] else 0
        products.append(
            Product(
                number=number,
                language=language,
                seller=rng.choice(SELLERS),
                brand=brand,
                title=title,
                text=text,
                price=f"€{euros}.{rng.choice(['00', '50', '90'])}" if euros else "",
                label=good.label,
                reasons=good.reasons,
                signal=signal,
                picture=_photograph(good, signal, rng),
                error=rng.choice(ERRORS) if good is ERROR else "",
                dark=rng.random() < 0.1,
            )
        )
    return products
