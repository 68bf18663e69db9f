"""Every check in its order, each by itself: one that fails, hangs or cannot even begin never spoils another."""

import queue
import threading
from collections.abc import Iterator

from orchestrator.domain.reasons import advice
from orchestrator.errors import NeedsConnection, OrchestratorError, Paced
from orchestrator.usecases.doctor import abroad, house
from orchestrator.usecases.doctor.findings import Check, Finding, Level, Patient, problem, warning

TABLE: tuple[Check, ...] = (*house.CHECKS, *abroad.CHECKS)
DEADLINE_SECONDS = 20.0


def examine(patient: Patient, *, seconds: float = DEADLINE_SECONDS) -> Iterator[tuple[Check, Finding]]:
    """Look at everything, one after another; a check whose ground is missing is skipped, and says why."""
    levels: dict[str, Level] = {}
    for check in TABLE:
        unfit = check.needs is not None and levels[check.needs] in {Level.PROBLEM, Level.SKIPPED}
        found = (
            Finding(Level.SKIPPED, f"Not looked at: first mend “{check.needs}”.")
            if unfit
            else _within(check, patient, seconds)
        )
        levels[check.name] = found.level
        yield check, found


def _within(check: Check, patient: Patient, seconds: float) -> Finding:
    """A finding in time, whatever the check does; one that hangs is left behind."""
    said: queue.Queue[Finding] = queue.Queue()
    threading.Thread(target=lambda: said.put(_look(check, patient)), name=f"doctor-{check.name}", daemon=True).start()
    try:
        return said.get(timeout=seconds)
    except queue.Empty:
        return problem(f"No answer within {seconds:.0f} s.", "See whether it is overloaded or cut off by a firewall.")


def _look(check: Check, patient: Patient) -> Finding:
    try:
        return check.look(patient)
    except Paced as full:
        return warning(
            "Clio's request budget is used up at the moment.", f"Run this again in {full.retry_after or 60:.0f} s."
        )
    except NeedsConnection as lost:
        return problem(str(lost), advice(lost.notice) if lost.notice == "lawpay_key_refused" else abroad.CONNECT)
    except OrchestratorError as refusal:
        return problem(str(refusal), "Mend what it names and run this again.")
    except Exception as trouble:  # noqa: BLE001  a doctor who faints helps nobody
        # Of an error we know nothing about, the kind is safe to show; its text may hold anything.
        kind = type(getattr(trouble, "orig", None) or trouble).__name__
        return problem(f"It does not answer as it should ({kind}).", "See whether it is up and its address is right.")
