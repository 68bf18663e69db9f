"""F57: a database that forgot a draw reads the ledger before anything leaves, and invents neither money nor authority."""

from orchestrator.domain.kinds import Kind
from orchestrator.storage.lineage import Gate
from tests.recovery.past import Past
from tests.trust import apply_in_clio, authorised, deposit, draws, judged, trust_settings


def test_F57_a_forgotten_authority_is_asked_about_and_its_money_counted_once(sandbox, either_url, tmp_path):
    past = Past(sandbox, either_url, tmp_path, trust=trust_settings(sandbox))
    with past.firm() as firm:
        firm.work()
        deposit(firm, 1000)
        firm.issued_bill(dollars=600)
        firm.later(minutes=16)
        past.take()
        [draw] = draws(firm)
        authorised(firm, draw["id"])
        apply_in_clio(firm, draw)
        assert [one["state"] for one in draws(firm)] == ["posted"]
        asked = len(firm.effects("task.created"))
    past.restore()
    with past.firm() as firm:
        for _ in range(4):
            firm.later(minutes=16)
        with firm.rt.read() as work:
            assert work.lineage.life().gate is Gate.OPEN
            assert work.dirty.watermark(Kind.LEDGER) > work.lineage.life().adopted_at
            [ledger] = work.trust.ledgers()
        assert (ledger["balance_cents"], ledger["reserved_cents"]) == (40_000, 0)
        assert [one["state"] for one in draws(firm)] == ["withdrawn"]
        assert firm.exceptions() == {"trust_draw_unauthorised": 1}
        assert len(firm.effects("task.created")) == asked
        judged(firm)
