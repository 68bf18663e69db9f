"""W2 under the signal `custom_action`: our button stands once at each place in Clio and leads to us, or is taken away."""

from collections.abc import Sequence
from typing import Any

from orchestrator.domain.custom_actions import LABEL, PATH, PLACES, CustomAction, Deed, is_ours, plan
from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import Effect, Intent, Unneeded, step
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.jobs import Job
from orchestrator.storage.unit_of_work import Work

PURPOSE = "approve"
BUTTONS_REFUSED = "buttons_refused"


def button_url(rt: Runtime) -> str:
    """Where the buttons lead: an address that nobody can guess, and that stays as long as our key and public address do."""
    return f"{rt.settings.public_address}{PATH}{rt.cipher.path(PURPOSE)}"


def wanted(rt: Runtime) -> bool:
    """Whether the firm approves by the button."""
    return rt.settings.approval.signal == "custom_action" and not rt.settings.dry_run


def see_to_buttons(rt: Runtime, work: Work, *, slot: str) -> None:
    """Have the buttons looked after, if there are or should be any: a firm that never had one is not asked about it."""
    if wanted(rt) or work.presses.buttons():
        work.jobs.add("buttons.upkeep", slot)


def keep_buttons(job: Job, rt: Runtime) -> None:
    """Compare the buttons at Clio with those we want: create, lead elsewhere, or delete; told once where we may not."""
    try:
        found = rt.practice(Urgency(job.urgency)).custom_actions()
    except Rejected as refusal:
        with step(rt, job) as work:
            _tell_refused(work, refusal)
        return
    with step(rt, job) as work:
        _set_about(rt, work, job, found)


def _set_about(rt: Runtime, work: Work, job: Job, found: Sequence[CustomAction]) -> None:
    rows = compared(rt, found)
    for row in rows:
        place, url, button = row["place"], row["url"], row["button"]
        match row["deed"]:
            case "create":
                work.jobs.add("button.create", place, job.key, place=place, url=url)
            case "move":
                work.jobs.add("button.move", place, job.key, place=place, url=url)
            case "keep":
                work.presses.made(place, clio_id=button.id, url=url)
        for spare in row["delete"]:
            work.jobs.add("button.delete", spare.id, job.key, place=place, clio_id=spare.id)
    if all(row["deed"] in ("keep", "none") for row in rows):
        work.exceptions.close(BUTTONS_REFUSED, "clio")
    if not wanted(rt):
        there = {one.id for one in found}
        for known in work.presses.buttons().values():
            if known["clio_id"] not in there:
                work.presses.removed(known["clio_id"])


def _tell_refused(work: Work, refusal: Rejected) -> str:
    work.exceptions.open(BUTTONS_REFUSED, "clio", f"No button can be looked after: {refusal}")
    return BUTTONS_REFUSED


def compared(rt: Runtime, found: Sequence[CustomAction]) -> list[dict[str, Any]]:
    """What each place needs now: `deed` create, move, keep or none, the button it is about, and those to delete."""
    url = button_url(rt)
    rows = []
    for place in PLACES:
        needed = plan(place, found, url=url)
        on = wanted(rt)
        ours = (needed.button,) if needed.button is not None else ()
        rows.append({
            "place": place, "url": url, "deed": needed.deed.value if on else "none", "button": needed.button,
            "delete": needed.spare if on else (*ours, *needed.spare),
        })  # fmt: skip
    return rows


def show_buttons(rt: Runtime) -> list[dict[str, Any]]:
    """Each place, the button that stands there, where it leads, and what upkeep would do."""
    rows = compared(rt, rt.practice(Urgency.INTERACTIVE).custom_actions())
    return [
        {
            "place": row["place"], "clio_id": row["button"].id if row["button"] else None,
            "leads_to": row["button"].target_url if row["button"] else None, "wanted": row["url"] if wanted(rt) else None,
            "would": "delete" if row["deed"] == "none" and row["delete"] else row["deed"],
        }
        for row in rows
    ]  # fmt: skip


