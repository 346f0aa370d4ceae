from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.intake.capture.extract_prices import currency_of, price_of, stated_price


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("1.234,56 €", "1234.56", "EUR"),
        ("$1,234.56", "1234.56", "USD"),
        ("12,990 円", "12990", "JPY"),
        ("12,990", "12990", ""),
        ("CHF 19.–", "19", "CHF"),
        ("1 299,00 zł", "1299.00", "PLN"),
        ("1\u202f299,00 €", "1299.00", "EUR"),
        ("1'299.50 CHF", "1299.50", "CHF"),
        ("R$ 1.759,99", "1759.99", "BRL"),
        ("Rs 23,450", "23450", "INR"),
        ("₹2,433", "2433", "INR"),
        ("1.250 €", "1250", "EUR"),
        ("1.250 KWD", "1.250", "KWD"),
        ("€0.999", "0.999", "EUR"),
        ("US $12.99", "12.99", "USD"),
        ("1.234.567 VND", "1234567", "VND"),
        ("٩٩ ر.س", "99", "SAR"),
        ("Only 3 left! Now 49,90 €", "49.90", "EUR"),
        ("Lei 173,34", "173.34", "RON"),
        ("119,-", "119", ""),
    ],
)
def test_common_spellings(text: str, amount: str, currency: str) -> None:
    found = price_of(text)
    assert found is not None
    assert (found.amount, found.currency) == (amount, currency)


@pytest.mark.parametrize("text", ["", "free", "3 for 2", "€", "1" * 300 + " €"])
def test_no_price_where_there_is_none(text: str) -> None:
    assert price_of(text) is None


def test_machines_mean_a_decimal_dot() -> None:
    stated = stated_price("23.450", "PKR")
    seen = price_of("23.450 PKR")
    assert stated is not None
    assert seen is not None
    assert (stated.amount, seen.amount) == ("23.450", "23450")


@pytest.mark.parametrize(
    ("text", "url", "code"),
    [
        ("$", "", "USD"),
        ("$", "https://shop.cl/x", "CLP"),
        ("$", "https://shop.ca/", "CAD"),
        ("C$", "https://shop.com/", "CAD"),
        ("kr", "https://shop.no/", "NOK"),
        ("Rs", "https://shop.pk/", "PKR"),
        ("usd", "", "USD"),
        ("knapp", "", ""),
        ("XXX", "", ""),
        ("$", "http://[", "USD"),
    ],
)
def test_currencies_that_several_countries_share(text: str, url: str, code: str) -> None:
    assert currency_of(text, url) == code


@settings(max_examples=50)
@given(st.decimals(min_value=Decimal("0.01"), max_value=Decimal("99999999.99"), places=2))
def test_every_amount_reads_the_same_in_either_spelling(amount: Decimal) -> None:
    english = f"€{amount:,.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    for text in (english, german, english.replace(",", " "), german.replace(".", "\u00a0")):
        found = price_of(text)
        assert found is not None
        assert Decimal(found.amount) == amount


@settings(max_examples=50)
@given(st.text(max_size=80))
def test_no_text_breaks_it(text: str) -> None:
    for found in (price_of(text), stated_price(text, text, text)):
        assert found is None or Decimal(found.amount) >= 0
