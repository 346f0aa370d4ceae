"""What the DSA Transparency Database takes in a statement of reasons: fields, values, lengths, and when each is due.

Source: the database's API documentation (transparency.dsa.ec.europa.eu/page/api-documentation, fields of API v1 since
1 July 2025) and the rules by which its public source code checks what is sent (`StatementStoreRequest`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

from engine.types import Struct

BATCH = 100
"""Statements that one call of the multiple endpoint takes."""

VISIBILITY = (
    "DECISION_VISIBILITY_CONTENT_AGE_RESTRICTED",
    "DECISION_VISIBILITY_CONTENT_DEMOTED",
    "DECISION_VISIBILITY_CONTENT_DISABLED",
    "DECISION_VISIBILITY_CONTENT_INTERACTION_RESTRICTED",
    "DECISION_VISIBILITY_CONTENT_LABELLED",
    "DECISION_VISIBILITY_CONTENT_REMOVED",
    "DECISION_VISIBILITY_OTHER",
)
MONETARY = (
    "DECISION_MONETARY_OTHER",
    "DECISION_MONETARY_SUSPENSION",
    "DECISION_MONETARY_TERMINATION",
)
PROVISION = (
    "DECISION_PROVISION_PARTIAL_SUSPENSION",
    "DECISION_PROVISION_PARTIAL_TERMINATION",
    "DECISION_PROVISION_TOTAL_SUSPENSION",
    "DECISION_PROVISION_TOTAL_TERMINATION",
)
ACCOUNT = (
    "DECISION_ACCOUNT_SUSPENDED",
    "DECISION_ACCOUNT_TERMINATED",
)
ACCOUNT_TYPE = (
    "ACCOUNT_TYPE_BUSINESS",
    "ACCOUNT_TYPE_PRIVATE",
)
GROUND = (
    "DECISION_GROUND_ILLEGAL_CONTENT",
    "DECISION_GROUND_INCOMPATIBLE_CONTENT",
)
CONTENT = (
    "CONTENT_TYPE_APP",
    "CONTENT_TYPE_AUDIO",
    "CONTENT_TYPE_IMAGE",
    "CONTENT_TYPE_OTHER",
    "CONTENT_TYPE_PRODUCT",
    "CONTENT_TYPE_SYNTHETIC_MEDIA",
    "CONTENT_TYPE_TEXT",
    "CONTENT_TYPE_VIDEO",
)
CATEGORY = (
    "STATEMENT_CATEGORY_ANIMAL_WELFARE",
    "STATEMENT_CATEGORY_CONSUMER_INFORMATION",
    "STATEMENT_CATEGORY_CYBER_VIOLENCE",
    "STATEMENT_CATEGORY_CYBER_VIOLENCE_AGAINST_WOMEN",
    "STATEMENT_CATEGORY_DATA_PROTECTION_AND_PRIVACY_VIOLATIONS",
    "STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH",
    "STATEMENT_CATEGORY_INTELLECTUAL_PROPERTY_INFRINGEMENTS",
    "STATEMENT_CATEGORY_NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS",
    "STATEMENT_CATEGORY_NOT_SPECIFIED_NOTICE",
    "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
    "STATEMENT_CATEGORY_PROTECTION_OF_MINORS",
    "STATEMENT_CATEGORY_RISK_FOR_PUBLIC_SECURITY",
    "STATEMENT_CATEGORY_SCAMS_AND_FRAUD",
    "STATEMENT_CATEGORY_SELF_HARM",
    "STATEMENT_CATEGORY_UNSAFE_AND_PROHIBITED_PRODUCTS",
    "STATEMENT_CATEGORY_VIOLENCE",
)
SOURCE = (
    "SOURCE_ARTICLE_16",
    "SOURCE_TRUSTED_FLAGGER",
    "SOURCE_TYPE_OTHER_NOTIFICATION",
    "SOURCE_VOLUNTARY",
)
AUTOMATED = (
    "AUTOMATED_DECISION_FULLY",
    "AUTOMATED_DECISION_NOT_AUTOMATED",
    "AUTOMATED_DECISION_PARTIALLY",
)
KEYWORD = (
    "KEYWORD_ADULT_SEXUAL_MATERIAL",
    "KEYWORD_AGE_SPECIFIC_RESTRICTIONS",
    "KEYWORD_AGE_SPECIFIC_RESTRICTIONS_MINORS",
    "KEYWORD_ANIMAL_HARM",
    "KEYWORD_BIOMETRIC_DATA_BREACH",
    "KEYWORD_BULLYING_AGAINST_GIRLS",
    "KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL",
    "KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL_DEEPFAKE",
    "KEYWORD_CONTENT_PROMOTING_EATING_DISORDERS",
    "KEYWORD_COORDINATED_HARM",
    "KEYWORD_COPYRIGHT_INFRINGEMENT",
    "KEYWORD_CYBER_BULLYING_INTIMIDATION",
    "KEYWORD_CYBER_HARASSMENT",
    "KEYWORD_CYBER_HARASSMENT_AGAINST_WOMEN",
    "KEYWORD_CYBER_INCITEMENT",
    "KEYWORD_CYBER_STALKING",
    "KEYWORD_CYBER_STALKING_AGAINST_WOMEN",
    "KEYWORD_DATA_FALSIFICATION",
    "KEYWORD_DEFAMATION",
    "KEYWORD_DESIGN_INFRINGEMENT",
    "KEYWORD_DISCRIMINATION",
    "KEYWORD_FEMALE_GENDERED_DISINFORMATION",
    "KEYWORD_GEOGRAPHICAL_REQUIREMENTS",
    "KEYWORD_GEOGRAPHIC_INDICATIONS_INFRINGEMENT",
    "KEYWORD_GOODS_SERVICES_NOT_PERMITTED",
    "KEYWORD_GROOMING_SEXUAL_ENTICEMENT_MINORS",
    "KEYWORD_HATE_SPEECH",
    "KEYWORD_HIDDEN_ADVERTISEMENT",
    "KEYWORD_HUMAN_EXPLOITATION",
    "KEYWORD_HUMAN_TRAFFICKING",
    "KEYWORD_ILLEGAL_ORGANIZATIONS",
    "KEYWORD_IMPERSONATION_ACCOUNT_HIJACKING",
    "KEYWORD_INAUTHENTIC_ACCOUNTS",
    "KEYWORD_INAUTHENTIC_LISTINGS",
    "KEYWORD_INAUTHENTIC_USER_REVIEWS",
    "KEYWORD_INCITEMENT_AGAINST_WOMEN",
    "KEYWORD_INCITEMENT_VIOLENCE_HATRED",
    "KEYWORD_INSUFFICIENT_INFORMATION_ON_TRADERS",
    "KEYWORD_LANGUAGE_REQUIREMENTS",
    "KEYWORD_MISINFORMATION_DISINFORMATION",
    "KEYWORD_MISLEADING_INFO_CONSUMER_RIGHTS",
    "KEYWORD_MISLEADING_INFO_GOODS_SERVICES",
    "KEYWORD_MISSING_PROCESSING_GROUND",
    "KEYWORD_NONCOMPLIANCE_PRICING",
    "KEYWORD_NON_CONSENSUAL_IMAGE_SHARING",
    "KEYWORD_NON_CONSENSUAL_IMAGE_SHARING_AGAINST_WOMEN",
    "KEYWORD_NON_CONSENSUAL_MATERIAL_DEEPFAKE",
    "KEYWORD_NON_CONSENSUAL_MATERIAL_DEEPFAKE_AGAINST_WOMEN",
    "KEYWORD_NUDITY",
    "KEYWORD_OTHER",
    "KEYWORD_PATENT_INFRINGEMENT",
    "KEYWORD_PHISHING",
    "KEYWORD_PROHIBITED_PRODUCTS",
    "KEYWORD_PYRAMID_SCHEMES",
    "KEYWORD_RIGHT_TO_BE_FORGOTTEN",
    "KEYWORD_RISK_ENVIRONMENTAL_DAMAGE",
    "KEYWORD_RISK_PUBLIC_HEALTH",
    "KEYWORD_SELF_MUTILATION",
    "KEYWORD_STALKING",
    "KEYWORD_SUICIDE",
    "KEYWORD_TERRORIST_CONTENT",
    "KEYWORD_TRADEMARK_INFRINGEMENT",
    "KEYWORD_TRADE_SECRET_INFRINGEMENT",
    "KEYWORD_TRAFFICKING_WOMEN_GIRLS",
    "KEYWORD_UNLAWFUL_SALE_ANIMALS",
    "KEYWORD_UNSAFE_CHALLENGES",
    "KEYWORD_UNSAFE_PRODUCTS",
    "KEYWORD_VIOLATION_EU_LAW",
    "KEYWORD_VIOLATION_NATIONAL_LAW",
)
COUNTRY = (
    "AT",
    "BE",
    "BG",
    "CY",
    "CZ",
    "DE",
    "DK",
    "EE",
    "ES",
    "FI",
    "FR",
    "GR",
    "HR",
    "HU",
    "IE",
    "IS",
    "IT",
    "LI",
    "LT",
    "LU",
    "LV",
    "MT",
    "NL",
    "NO",
    "PL",
    "PT",
    "RO",
    "SE",
    "SI",
    "SK",
)
YES_NO = ("Yes", "No")
ILLEGAL, INCOMPATIBLE = "DECISION_GROUND_ILLEGAL_CONTENT", "DECISION_GROUND_INCOMPATIBLE_CONTENT"
RESTRICTIONS = ("decision_visibility", "decision_monetary", "decision_provision", "decision_account")
"""At least one of them is due."""

Statement = dict[str, Any]


class Field(Struct, frozen=True, kw_only=True):
    """One field: `values` it may have (any text where empty), whether it is a list of them, the most characters.

    `pattern` is what all of the text must match. `free` marks text that people write, which must hold no personal data.
    """

    values: tuple[str, ...] = ()
    many: bool = False
    longest: int = 0
    date: bool = False
    free: bool = False
    pattern: str = ""


FIELDS = {
    "decision_visibility": Field(values=VISIBILITY, many=True),
    "decision_visibility_other": Field(longest=500, free=True),
    "decision_monetary": Field(values=MONETARY),
    "decision_monetary_other": Field(longest=500, free=True),
    "decision_provision": Field(values=PROVISION),
    "decision_account": Field(values=ACCOUNT),
    "account_type": Field(values=ACCOUNT_TYPE),
    "decision_ground": Field(values=GROUND),
    "decision_ground_reference_url": Field(longest=500, pattern=r"https?://\S+"),
    "illegal_content_legal_ground": Field(longest=500, free=True),
    "illegal_content_explanation": Field(longest=2000, free=True),
    "incompatible_content_ground": Field(longest=500, free=True),
    "incompatible_content_explanation": Field(longest=2000, free=True),
    "incompatible_content_illegal": Field(values=YES_NO),
    "content_type": Field(values=CONTENT, many=True),
    "content_type_other": Field(longest=500, free=True),
    "category": Field(values=CATEGORY),
    "category_addition": Field(values=CATEGORY, many=True),
    "category_specification": Field(values=KEYWORD, many=True),
    "category_specification_other": Field(longest=500, free=True),
    "territorial_scope": Field(values=COUNTRY, many=True),
    "content_language": Field(pattern="[A-Z]{2}"),
    "content_date": Field(date=True),
    "application_date": Field(date=True),
    "end_date_account_restriction": Field(date=True),
    "end_date_monetary_restriction": Field(date=True),
    "end_date_service_restriction": Field(date=True),
    "end_date_visibility_restriction": Field(date=True),
    "decision_facts": Field(longest=5000, free=True),
    "source_type": Field(values=SOURCE),
    "source_identity": Field(longest=500, free=True),
    "automated_detection": Field(values=YES_NO),
    "automated_decision": Field(values=AUTOMATED),
    "puid": Field(longest=500, pattern="[a-zA-Z0-9_-]+"),
}

DUE = (
    "decision_ground",
    "content_type",
    "category",
    "content_date",
    "application_date",
    "decision_facts",
    "source_type",
    "automated_detection",
    "automated_decision",
    "puid",
)

_Condition = Callable[[Statement], bool]


def _is(name: str, value: str) -> _Condition:
    return lambda one: one.get(name) == value or (isinstance(one.get(name), list) and value in one[name])


DUE_WHERE: dict[str, _Condition] = {
    "decision_visibility_other": _is("decision_visibility", "DECISION_VISIBILITY_OTHER"),
    "decision_monetary_other": _is("decision_monetary", "DECISION_MONETARY_OTHER"),
    "content_type_other": _is("content_type", "CONTENT_TYPE_OTHER"),
    "illegal_content_legal_ground": _is("decision_ground", ILLEGAL),
    "illegal_content_explanation": _is("decision_ground", ILLEGAL),
    "incompatible_content_ground": _is("decision_ground", INCOMPATIBLE),
    "incompatible_content_explanation": _is("decision_ground", INCOMPATIBLE),
}
"""Fields that are due under a condition, and dropped by the database where it does not hold."""

DROPPED_WHERE: dict[str, _Condition] = {
    **{name: lambda one, due=due: not due(one) for name, due in DUE_WHERE.items()},  # type: ignore[misc]
    "incompatible_content_illegal": lambda one: one.get("decision_ground") != INCOMPATIBLE,
    "source_identity": _is("source_type", "SOURCE_VOLUNTARY"),
}

_EARLIEST = {"content_date": date(2000, 1, 1), "application_date": date(2020, 1, 1)}
_LATEST = date(2038, 1, 1)


def problems(statement: Statement) -> list[str]:
    """Return everything for which the database would refuse a statement, one clause each."""
    found = [f"`{name}` is missing" for name in DUE if not statement.get(name)]
    if not any(statement.get(name) for name in RESTRICTIONS):
        found.append(f"none of {', '.join(RESTRICTIONS)} says what was decided")
    found += [f"`{name}` is missing" for name, due in DUE_WHERE.items() if due(statement) and not statement.get(name)]
    for name, value in statement.items():
        found += value_problems(name, value)
    return found


def value_problems(name: str, value: Any) -> list[str]:
    """Return what is wrong with one field's value."""
    field = FIELDS[name]
    if field.many != isinstance(value, list):
        return [f"`{name}` must be {'a list' if field.many else 'one value'}"]
    found = []
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, str):
            found.append(f"`{name}` must be text")
        elif field.values and one not in field.values:
            found.append(f"`{name}` cannot be '{one[:60]}'")
        elif field.longest and len(one) > field.longest:
            found.append(f"`{name}` has {len(one):,} characters; {field.longest:,} is the most")
        elif field.pattern and not re.fullmatch(field.pattern, one):
            found.append(f"`{name}` cannot be '{one[:60]}'")
        elif field.date and (problem := _date_problem(name, one)):
            found.append(problem)
    return found


def _date_problem(name: str, value: str) -> str:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return f"`{name}` '{value[:20]}' is no date like 2026-01-31"
    earliest = _EARLIEST.get(name, date.min)
    return "" if earliest <= day <= _LATEST else f"`{name}` {value} is not between {earliest} and {_LATEST}"