def ask_for_buttons(rt: Runtime, *, by: str) -> bool:
    """Have the buttons looked after now; False when there are none and should be none."""
    with rt.uow() as work:
        if not wanted(rt) and not work.presses.buttons():
            return False
        work.jobs.add("buttons.upkeep", "asked", work.now.isoformat())
        work.audit.line("buttons.asked", "custom_action", "all", actor=by)
        return True


class _Button(Effect[CustomAction]):
    """One button at Clio; looking reads all of them, so a search before sending would only read them again."""

    sees_itself = True

    def found(self) -> list[CustomAction]:
        return self.rt.practice(Urgency(self.job.urgency)).custom_actions()

    def led(self, found: Sequence[CustomAction], url: str) -> list[CustomAction]:
        """Ours at this place that lead there."""
        return [one for one in found if is_ours(one, self.job.payload["place"]) and one.target_url == url]

    def record(self, work: Work, intent: Intent, made: CustomAction) -> None:
        place = self.job.payload["place"]
        work.presses.made(place, clio_id=made.id, url=made.target_url)
        work.exceptions.close(BUTTONS_REFUSED, "clio")
        work.audit.line("button.led_here", "custom_action", made.id, place=place, new="button" not in intent)

    def refused(self, work: Work, refusal: Rejected) -> str | None:
        return _tell_refused(work, refusal)


class CreateButton(_Button):
    """A button where there is none."""

    def look(self) -> Intent | Unneeded:
        payload = self.job.payload
        if not wanted(self.rt) or payload["url"] != button_url(self.rt):
            return Unneeded("button_unwanted")
        if plan(payload["place"], self.found(), url=payload["url"]).deed is not Deed.CREATE:
            return Unneeded("button_there")
        return {"place": payload["place"], "url": payload["url"]}

    def send(self, intent: Intent) -> CustomAction:
        practice = self.rt.practice(Urgency(self.job.urgency))
        return practice.create_custom_action(label=LABEL, target_url=intent["url"], place=intent["place"])

    def search(self, intent: Intent) -> Sequence[CustomAction]:
        return self.led(self.found(), intent["url"])


class MoveButton(_Button):
    """Another address for a button that stands: the public address, or the key behind ours, has changed."""

    def look(self) -> Intent | Unneeded:
        payload = self.job.payload
        if not wanted(self.rt) or payload["url"] != button_url(self.rt):
            return Unneeded("button_unwanted")
        needed = plan(payload["place"], self.found(), url=payload["url"])
        if needed.deed is not Deed.MOVE or needed.button is None:
            return Unneeded("button_there")
        return {"button": needed.button.id, "etag": needed.button.etag, "url": payload["url"]}

    def send(self, intent: Intent) -> CustomAction:
        practice = self.rt.practice(Urgency(self.job.urgency))
        return practice.move_custom_action(intent["button"], intent["etag"], intent["url"])

    def search(self, intent: Intent) -> Sequence[CustomAction]:
        return self.led(self.found(), intent["url"])


class DeleteButton(Effect[int]):
    """The end of a button that is used no more."""

    sees_itself = True

    def look(self) -> Intent | Unneeded:
        return {"clio_id": self.job.payload["clio_id"]} if self._there() else Unneeded("button_unwanted")

    def send(self, intent: Intent) -> int:
        self.rt.practice(Urgency(self.job.urgency)).delete_custom_action(intent["clio_id"])
        return int(intent["clio_id"])

    def search(self, intent: Intent) -> Sequence[int]:
        return [] if self._there() else [intent["clio_id"]]

    def record(self, work: Work, intent: Intent, made: int) -> None:  # noqa: ARG002
        work.presses.removed(made)
        work.audit.line("button.deleted", "custom_action", made, place=self.job.payload["place"])

    def unneeded(self, work: Work, reason: str) -> None:  # noqa: ARG002
        work.presses.removed(self.job.payload["clio_id"])

    def refused(self, work: Work, refusal: Rejected) -> str | None:  # noqa: ARG002
        return "button_unwanted" if refusal.reason == "clio_not_found" else None

    def _there(self) -> bool:
        buttons = self.rt.practice(Urgency(self.job.urgency)).custom_actions()
        return any(one.id == self.job.payload["clio_id"] for one in buttons)
