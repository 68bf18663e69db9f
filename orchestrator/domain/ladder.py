"""The rungs: each says of a group what belongs together, what contradicts itself, and what it leaves to the next (F74)."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import partial
from itertools import groupby

from orchestrator.domain.matching import (
    COSTS,
    NOT_YET,
    SAME_MONEY_DAYS,
    SAME_REFERENCE,
    SAME_REFERENCE_DAYS,
    SET,
    WORTHLESS,
    Candidate,
    Difference,
    Item,
    Leg,
    Match,
    Named,
    Rule,
    Verdict,
    dollars,
    effective,
    only,
)
from orchestrator.domain.movements import MovementKind, MovementStatus

_PENDING = MovementStatus.PENDING.value


def _match(verdict: Verdict, rule: str, lefts: Sequence[Item], rights: Sequence[Item]) -> None:
    """They are the same money; of a payment that has not settled, no line of the bank's can be made yet."""
    pending = any(item.status == MovementStatus.PENDING.value for item in lefts)
    verdict.matches.append(Match(rule, _ids(lefts), _ids(rights), NOT_YET if pending else lefts[0].on))
    for mine, theirs in ((lefts, rights), (rights, lefts)):
        borne = any(item.source == "clio_ledger" and item.client_id is not None for item in theirs)
        verdict.costs += [item for item in mine if item.kind in COSTS and item.source != "clio_ledger" and borne]


def same_id(members: Sequence[Item], named: Named, verdict: Verdict) -> None:
    """A ledger line that names the transaction it belongs to: whatever else they say must agree."""
    if len(members) == 2:  # noqa: PLR2004  by far the most groups are one of each
        one, other = members
        if one.right != other.right:
            left, right = (other, one) if one.right else (one, other)
            if (
                left.amount_cents == right.amount_cents
                and left.status not in WORTHLESS
                and right.status not in WORTHLESS
            ):
                if _agree(left, right, named):
                    if left.status != _PENDING and left.kind not in COSTS:
                        verdict.matches.append(Match("exact_id", (left.id,), (right.id,), left.on))
                    else:
                        _match(verdict, "exact_id", (left,), (right,))
                else:
                    verdict.differences.append(_wrong_matter((left,), (right,), named))
                return
    lefts, rights = _sides(members)
    if not lefts or not rights:
        verdict.left_over += members
        return
    if _total(lefts) != _total(rights):
        # A refund's line may name the charge it takes back: it belongs to the refund, which later rules look for.
        back = [item for item in rights if item.amount_cents * lefts[0].amount_cents < 0]
        verdict.left_over += back
        rights = [item for item in rights if item not in back]
    if rights:
        _settle("exact_id", lefts, rights, named, verdict)
    else:
        verdict.left_over += lefts


def same_reference(members: Sequence[Item], named: Named, verdict: Verdict, *, sets: bool = False) -> None:
    """The same reference on both sides: pairs of the same amount first, then one for several, then what differs."""
    lefts, rights = _sides(members)
    if not lefts or not rights:
        verdict.left_over += members
        return
    rest: list[Item] = []
    for _, equals in groupby(sorted(members, key=_by_amount), key=lambda item: item.amount_cents):
        several = list(equals)
        if sets and len(several) > PAIR and _is_set(several, SAME_REFERENCE_DAYS):
            _match(verdict, f"{SAME_REFERENCE}{SET}", *_sides(several))
        else:
            rest += _pairs(SAME_REFERENCE, several, named, verdict, SAME_REFERENCE_DAYS, twice="duplicate")
    lefts, rights = _sides(rest)
    if lefts and rights and _near(rest, SAME_REFERENCE_DAYS):
        _settle(SAME_REFERENCE, lefts, rights, named, verdict)
    else:
        verdict.left_over += rest


def same_money(members: Sequence[Item], named: Named, verdict: Verdict) -> None:
    """The same amount for the same matter within days: only if there is no other it could be (F74)."""
    if members[0].key.endswith("|"):
        verdict.left_over += members  # of no matter that we know
        return
    rest = _of_bills(members, verdict)
    verdict.left_over += _pairs("amount_matter_days", rest, named, verdict, SAME_MONEY_DAYS, twice="ambiguous_match")


