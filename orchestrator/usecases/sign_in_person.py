"""A person of the firm signs in with Clio, so that Clio can confirm what that person presses."""

import hashlib
from datetime import timedelta
from typing import Any

from orchestrator.domain.accounts import Connection
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.usecases.connect_clio import ANSWER_WITHIN

FORGOTTEN_AFTER = timedelta(hours=1)


def begin_sign_in(rt: Runtime) -> tuple[str, str]:
    """A state, for the browser to keep, and where it is sent; only an answer with that state from that browser counts."""
    state = rt.cipher.nonce()
    url = rt.people.sign_in_url(state) if rt.people is not None else None
    if url is None:
        raise Rejected("There is no app to sign in to.", reason="press_no_app")
    with rt.uow(quietly=True) as work:
        work.presses.begin_sign_in(_digest(state), forget=work.now - FORGOTTEN_AFTER)
    return state, url


def finish_sign_in(rt: Runtime, *, state: str, code: str) -> dict[str, Any] | None:
    """Keep the sign-in of whoever agreed; None when no sign-in of this state is under way, `Rejected` when it is not wanted."""
    if rt.people is None:
        return None
    with rt.uow(quietly=True) as work:
        if not work.presses.end_sign_in(_digest(state), since=work.now - ANSWER_WITHIN):
            return None

    def of_this_firm(found: Connection) -> None:
        with rt.read() as work:
            known = work.connections.known("clio")
        if known is None or known.account_id != found.account_id:
            raise Rejected("That user belongs to another Clio account.", reason="wrong_account")

    person = rt.people.sign_in(code, of_this_firm)
    with rt.uow() as work:
        work.presses.signed_in(person.user_id, person.user_name)
        work.audit.line("person.signed_in", "clio_user", person.user_id, actor=f"clio-user:{person.user_id}")
    return {"user_id": person.user_id, "name": person.user_name}


def decline_sign_in(rt: Runtime, *, state: str) -> bool:
    """Forget a sign-in that the person declined; False when there is none under way."""
    with rt.uow(quietly=True) as work:
        return work.presses.end_sign_in(_digest(state), since=work.now - ANSWER_WITHIN)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
