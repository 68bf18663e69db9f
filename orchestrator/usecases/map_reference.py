"""W11: the lookup table moves with Clio and with what people say, and whatever that explains is looked at anew."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from orchestrator.domain.matters import Matter
from orchestrator.domain.references import LONGEST, Ambiguous, Provider, ReferenceKind, Resolution, Resolved
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.references import Entry
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.rerun_breaks import reopen
from orchestrator.usecases.trial import trial

OPERATOR = "operator"
SEARCHED = (Provider.LAWPAY, Provider.BANK)
"""Where texts come from that no id stands beside."""


def keep_numbers(work: Work, matters: Iterable[Matter], *, source: str = "clio") -> int:
    """Bring the numbers of these matters up to date; returns of how many matters something changed."""
    changed = work.references.keep(matters, source=source)
    for one in changed:
        if one.ended:
            work.audit.line("matter.renumbered", "matter", one.matter_id, before=list(one.ended), after=list(one.new))
    explained(work, (reference for one in changed for reference in one.new))
    return len(changed)


def explained(work: Work, references: Iterable[str]) -> int:
    """Have every break looked at again that one of these texts may explain; returns how many there were."""
    texts = list(references)
    return reopen(work, *texts) if texts else 0


def map_reference(
    rt: Runtime, reference: str, matter_id: int, *, provider: str, by: str, source: str = OPERATOR, note: str = "",
    dry_run: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Keep the word of `by` that this text names this matter; `Rejected` says why not.

    Returns what the text meant before, and how many breaks are looked at again.
    """
    text = reference.strip()
    with trial(rt, dry_run=dry_run) as work:
        if (fault := fault_of(text)) is not None:
            raise Rejected(fault)
        require_matter(work, matter_id)
        standing = work.references.mapping(provider, text)
        if standing is not None and standing["matter_id"] != matter_id:
            raise Rejected(
                f"{text!r} is mapped to matter {standing['matter_id']}: take that back first "
                f"(`orchestrator matters unmap`), or name another --provider."
            )
        before = work.references.resolve(provider, text)
        new = work.references.add(Entry(provider, ReferenceKind.MAPPED, text, matter_id), source=source)
        reopened = 0
        if new:
            work.audit.line(
                "reference.mapped", "matter", matter_id, actor=by, provider=provider, reference=text, source=source,
                before=said(before), why=note,
            )  # fmt: skip
            reopened = explained(work, [text])
    return {
        "dry_run": dry_run, "reference": text, "provider": provider, "matter_id": matter_id, "new": new,
        "before": said(before), "reopened": reopened,
    }  # fmt: skip


def unmap_reference(
    rt: Runtime, reference: str, *, matter_id: int | None, provider: str, by: str, note: str = "", dry_run: bool = False
) -> dict[str, Any]:
    """Take back what people said of this text, or an old number of `matter_id`; `Rejected` when Clio itself says it."""
    text = reference.strip()
    with trial(rt, dry_run=dry_run) as work:
        lines = [row for row in work.references.written(text) if row["reference"] == text]
        mine = [row for row in lines if matter_id is None or row["matter_id"] == matter_id]
        words = [row for row in mine if row["kind"] == ReferenceKind.MAPPED and row["provider"] == provider]
        aliases = [row for row in mine if row["kind"] != ReferenceKind.MAPPED and not row["current"] and matter_id]
        if not words and not aliases:
            raise Rejected(_nothing_to_unmap(text, provider, [row for row in mine if row["current"]]))
        work.references.withdraw([row["id"] for row in (words or aliases)])
        after = work.references.resolve(provider, text)
        for row in words or aliases:
            work.audit.line(
                "reference.unmapped", "matter", row["matter_id"], actor=by, provider=row["provider"], reference=text,
                kind=row["kind"], after=said(after), why=note,
            )  # fmt: skip
        reopened = explained(work, [text])
    withdrawn = [{"matter_id": row["matter_id"], "kind": row["kind"]} for row in (words or aliases)]
    return {
        "dry_run": dry_run, "reference": text, "provider": provider, "withdrawn": withdrawn, "after": said(after),
        "reopened": reopened,
    }  # fmt: skip


def merge_matters(rt: Runtime, matter_id: int, *, into: int, by: str, dry_run: bool = False) -> dict[str, Any]:
    """Whatever names one matter, its own id too, names another from now on; nothing in Clio is touched."""
    with trial(rt, dry_run=dry_run) as work:
        if matter_id == into:
            raise Rejected("A matter is not merged into itself.")
        require_matter(work, matter_id)
        require_matter(work, into)
        texts = [row["reference"] for row in work.references.of_matter(matter_id) if row["withdrawn_at"] is None]
        moved = work.references.merge(matter_id, into=into, source=OPERATOR)
        work.audit.line("matter.merged", "matter", matter_id, actor=by, into=into, references=texts)
        reopened = explained(work, [*texts, str(matter_id)])
    return {"dry_run": dry_run, "matter_id": matter_id, "into": into, "moved": moved, "reopened": reopened}


def fault_of(text: str) -> str | None:
    """Why a text cannot stand in the table, in a sentence; None when it can."""
    if not text:
        return "An empty reference names nothing."
    if len(text) > LONGEST:
        return f"A reference has at most {LONGEST} characters; this one has {len(text)}."
    if not text.isprintable():
        return "A reference is one line of text; this one has characters in it that nobody sees."
    return None


def require_matter(work: Work, matter_id: int) -> None:
    """`Rejected` when we know of no such matter."""
    if matter_id not in work.mirror.matters([matter_id]):
        raise Rejected(
            f"Matter {matter_id} is not known here: give Clio's id of a matter, as in its address; "
            "`orchestrator matters backfill` reads every matter there is."
        )


def said(found: Resolution) -> dict[str, Any]:
    """An answer of the table as facts: outcome, and the matter with its rung, or the candidates."""
    outcome = "resolved" if isinstance(found, Resolved) else "ambiguous" if isinstance(found, Ambiguous) else "unknown"
    return {"outcome": outcome, **asdict(found)}


def _nothing_to_unmap(text: str, provider: str, current: list[Any]) -> str:
    if current:
        return (
            f"{text!r} is the {current[0]['kind'].replace('_', ' ')} of matter {current[0]['matter_id']} in Clio: "
            "change it there. An old number is taken back with --matter ID."
        )
    return f"Nobody mapped {text!r} (--provider {provider}): `orchestrator matters show` says what it means, and why."