def _of_bills(members: Sequence[Item], verdict: Verdict) -> Sequence[Item]:
    """Match those that both sides put down to one bill, if it is the only such pair; returns the others.

    A client's bills of equal amount, paid on one day, differ in nothing else: Clio's ledger does not name the payment.
    """
    matched: set[int] = set()
    for bill_id in {item.bill_id for item in members if item.bill_id is not None}:
        mine = [item for item in members if item.bill_id == bill_id]
        lefts, rights = _sides(mine)
        if (
            len(lefts) == len(rights) == 1
            and effective(lefts[0]) == effective(rights[0])
            and _near(mine, SAME_MONEY_DAYS)
        ):
            _match(verdict, "amount_bill_days", lefts, rights)
            matched |= {item.id for item in mine}
    return [item for item in members if item.id not in matched]


def same_amount(members: Sequence[Item], named: Named, verdict: Verdict) -> None:
    """The same amount at the bank within days, which names no matter.

    Several equals on both sides are the same money as a set, whoever is whose: a pair would be guessed, and no matter depends
    on it. What one side has more of is left over, the newest: it is the last to be on its way.
    """
    for cluster in _clusters(sorted(members, key=_by_day), SAME_MONEY_DAYS):
        lefts, rights = _sides(cluster)
        several = min(len(lefts), len(rights))
        equals = several and len(cluster) > PAIR and [*lefts[:several], *rights[:several]]
        if equals and _each_near(lefts, rights, SAME_MONEY_DAYS) and _is_set(equals, SAME_MONEY_DAYS):
            _match(verdict, f"amount_days{SET}", lefts[:several], rights[:several])
            verdict.left_over += [*lefts[several:], *rights[several:]]
        else:
            verdict.left_over += _pairs(
                "amount_days", cluster, named, verdict, SAME_MONEY_DAYS, twice="ambiguous_match"
            )


PAIR = 2


MOST_IN_SET = 40
"""More on a side than this are looked at by a person: every one of a set is written down with every other."""


def _is_set(members: Sequence[Item], days: int) -> bool:
    """Whether these are as many on each side, all of one worth, and each near enough to be any other's half."""
    lefts, rights = _sides(members)
    return (
        0 < len(lefts) == len(rights) <= MOST_IN_SET
        and len({effective(item) for item in members}) == 1
        and _each_near(lefts, rights, days)
    )


def _each_near(lefts: Sequence[Item], rights: Sequence[Item], days: int) -> bool:
    """Whether every pair across lies within days; two of one side may lie further apart."""
    (first, last), (begin, end) = (
        (min(ons), max(ons)) for ons in ([one.on for one in side] for side in (lefts, rights))
    )
    return max((last - begin).days, (end - first).days) <= days


def summed(members: Sequence[Item], _named: Named, verdict: Verdict) -> None:
    """One movement of a matter that is the sum of all its lines on the other side within days, two or more."""
    lefts, rights = _sides(members)
    for few, many in ((lefts, rights), (rights, lefts)):
        if (
            len(few) == 1
            and len(many) > 1
            and _near(members, SAME_MONEY_DAYS)
            and _total(many) == effective(few[0]) != 0
        ):
            _match(verdict, "sum", lefts, rights)
            return
    verdict.left_over += members


def client_draw(members: Sequence[Item], _named: Named, verdict: Verdict) -> None:
    """Ledger lines of one client, day and size that move money inside the account, and never reach its bank.

    Client-level money that pays a matter's bill leaves three: out of the client's ledger, into the matter's, and out of the
    matter's; the last is the draw itself, for the next rules (Clio API notes §5).
    """
    lines = [item for item in members if item.source == "clio_ledger"]
    into = [item for item in lines if effective(item) > 0]
    out = [item for item in lines if effective(item) < 0]
    moved: list[Item] = []
    if len(into) == 1:
        elsewhere = [item for item in out if item.matter_id != into[0].matter_id]
        through = [item for item in out if item.matter_id == into[0].matter_id]
        draw = len(elsewhere) == len(through) == 1 and elsewhere[0].matter_id is None
        transfer = len(elsewhere) == len(out) == 1 and MovementKind.TRANSFER.value in (into[0].kind, out[0].kind)
        if (draw or transfer) and effective(elsewhere[0]) == -effective(into[0]):
            rule = "client_level_draw" if draw else "internal_transfer"
            moved = [elsewhere[0], into[0]]
            verdict.matches.append(Match(rule, (moved[0].id,), (moved[1].id,), into[0].on))
    verdict.left_over += [item for item in members if item not in moved]


