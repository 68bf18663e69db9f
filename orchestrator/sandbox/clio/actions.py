"""Buttons of an application in Clio's own pages: its endpoints, the pressing of one, and the proof that goes with it."""

from datetime import timedelta
from urllib.parse import urlencode

from orchestrator.sandbox.clio import bodies
from orchestrator.sandbox.clio.call import Call, Reply
from orchestrator.sandbox.firm.books import Books, Nonce
from orchestrator.sandbox.firm.money import Activity
from orchestrator.sandbox.firm.things import CustomAction, Facts, Matter, User
from orchestrator.sandbox.refusal import Refusal, unprocessable
from orchestrator.sandbox.webhooks import address

NONCE_LIFE = timedelta(seconds=60)
PLACES: dict[str, tuple[str, type[Matter] | type[Activity]]] = {
    "matters/show": ("matters", Matter),
    "activities/show": ("activities", Activity),
}


def create_action(call: Call) -> Reply:
    """A label is there once for each place and user."""
    given = call.read(bodies.NewCustomAction)
    address(given.target_url)
    same = (given.label, given.ui_reference, call.user)
    if same in {(one.label, one.ui_reference, one.user) for one in call.books.table(CustomAction).values()}:
        raise unprocessable("label has already been taken.")
    action = CustomAction(
        label=given.label, target_url=given.target_url, ui_reference=given.ui_reference, user=call.user
    )
    call.books.add(action)
    call.books.journal.add(
        "custom_action.created", action.id, by="app", url=action.target_url, place=action.ui_reference
    )
    return call.show(action, 201)


def change_action(call: Call) -> Reply:
    action = call.to_change(CustomAction)
    given = call.read(bodies.CustomActionChange).given()
    if "target_url" in given:
        address(given["target_url"])
    for name, value in given.items():
        setattr(action, name, value)
    call.books.touch(action)
    call.books.journal.add("custom_action.patched", action.id, by="app", url=action.target_url)
    return call.show(action)


def press(books: Books, action: CustomAction, user: User, subject_id: int) -> str:
    """Where Clio opens a new tab when this user presses the button on this record."""
    path, kind = PLACES[action.ui_reference]
    books.get(kind, subject_id)
    word = books.token(32)
    books.nonces[word] = Nonce(user.id, books.clock.now() + NONCE_LIFE)
    told = {
        "custom_action_id": action.id,
        "user_id": user.id,
        "subject_url": f"/api/v4/{path}/{subject_id}",
        "custom_action_nonce": word,
    }
    return f"{action.target_url}{'&' if '?' in action.target_url else '?'}{urlencode(told)}"


def press_action(books: Books, facts: Facts) -> Facts:
    """A user presses a button on a matter or on an entry; the answer is the address that the browser is sent to."""
    place = "activities/show" if "entry_id" in facts else "matters/show"
    subject = facts["entry_id"] if place == "activities/show" else facts["matter_id"]
    action = next((one for one in books.table(CustomAction).values() if one.ui_reference == place), None)
    if action is None:
        raise unprocessable(f"There is no button on {place}.")
    return {"id": action.id, "url": press(books, action, books.get(User, facts["user_id"]), int(subject))}


def prove(books: Books, word: str | None, user: User | None) -> None:
    """Spend the nonce that a request carries; an error when it is over, was used, or is another user's."""
    if word is None:
        return
    nonce = books.nonces.pop(word, None)
    if nonce is None or user is None or nonce.user_id != user.id or nonce.ends_at <= books.clock.now():
        raise Refusal(403, "The custom action nonce is not valid for this user.")
