"""A change that may be tried: a dry run takes the very path and gives the very answer, and leaves nothing."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from orchestrator.engine.runtime import Runtime
from orchestrator.storage.unit_of_work import Work


class _OnlyAsked(Exception):
    """Rolls the transaction back."""


@contextmanager
def trial(rt: Runtime, *, dry_run: bool) -> Iterator[Work]:
    """A writing transaction that is undone at its end when it was a dry run."""
    with suppress(_OnlyAsked), rt.uow() as work:
        yield work
        if dry_run:
            raise _OnlyAsked