def apart_from_clio(charge: Item, after: Sequence[Item], *, held: bool, trust: bool, verdict: Verdict) -> None:
    """A charge that Clio's ledger does not have, and what went back of it, which it does not have either.

    What came and went whole is missed nowhere, and each half stands for itself at the bank; but not in trust, whose ledger
    must show both (T7, T37). What our books hold for the client, because it was more than was owed, is known and named.
    """
    family = (charge, *(item for item in after if item.status not in WORTHLESS))
    left = _total(family)
    if not trust and charge.status == MovementStatus.SETTLED.value and left == 0:
        for item in family:
            _match(verdict, "went_back", (item,), (item,))
    elif held:
        cause = f"{dollars(left)} came in at LawPay when nothing was owed any more, and our books hold it for no bill"
        verdict.differences.append(Difference("unapplied_payment", family, abs(left), cause, charge.reference))


LADDER: tuple[Rule, ...] = (
    Rule("exact_id", Leg.PROCESSOR, "link", same_id),
    Rule("id_in_reference", Leg.PROCESSOR, "name", same_id, both=True),
    Rule(SAME_REFERENCE, Leg.PROCESSOR, "reference", same_reference, both=True),
    Rule("client_level_draw", Leg.PROCESSOR, "client", client_draw),
    Rule("amount_matter_days", Leg.PROCESSOR, "money", same_money, both=True),
    Rule("sum", Leg.PROCESSOR, "matter", summed, both=True),
    Rule(SAME_REFERENCE, Leg.BANK, "reference", partial(same_reference, sets=True), both=True),
    Rule("client_level_draw", Leg.BANK, "client", client_draw),
    Rule("amount_days", Leg.BANK, "money", same_amount, both=True),
)
"""From certain to merely unique; the first names its partner, the last is the only one it could be. Then a person."""


def _pairs(
    rule: str, members: Sequence[Item], named: Named, verdict: Verdict, days: int, *, twice: str
) -> list[Item]:  # fmt: skip
    """Match those of equal amount that are each other's only partner within days; returns whoever has no partner at all."""
    alone: list[Item] = []
    for cluster in _clusters(sorted(members, key=_by_day), days):
        lefts, rights = _sides(cluster)
        if not lefts or not rights:
            alone += cluster
        elif len(lefts) == len(rights) == 1:
            left, right = lefts[0], rights[0]
            if effective(left) != effective(right):
                verdict.differences.append(_unequal(lefts, rights, named))
            elif _agree(left, right, named):
                _match(verdict, rule, (left,), (right,))
            else:
                verdict.differences.append(_wrong_matter((left,), (right,), named))
        else:
            kind = twice if len(lefts) != len(rights) else "ambiguous_match"
            verdict.differences.append(_too_many(kind, lefts, rights))
    return alone


def _clusters(ordered: Sequence[Item], days: int) -> Iterator[list[Item]]:
    """Runs in which each lies within days of a neighbour: nothing outside a run can be a partner of anything in it."""
    cluster: list[Item] = []
    for item in ordered:
        if cluster and (item.on - cluster[-1].on).days > days:
            yield cluster
            cluster = []
        cluster.append(item)
    if cluster:
        yield cluster


