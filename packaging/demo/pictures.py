"""Pictures drawn as SVG: the media of the demo's tweets and the photographs of its products.

Every picture is a function of a random generator, so that no two look alike, and returns one SVG element of
viewBox 0 0 400 300. Nothing shows a real person, people, brand or sign.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

Picture = Callable[[random.Random], str]

SKIES = ["#bcd7ea", "#f3d9b1", "#d9cfe8", "#cfe5d6", "#f1c9c0"]
CALM = ["#4e7f8c", "#7a9e7e", "#a6826b", "#6c7aa8", "#b08a3e", "#8a6f8f"]
PLAIN = ["#f4f1ec", "#eceff2", "#f2eee6", "#e9eee9", "#f0ecf0"]


def _svg(body: str, background: str) -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 300" preserveAspectRatio="xMidYMid slice">'
        f'<rect width="400" height="300" fill="{background}"/>{body}</svg>'
    )


def _jitter(rng: random.Random, body: str) -> str:
    angle, dx, dy = rng.uniform(-7, 7), rng.uniform(-16, 16), rng.uniform(-10, 10)
    scale = rng.uniform(0.86, 1.1)
    return (
        f'<g transform="translate({200 + dx:.1f} {150 + dy:.1f}) rotate({angle:.1f}) scale({scale:.2f}) '
        f'translate(-200 -150)">{body}</g>'
    )


# --- tweets: calm pictures ----------------------------------------------------------------------------------------


def hills(rng: random.Random) -> str:
    """A landscape with a sun."""
    near, far = rng.sample(CALM, 2)
    x, peak = rng.randint(60, 340), rng.randint(90, 150)
    return _svg(
        f'<circle cx="{x}" cy="70" r="{rng.randint(22, 38)}" fill="#f6e7a8"/>'
        f'<path d="M0 {peak + 60} Q 110 {peak} 220 {peak + 50} T 400 {peak + 30} V300 H0Z" fill="{far}" opacity=".7"/>'
        f'<path d="M0 {peak + 110} Q 130 {peak + 50} 260 {peak + 100} T 400 {peak + 80} V300 H0Z" fill="{near}"/>',
        rng.choice(SKIES),
    )


def bowl(rng: random.Random) -> str:
    """A bowl of soup, seen from the side, with steam."""
    colour = rng.choice(CALM)
    steam = "".join(
        f'<path d="M{150 + 50 * k} 110 q 14 -22 0 -44 t 0 -40" stroke="#fff" stroke-width="6" fill="none" opacity=".8"/>'
        for k in range(3)
    )
    return _svg(
        _jitter(
            rng,
            f'<ellipse cx="200" cy="150" rx="120" ry="26" fill="#d88b4a"/>'
            f'<path d="M80 150 Q 90 250 200 252 Q 310 250 320 150 Z" fill="{colour}"/>{steam}',
        ),
        rng.choice(SKIES),
    )


def cat(rng: random.Random) -> str:
    """A cat's face."""
    fur = rng.choice(["#6b5b4d", "#c9a27a", "#8d8d92", "#3f3a3a"])
    return _svg(
        _jitter(
            rng,
            f'<path d="M120 130 L130 50 L185 95Z M280 130 L270 50 L215 95Z" fill="{fur}"/>'
            f'<circle cx="200" cy="160" r="88" fill="{fur}"/>'
            '<ellipse cx="168" cy="148" rx="12" ry="17" fill="#e9f2c5"/><ellipse cx="232" cy="148" rx="12" ry="17" '
            'fill="#e9f2c5"/><circle cx="168" cy="150" r="6"/><circle cx="232" cy="150" r="6"/>'
            '<path d="M190 182h20l-10 12z" fill="#e5a5a5"/>',
        ),
        rng.choice(SKIES),
    )


