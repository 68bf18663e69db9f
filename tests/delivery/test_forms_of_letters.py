"""Regional forms, brands and the headers that a firm sets; and a page that everybody can read."""

import email
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from email.policy import default
from pathlib import Path

import pytest

from orchestrator.delivery.letters import TemplateLetters
from orchestrator.domain.letters import Brand, BrandRule, DueBill, Headers, Letter, Reminder
from orchestrator.domain.money import Money
from orchestrator.errors import Rejected

TEMPLATES = Path(__file__).parents[2] / "config" / "templates"
NOW = datetime(2026, 11, 5, 9, 30, tzinfo=UTC)
BRAND = Brand("Hart & Lane LLP", "billing@hartlane.example", phone="+1 415 555 0134")
LETTER = Letter(
    step="invoice", matter_types=(), to="ana@client.example", client_name="Ana Müller", bill_id=7, bill_number="1042",
    matter_number="00012", amount=Money(123_450), due_on=date(2026, 12, 4), issued_on=date(2026, 11, 4),
    pay_url="https://app.pay.example/link/3f9a", key="ab" * 32,
)  # fmt: skip
BILL = DueBill(7, "1042", "00012", Money(123_450), date(2026, 9, 29), date(2026, 10, 29), 7, LETTER.pay_url)
REMINDER = Reminder("reminder", (), LETTER.to, "Ana Müller", (BILL, replace(BILL, bill_id=8)), None, "cd" * 32)


def letters(brand: Brand = BRAND, **more) -> TemplateLetters:
    return TemplateLetters(TEMPLATES, brand, ("pay.example",), **more)


def message(finished):
    return email.message_from_bytes(finished.message, policy=default)


def html(finished) -> str:
    return message(finished).get_body(("html",)).get_content()


FORMS = {
    "en-US": ("Dear Ana Müller,", "$1,234.50", "December 4, 2026", "Sincerely,"),
    "en-CA": ("Dear Ana Müller,", "US$1,234.50", "December 4, 2026", "Yours truly,"),
    "fr-CA": ("Bonjour Ana Müller,", "1\xa0234,50\xa0$\xa0US", "4 décembre 2026", "salutations distinguées"),
    "en-GB": ("Dear Ana Müller,", "US$1,234.50", "4 December 2026", "Yours sincerely,"),
    "en-AU": ("Dear Ana Müller,", "1,234.50", "4 December 2026", "Kind regards,"),
}


@pytest.mark.parametrize("locale", FORMS)
def test_each_region_has_its_own_words_money_and_dates(locale):
    firm_s, client_s = (
        letters(replace(BRAND, locale=locale)).write(LETTER, now=NOW),
        letters().write(replace(LETTER, region=locale), now=NOW),
    )
    assert firm_s.text == client_s.text
    for said in FORMS[locale]:
        assert said in firm_s.text
    assert f'<html lang="{locale}"' in html(firm_s)
    assert message(firm_s)["Content-Language"] == locale


@pytest.mark.parametrize("region", ["de-DE", "klingon", "", None])
def test_a_client_whose_language_has_no_words_reads_the_firm_s(region):
    assert "Dear Ana Müller," in letters().write(replace(LETTER, region=region), now=NOW).text


def test_a_firm_cannot_write_in_a_language_without_words():
    with pytest.raises(Rejected, match="'invoice' in de-DE"):
        letters(replace(BRAND, locale="de-DE"))


RULES = (
    BrandRule(replace(BRAND, firm_name="Hart Estates", colour="#7a1f3d"), practice_area="Estates"),
    BrandRule(
        replace(BRAND, firm_name="Hart et Lane", locale="fr-CA", footer=("Barreau du Québec, no 1234",)),
        office="Montréal",
    ),
)


@pytest.mark.parametrize(
    ("matter_types", "office", "name"),
    [
        (("Estates", "hourly"), None, "Hart Estates"),
        (("estates",), "Montréal", "Hart Estates"),
        (("Family Law",), "montréal", "Hart et Lane"),
        (("Family Law",), "Austin", "Hart & Lane LLP"),
        ((), None, "Hart & Lane LLP"),
    ],
)
def test_the_first_rule_that_fits_a_matter_says_in_whose_name_the_letter_is(matter_types, office, name):
    finished = letters(rules=RULES).write(replace(LETTER, matter_types=matter_types, office=office), now=NOW)
    assert name in finished.subject
    assert message(finished)["From"].addresses[0].display_name == name