def _settle(
    rule: str, lefts: Sequence[Item], rights: Sequence[Item], named: Named, verdict: Verdict
) -> None:  # fmt: skip
    """These belong together by name: they agree, or the way in which they do not is a break."""
    if _total(lefts) == _total(rights) and (len(lefts) == 1 or len(rights) == 1):
        if all(_agree(left, right, named) for left in lefts for right in rights) or len(rights) > 1 < _matters(rights):
            one = len(lefts) == len(rights) == 1
            _match(verdict, rule if one else "sum", lefts, rights)
        else:
            verdict.differences.append(_wrong_matter(lefts, rights, named))
    elif len(lefts) > 1 and len(rights) > 1:
        verdict.differences.append(_too_many("ambiguous_match", lefts, rights))
    else:
        verdict.differences.append(_unequal(lefts, rights, named))


def _agree(left: Item, right: Item, named: Named) -> bool:
    """Whether both are of the same matter, as far as both say; a client's own ledger is of none in particular (T36)."""
    ours = left.matter_id or only(named.get(left.reference, ()))
    theirs = right.matter_id or only(named.get(right.reference, ()))
    return ours is None or theirs is None or ours == theirs


def _unequal(lefts: Sequence[Item], rights: Sequence[Item], named: Named) -> Difference:
    ours, theirs = _total(lefts), _total(rights)
    everyone = (*lefts, *rights)
    kind, cause = (
        "amount_differs",
        f"one side has {dollars(ours)}, the other {dollars(theirs)} for the same reference",
    )
    sizes = {item.amount_cents for item in everyone}
    if any(item.status in WORTHLESS for item in lefts) and ours == 0 and theirs > 0:
        kind, cause = (
            "late_return",
            f"the payment of {dollars(theirs)} failed or was returned, and Clio's ledger still counts it",
        )
    elif len(sizes) == 1 and len(everyone) > 2:  # noqa: PLR2004  one more than a pair
        return _too_many("duplicate", lefts, rights)
    return Difference(
        kind, everyone, abs(ours - theirs), cause, reference=lefts[0].reference,
        matter_id=rights[0].matter_id or only(named.get(lefts[0].reference, ())),
    )  # fmt: skip


def _too_many(kind: str, lefts: Sequence[Item], rights: Sequence[Item]) -> Difference:
    if kind == "duplicate":
        more = abs(len(lefts) - len(rights))
        cause = f"{len(lefts)} on one side and {len(rights)} on the other have the same reference and amount"
        money = more * abs(lefts[0].amount_cents)
    else:
        cause = f"{len(lefts)} and {len(rights)} movements could each be the other's partner; nothing says which"
        money = sum(abs(item.amount_cents) for item in lefts)
    candidates = tuple(
        Candidate(item.id, item.matter_id, f"{dollars(item.amount_cents)} on {item.on}") for item in rights
    )
    return Difference(kind, (*lefts, *rights), money, cause, lefts[0].reference, rights[0].matter_id, candidates)


def _wrong_matter(lefts: Sequence[Item], rights: Sequence[Item], named: Named) -> Difference:
    ours, theirs = (
        next((found for item in side if (found := item.matter_id or only(named.get(item.reference, ())))), None)
        for side in (lefts, rights)
    )
    cause = f"one side says matter {ours}, the other matter {theirs}"
    return Difference(
        "wrong_matter", (*lefts, *rights), abs(lefts[0].amount_cents), cause, lefts[0].reference, ours,
        (Candidate(None, ours, "what the reference says"), Candidate(None, theirs, "what Clio says")),
    )  # fmt: skip


def _sides(members: Iterable[Item]) -> tuple[list[Item], list[Item]]:
    lefts: list[Item] = []
    rights: list[Item] = []
    for item in members:
        (rights if item.right else lefts).append(item)
    return lefts, rights


def _near(members: Sequence[Item], days: int) -> bool:
    ons = [item.on for item in members]
    return (max(ons) - min(ons)).days <= days


def _ids(members: Iterable[Item]) -> tuple[int, ...]:
    return tuple(sorted(item.id for item in members))


def _matters(members: Iterable[Item]) -> int:
    return len({item.matter_id for item in members})


def _total(members: Iterable[Item]) -> int:
    return sum(effective(item) for item in members)


def _by_amount(item: Item) -> tuple[int, date, int]:
    return item.amount_cents, item.on, item.id


def _by_day(item: Item) -> tuple[date, int]:
    return item.on, item.id
