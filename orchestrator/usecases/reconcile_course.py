"""A run's way from its first comparison to its statement: small steps, each one transaction that also keeps the place.

Killed anywhere, it goes on at the last step that was committed and comes to the same end: a step depends on nothing but
the run's inputs and the steps before it (T42).
"""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

from orchestrator.domain.ladder import LADDER
from orchestrator.domain.matching import Leg
from orchestrator.errors import OrchestratorError
from orchestrator.usecases.clear_at_bank import AtBank
from orchestrator.usecases.climb_ladder import Ladder
from orchestrator.usecases.compare_ledgers import Ledgers
from orchestrator.usecases.end_run import Ending
from orchestrator.usecases.explain_leftovers import Leftovers


class RunTaken(OrchestratorError):
    """Another worker took the run further since this step began."""


class Course(Ladder, AtBank, Leftovers, Ledgers, Ending):
    """All phases of a run, in order, and the one that is next."""

    def step(self) -> tuple[int, int]:
        """Do the next page of work and keep the place; returns how many phases are over, and of how many."""
        phase, after = self._place["phase"], self._place["after"]
        following = self._phases[phase](after)
        over = following is None
        place = self._place | {"phase": phase + 1 if over else phase, "after": following}
        values: dict[str, Any] = {"place": place}
        if over and phase + 1 == len(self._phases):
            values |= self._ending()
        if not self._work.runs.step(self._run, **values):
            raise RunTaken("The run went on elsewhere.")
        return phase + over, len(self._phases)

    @cached_property
    def _phases(self) -> Sequence[Callable[[Any], Any]]:
        by_leg = {leg: [partial(self._climb, rule) for rule in LADDER[1:] if rule.leg is leg] for leg in Leg}
        ours = [self._settle, self._uncleared, self._pass_on]
        bank = [*ours, self._bank_references, self._bank_lines, *by_leg[Leg.BANK], self._slips]
        return [
            self._link,
            self._ledger,
            *by_leg[Leg.PROCESSOR][:1],
            self._unapplied,
            *by_leg[Leg.PROCESSOR][1:2],
            self._name,
            *by_leg[Leg.PROCESSOR][2:],
            self._came_and_went,
            *(bank if self._bank is not None else [self._pass_on]),
            partial(self._explain, Leg.PROCESSOR),
            *([partial(self._explain, Leg.BANK)] if self._bank is not None else [self._wait_for_bank]),
            self._foreign,
            *([self._in_ledgers, self._in_book, self._halves] if self._account.is_trust else []),
            self._negative,
            self._draws,
            self._after_lock,
            self._gather,
        ]