def test_a_brand_has_its_language_and_the_lines_that_must_stand_under_a_letter():
    finished = letters(rules=RULES).remind(replace(REMINDER, office="Montréal"), now=NOW)
    assert finished.text.endswith("Barreau du Québec, no 1234\n")
    assert "Barreau du Québec" in html(finished)
    assert finished.subject == "Rappel\xa0: 2 factures de Hart et Lane"


def test_a_brand_that_cannot_work_is_refused_at_start_wherever_it_stands():
    with pytest.raises(Rejected):
        letters(rules=(BrandRule(replace(BRAND, colour="red"), office="Austin"),))


def test_a_house_adds_words_of_its_own(tmp_path):
    for path in TEMPLATES.rglob("*.*"):
        copy = tmp_path / path.relative_to(TEMPLATES)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    (tmp_path / "hart" / "en").mkdir(parents=True)
    (tmp_path / "hart" / "en" / "words.toml").write_text('closing = "With kind regards from all of us,"')
    ours = TemplateLetters(tmp_path, replace(BRAND, words="hart"), ("pay.example",))
    assert "With kind regards from all of us," in ours.write(LETTER, now=NOW).text
    assert "Sincerely," in TemplateLetters(tmp_path, BRAND, ("pay.example",)).write(LETTER, now=NOW).text


# ── headers ──


def test_a_message_about_a_bill_has_no_unsubscribe_button_unless_the_firm_wants_one():
    assert message(letters().write(LETTER, now=NOW))["List-Unsubscribe"] is None
    wanted = message(letters(headers=Headers(unsubscribe="stop@hartlane.example")).write(LETTER, now=NOW))
    assert wanted["List-Unsubscribe"] == "<mailto:stop@hartlane.example>"
    assert wanted["List-Unsubscribe-Post"] is None


def test_f80_an_unsubscribe_address_is_an_address_that_no_scanner_can_follow():
    with pytest.raises(Rejected):
        letters(headers=Headers(unsubscribe="https://hartlane.example/stop"))


def test_f75_the_relay_is_told_the_letter_s_key_under_the_name_it_knows():
    assert message(letters().write(LETTER, now=NOW))["X-Idempotency-Key"] is None
    told = message(letters(headers=Headers(key="X-Idempotency-Key")).write(LETTER, now=NOW))
    assert told["X-Idempotency-Key"] == LETTER.key


# ── a page that everybody can read ──

LAYOUT = (TEMPLATES / "layout.html").read_text(encoding="utf-8")


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_words_contrast_with_what_is_behind_them_by_day_and_by_night():
    """WCAG 1.4.3."""
    day, night = LAYOUT.split("prefers-color-scheme: dark")
    for part in (day, night):
        inks = re.findall(r"[{;] ?color: (#[0-9a-f]{6})", part)
        papers = re.findall(r"background: (#[0-9a-f]{6})", part)
        assert len(inks) >= 2
        assert len(papers) == 2
        assert min(contrast(ink, paper) for ink in inks for paper in papers) >= 4.5


def test_a_table_says_what_its_cells_are_about():
    page = html(letters().remind(REMINDER, now=NOW))
    assert page.count('<th scope="col">') == 2
    assert page.count('<th scope="row">') == 2
    assert page.count("<td>") == 2


@pytest.mark.parametrize(
    "finished", [letters().write(LETTER, now=NOW), letters().remind(REMINDER, now=NOW)], ids=["invoice", "reminder"]
)
def test_a_page_loads_nothing_and_follows_nobody(finished):
    page = html(finished)
    assert not re.search(r"<(img|script|link|iframe|form|object|video)\b", page)
    assert not re.search(r"url\(|@import|src=", page)
    assert len(re.findall(r"<h1\b", page)) == 1
    assert 'name="viewport"' in page
