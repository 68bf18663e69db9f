"""Letters in a real browser: nothing sticks out on a small phone or is lost on a desk. Skipped where there is no Chromium."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.delivery import gallery
from orchestrator.delivery.letters import TemplateLetters
from orchestrator.domain.letters import Brand

TEMPLATES = Path(__file__).parents[2] / "config" / "templates"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = "--headless=new --no-sandbox --disable-gpu --no-first-run --disable-background-networking --virtual-time-budget=5000"
MEASURE = """<script>onload = () => document.body.innerHTML = JSON.stringify([...document.querySelectorAll("iframe")].map(f => {
  const page = f.contentDocument, button = page.querySelector(".pay a");
  return {name: f.title, width: f.clientWidth, wide: page.documentElement.scrollWidth, h1: page.querySelector("h1").offsetWidth,
          button: button ? button.offsetHeight : 44};
}))</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_a_letter_fits_a_phone_and_a_desk(tmp_path):
    brand = Brand(
        "Hart & Lane LLP", "billing@hartlane.example", phone="+1 415 555 0134", address="100 Main Street, Suite 4"
    )
    letters = TemplateLetters(TEMPLATES, brand, ("clio.com",))
    shown = gallery.show(
        letters, tmp_path, templates=["invoice", "reminder_link", "replenish", "trust_notice"], locales=["en-US", "fr-CA"],
        brands=letters.brands, currency="CAD", host="clio.com",
    )  # fmt: skip
    frames = "".join(
        f'<iframe title="{one.html}" style="width:{width}px;border:0" srcdoc="{html.escape((tmp_path / one.html).read_text("utf-8"))}"></iframe>'
        for one in shown
        for width in (320, 360, 1280)
    )
    sheet = tmp_path / "sheet.html"
    sheet.write_text(f'<!doctype html><meta charset="utf-8"><body>{frames}</body>{MEASURE}', encoding="utf-8")
    done = subprocess.run(
        [str(CHROMIUM), *FLAGS.split(), f"--user-data-dir={tmp_path}/profile", "--dump-dom", sheet.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    [said] = re.findall(r"<body>(\[.*\])</body>", done.stdout)
    measured = json.loads(html.unescape(said))
    assert len(measured) == len(shown) * 3
    for page in measured:
        assert page["wide"] <= page["width"], page
        assert page["h1"] >= 200, page
        assert page["button"] >= 44, page  # a thumb's width