def skyline(rng: random.Random) -> str:
    """A row of houses with lit windows."""
    houses, x = [], 0
    while x < 400:
        w, h = rng.randint(40, 80), rng.randint(90, 210)
        houses.append(f'<rect x="{x}" y="{300 - h}" width="{w}" height="{h}" fill="{rng.choice(CALM)}"/>')
        houses.extend(
            f'<rect x="{x + 8 + 18 * i}" y="{312 - h + 26 * j}" width="9" height="12" fill="#f7ecc0" opacity=".8"/>'
            for i in range((w - 10) // 18)
            for j in range((h - 20) // 26)
        )
        x += w
    return _svg("".join(houses), rng.choice(SKIES))


def tomato(rng: random.Random) -> str:
    """A ripe tomato: round and red, and no threat to anybody."""
    return _svg(
        _jitter(
            rng,
            '<circle cx="200" cy="165" r="90" fill="#cf3f34"/><path d="M200 80 l12 22 30-10 -18 26 24 16 -34 2 -14 28 '
            '-14-28 -34-2 24-16 -18-26 30 10z" fill="#4f7d45"/>',
        ),
        rng.choice(PLAIN),
    )


def bicycle(rng: random.Random) -> str:
    """A bicycle."""
    c = rng.choice(CALM)
    return _svg(
        _jitter(
            rng,
            f'<g fill="none" stroke="{c}" stroke-width="9"><circle cx="110" cy="195" r="58"/>'
            '<circle cx="290" cy="195" r="58"/><path d="M110 195 L165 110 L245 110 L200 195 Z L110 195 M245 110 L290 195 '
            'M245 110 l-8 -32 h32 M165 110 l-8 -22 h-22"/></g>',
        ),
        rng.choice(PLAIN),
    )


CALM_MEDIA: list[Picture] = [hills, bowl, cat, skyline, tomato, bicycle]

# --- tweets: hostile pictures -------------------------------------------------------------------------------------


def _emblem(x: float, y: float, r: float, points: int, colour: str) -> str:
    """The sign of an invented people: a rosette of petals."""
    petals = "".join(
        f'<ellipse cx="{x + r * 0.55 * math.cos(a):.1f}" cy="{y + r * 0.55 * math.sin(a):.1f}" rx="{r * 0.42:.1f}" '
        f'ry="{r * 0.2:.1f}" transform="rotate({math.degrees(a):.1f} {x + r * 0.55 * math.cos(a):.1f} '
        f'{y + r * 0.55 * math.sin(a):.1f})"/>'
        for a in (2 * math.pi * k / points for k in range(points))
    )
    return f'<g fill="{colour}">{petals}<circle cx="{x}" cy="{y}" r="{r * 0.2:.1f}"/></g>'


def _sign(rng: random.Random, r: float = 80) -> str:
    return _emblem(200, 150, r, rng.choice([5, 6, 7, 8]), rng.choice(["#e8e2cf", "#d6c48f", "#c9d3da"]))


DARK = ["#2a1f1f", "#1f1c22", "#33201a", "#26211c"]


def crossed_out(rng: random.Random) -> str:
    """The people's sign struck through in red."""
    bar = rng.choice(["M125 75 L275 225", "M275 75 L125 225"])
    return _svg(
        _jitter(
            rng,
            _sign(rng)
            + f'<circle cx="200" cy="150" r="108" fill="none" stroke="#c8281e" stroke-width="20"/><path d="{bar}" '
            'stroke="#c8281e" stroke-width="20"/>',
        ),
        rng.choice(DARK),
    )


def in_flames(rng: random.Random) -> str:
    """The people's sign on fire."""
    flames = "".join(
        f'<path d="M{x} 300 q -26 -{h} 6 -{h + 50} q 2 40 22 56 q 18 -30 8 -64 q 52 60 20 {h}z" '
        f'fill="{rng.choice(["#e2571e", "#f08c2b", "#c8281e"])}" opacity=".92"/>'
        for x, h in ((40 + 58 * k, rng.randint(70, 130)) for k in range(6))
    )
    return _svg(_sign(rng, 92) + flames, rng.choice(DARK))


def boot(rng: random.Random) -> str:
    """A boot coming down on the people's sign."""
    return _svg(
        f'<g transform="translate(0 70)">{_sign(rng, 70)}</g>'
        + _jitter(
            rng,
            '<path d="M150 -20 h80 v110 q 70 14 92 52 v26 h-172z" fill="#4a4038"/>'
            '<path d="M146 168 h182 v22 h-182z" fill="#181412"/>',
        ),
        rng.choice(DARK),
    )


HOSTILE_MEDIA: list[Picture] = [crossed_out, in_flames, boot]

# --- products -----------------------------------------------------------------------------------------------------


def _product(body: str) -> Picture:
    def draw(rng: random.Random) -> str:
        return _svg(_jitter(rng, body.replace("@", rng.choice(CALM))), rng.choice(PLAIN))

    return draw


MUG = _product(
    '<path d="M120 80 h140 v130 q0 30 -30 30 h-80 q-30 0 -30 -30z" fill="@"/>'
    '<path d="M260 110 h26 q30 0 30 36 t-30 36 h-26" fill="none" stroke="@" stroke-width="16"/>'
)
LAMP = _product(
    '<path d="M150 60 h100 l40 90 h-180z" fill="@"/><path d="M196 150 h8 v90 h-8z" fill="#777"/>'
    '<ellipse cx="200" cy="246" rx="60" ry="12" fill="#777"/>'
)
CHAIR = _product(
    '<path d="M130 40 h18 v110 h104 v-110 h18 v220 h-18 v-80 h-104 v80 h-18z" fill="@"/>'
    '<rect x="124" y="146" width="152" height="20" fill="#5b4636"/>'
)
SHOE = _product(
    '<path d="M70 190 q 10 -80 60 -90 q 30 40 70 44 q 90 16 130 40 q 16 12 12 34 h-272z" fill="@"/>'
    '<path d="M66 214 h278 v20 h-278z" fill="#eee" stroke="#999"/>'
)
BACKPACK = _product(
    '<rect x="120" y="70" width="160" height="180" rx="44" fill="@"/><rect x="148" y="160" width="104" height="66" rx="12" '
    'fill="#0003"/><path d="M170 72 q0 -40 30 -40 t30 40" fill="none" stroke="#555" stroke-width="10"/>'
)
PLANT = _product(
    '<path d="M150 180 h100 l-14 76 h-72z" fill="#b5653c"/><path d="M200 180 q-80 -20 -74 -100 q60 10 74 100 q-6 -100 30 -130 '
    'q30 70 -30 130 q30 -60 84 -56 q-10 56 -84 56" fill="#5d8a55"/>'
)
BOOK = _product(
    '<path d="M110 60 h150 q20 0 20 20 v160 h-150 q-20 0 -20 -20z" fill="@"/><path d="M132 84 h110 M132 106 h80" '
    'stroke="#fff9" stroke-width="9"/><path d="M112 222 h166 v16 h-150z" fill="#f6f2e4"/>'
)
LAPTOP = _product(
    '<rect x="100" y="60" width="200" height="130" rx="8" fill="#3b4149"/><rect x="112" y="72" width="176" height="106" '
    'fill="@"/><path d="M70 196 h260 l16 30 h-292z" fill="#8b9097"/>'
)
KNIFE = _product(
    '<path d="M60 160 q 60 -56 190 -50 v50z" fill="#aeb6bd" stroke="#69727a" stroke-width="3"/>'
    '<rect x="250" y="104" width="96" height="44" rx="10" fill="#332b26"/><path d="M246 92 h10 v72 h-10z" fill="#5a5047"/>'
)
CROSSBOW = _product(
    '<rect x="186" y="60" width="28" height="200" fill="#57432f"/><path d="M70 110 q130 -90 260 0" fill="none" '
    'stroke="#2d2a28" stroke-width="12"/><path d="M70 110 L200 190 L330 110" fill="none" stroke="#555" stroke-width="4"/>'
)
CIGARETTES = _product(
    '<rect x="140" y="100" width="120" height="150" fill="#e8e3da" stroke="#999"/><rect x="140" y="160" width="120" height="90" '
    'fill="@"/><g fill="#fff" stroke="#bbb"><rect x="156" y="50" width="18" height="60"/><rect x="184" y="40" width="18" '
    'height="70"/><rect x="212" y="54" width="18" height="56"/></g><g fill="#d6a25a"><rect x="156" y="50" width="18" '
    'height="20"/><rect x="184" y="40" width="18" height="20"/><rect x="212" y="54" width="18" height="20"/></g>'
)
PILLS = _product(
    '<rect x="150" y="90" width="100" height="160" rx="12" fill="#d98236"/><rect x="142" y="60" width="116" height="40" rx="6" '
    'fill="#f4f4f4" stroke="#aaa"/><rect x="150" y="140" width="100" height="60" fill="#fff"/><path d="M190 150 h20 v14 h14 v14 '
    'h-14 v14 h-20 v-14 h-14 v-14 h14z" fill="#b23a3a"/>'
)
BOTTLE = _product(
    '<path d="M182 30 h36 v70 q34 20 34 60 v100 h-104 v-100 q0 -40 34 -60z" fill="#4b6b3c"/><rect x="148" y="170" width="104" '
    'height="60" fill="#eee2c0"/><path d="M186 24 h28 v16 h-28z" fill="#7a2f2f"/>'
)
DRUM = _product(
    '<rect x="120" y="60" width="160" height="200" rx="14" fill="#2f5e8c"/><path d="M200 96 l56 56 -56 56 -56 -56z" fill="#f2c230" '
    'stroke="#111" stroke-width="6"/><path d="M194 122 h12 v40 h-12z M194 172 h12 v12 h-12z"/>'
)
TUSK = _product(
    '<path d="M90 230 q 10 -170 190 -190 q -110 50 -120 190z" fill="#efe6cf" stroke="#b9ab84" stroke-width="4"/>'
    '<path d="M84 226 h84 v24 h-84z" fill="#6d5436"/>'
)
CERTIFICATE = _product(
    '<rect x="80" y="60" width="240" height="180" fill="#fbf6e3" stroke="#b59a52" stroke-width="8"/><path d="M120 100 h160 '
    'M140 126 h120 M140 146 h120" stroke="#8a8371" stroke-width="7"/><circle cx="270" cy="196" r="26" fill="#b23a3a"/>'
    '<path d="M256 214 l-8 40 22 -14 22 14 -8 -40z" fill="#b23a3a"/>'
)
HANDBAG = _product(
    '<path d="M100 130 h200 l24 120 h-248z" fill="#6d4a33"/><path d="M150 130 q0 -80 50 -80 t50 80" fill="none" stroke="#6d4a33" '
    'stroke-width="12"/><g fill="#d8b25a"><circle cx="200" cy="186" r="20"/><circle cx="150" cy="220" r="7"/><circle cx="250" '
    'cy="220" r="7"/><circle cx="150" cy="160" r="7"/><circle cx="250" cy="160" r="7"/></g>'
)
POWDER = _product(
    '<path d="M120 80 h160 v160 q-80 24 -160 0z" fill="#dfe8ee" stroke="#9fb2bf" stroke-width="4" opacity=".9"/><path d="M124 190 '
    'q40 -40 76 -20 t76 4 v62 q-76 20 -152 0z" fill="#fff"/><path d="M120 80 h160 v18 h-160z" fill="#4a90c4"/>'
)
SKIMMER = _product(
    '<rect x="110" y="80" width="180" height="130" rx="10" fill="#25282c"/><rect x="130" y="100" width="140" height="14" fill="#0b0c0d"/>'
    '<rect x="150" y="40" width="110" height="70" rx="8" fill="@" transform="rotate(-8 200 80)"/><circle cx="150" cy="180" r="8" '
    'fill="#c8281e"/><path d="M180 172 h90 v16 h-90z" fill="#555"/>'
)
FLAG = _product(
    '<rect x="96" y="40" width="12" height="230" fill="#6b5a43"/><path d="M108 50 q60 -20 110 0 t110 0 v120 q-60 20 -110 0 t-110 0z" '
    'fill="#231f20"/><path d="M218 70 l16 40 h42 l-34 26 12 40 -36 -24 -36 24 12 -40 -34 -26 h42z" fill="#c8281e"/>'
)
GREY_BOX = _product(
    '<path d="M120 110 l80 -36 80 36 v100 l-80 36 -80 -36z" fill="#c7c7c7" stroke="#888" stroke-width="4"/><path d="M120 110 l80 36 '
    '80 -36 M200 146 v100" stroke="#888" stroke-width="4" fill="none"/><text x="150" y="206" font-size="34" font-family="monospace" '
    'fill="#777" transform="skewY(20) translate(0 -62)">TEST</text>'
)
CARTON = _product(
    '<path d="M110 120 l90 -40 90 40 v100 l-90 40 -90 -40z" fill="#c9a878" stroke="#94774b" stroke-width="4"/><path d="M110 120 l90 40 '
    '90 -40 M200 160 v100 M150 100 l94 42 v36" stroke="#94774b" stroke-width="4" fill="none"/>'
)
FIREWORKS = _product(
    '<g fill="#b8332a"><rect x="130" y="90" width="34" height="160"/><rect x="183" y="70" width="34" height="180"/><rect x="236" '
    'y="90" width="34" height="160"/></g><g fill="#f2c230"><path d="M130 90 l17 -40 17 40z M183 70 l17 -44 17 44z M236 90 l17 -40 17 '
    '40z"/></g>'
)


def mosaic(rng: random.Random) -> str:
    """A picture that the shop has pixelated, with an 18+ badge."""
    skin = ["#d8a48f", "#c98f7c", "#e3b8a4", "#b87f6e", "#edc9b8", "#a86f66"]
    cells = "".join(
        f'<rect x="{40 * i}" y="{37.5 * j}" width="41" height="38.5" fill="{rng.choice(skin)}"/>'
        for i in range(10)
        for j in range(8)
    )
    return _svg(
        cells + '<circle cx="330" cy="60" r="40" fill="#fff"/><text x="330" y="74" font-size="38" font-weight="700" '
        'text-anchor="middle" font-family="sans-serif" fill="#c8281e">18+</text>',
        "#d8a48f",
    )
