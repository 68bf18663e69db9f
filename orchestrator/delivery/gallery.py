"""Every letter with made-up facts, as files that a person can look at before a client does."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

from orchestrator.delivery.letters import TemplateLetters
from orchestrator.delivery.templates import MARKUP
from orchestrator.domain.ids import effect_key
from orchestrator.domain.letters import BrandRule, DrawNotice, DueBill, Letter, Reminder, Wider
from orchestrator.domain.money import Money

TODAY = date(2026, 11, 5)

INDEX = MARKUP.from_string(Path(__file__).with_name("gallery.html").read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Shown:
    """One letter on show; `html` and `text` are names of files."""

    template: str
    case: str
    locale: str
    brand: str
    subject: str
    html: str
    text: str


def show(
    letters: TemplateLetters, folder: Path, *, templates: Iterable[str], locales: Sequence[str | None],
    brands: Sequence[BrandRule], currency: str, host: str,
) -> list[Shown]:  # fmt: skip
    """Write each letter in each language and brand to `folder`, and an `index.html`; a locale of None is the brand's own."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = []
    for step in templates:
        for number, rule in enumerate(brands):
            for region in locales:
                for case, letter in _cases(letters, step, currency, host):
                    theirs = replace(
                        letter, region=region, office=rule.office,
                        matter_types=(*((rule.practice_area,) if rule.practice_area else ()), *letter.matter_types),
                    )  # fmt: skip
                    name = "-".join((step, case.replace(" ", "-"), region or "own", str(number)))
                    locale, subject = _write(letters, folder / name, theirs)
                    firm = rule.brand.firm_name
                    shown.append(Shown(step, case, locale, firm, subject, f"{name}.html", f"{name}.txt"))
    (folder / "index.html").write_text(INDEX.render(shown=shown), encoding="utf-8")
    return shown


def _write(letters: TemplateLetters, path: Path, letter: Letter | Reminder) -> tuple[str, str]:
    """Write one letter as PATH.html and PATH.txt; returns its locale and its subject."""
    now = datetime(TODAY.year, TODAY.month, TODAY.day, 14, tzinfo=UTC)
    finished = letters.remind(letter, now=now) if isinstance(letter, Reminder) else letters.write(letter, now=now)
    message = message_from_bytes(finished.message, policy=policy.default)
    page = message.get_body(("html",))
    assert page is not None
    path.with_name(f"{path.name}.html").write_text(page.get_content(), encoding="utf-8")
    path.with_name(f"{path.name}.txt").write_text(finished.text, encoding="utf-8")
    return str(message["Content-Language"]), finished.subject


def _cases(letters: TemplateLetters, step: str, currency: str, host: str) -> Iterator[tuple[str, Letter | Reminder]]:
    link = f"https://{host}/pay/3f9a7c21-sample"
    matter_types = ("Family Law", "hourly")
    bill = DueBill(
        1042,
        "1042",
        "00012-Quill",
        Money(123_450, currency),
        TODAY - timedelta(37),
        TODAY - timedelta(7),
        7,
        link,
        step,
    )
    more = (
        bill,
        replace(bill, bill_id=1017, number="1017", amount=Money(49_95, currency), due_on=TODAY - timedelta(21),
                days_overdue=21, pay_url=f"{link}-2"),
        replace(bill, bill_id=998, number="998", matter_number="00007-Quill", amount=Money(1_020_000, currency),
                due_on=TODAY - timedelta(31), days_overdue=31, pay_url=f"{link}-3"),
    )  # fmt: skip
    if step == "invoices":
        one_link = tuple(replace(each, pay_url=None, step="invoice") for each in more)
        yield (
            "three bills one link",
            Reminder(step, matter_types, "ada@client.example", "Ada Quill", one_link, link, effect_key("sample", step)),
        )
        return
    if step.startswith(("invoice", "trust_notice")) and step != "invoices":
        letter = Letter(
            step, matter_types, "ada@client.example", "Ada Quill", 1042, "1042", "00012-Quill", bill.amount,
            TODAY + timedelta(30), TODAY, link, effect_key("sample", step),
        )  # fmt: skip
        if step == "trust_notice":
            items = ((TODAY - timedelta(9), 60_000), (TODAY - timedelta(8), 63_450))
            drawn = DrawNotice(TODAY + timedelta(10), Money(376_550, currency), items)
            yield "draw", replace(letter, due_on=None, pay_url="", draw=drawn)
            return
        yield "one bill", letter
        for variant in letters.pages.variants(step):
            yield variant, replace(letter, matter_types=(variant,))
        return
    reminder = Reminder(
        step, matter_types, "ada@client.example", "Ada Quill", (bill,), None, effect_key("sample", step)
    )
    yield "one bill", reminder
    yield "one bill without link", replace(reminder, bills=(replace(bill, pay_url=None),))
    yield "three bills with links", replace(reminder, bills=more)
    yield "three bills one link", replace(reminder, bills=more, pay_url=link)
    wider = Wider(("998", "1017", "1042"), Money(1_148_445, currency))
    yield "one bill link of three", replace(reminder, bills=(replace(bill, pay_url=None),), pay_url=link, wider=wider)
    yield "three bills some links", replace(reminder, bills=(*more[:2], replace(more[2], pay_url=None)))
    long = replace(
        bill, number="2026-000000-SUPPLEMENT-" + "7" * 17, matter_number="Quill Family Trust & Successors v. 1234"
    )
    yield (
        "long names",
        replace(reminder, client_name="Wolfeschlegelsteinhausenbergerdorff, " * 3, bills=(long, more[1])),
    )


def listed(shown: Iterable[Shown]) -> list[dict[str, str]]:
    return [asdict(one) for one in shown]
