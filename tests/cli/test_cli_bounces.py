"""`orchestrator reminders bounces` and `webhooks mail`: addresses by their number, never in clear."""

import pytest

from orchestrator.domain.bounces import Bounced, Report
from orchestrator.storage.bounces import key_of
from orchestrator.usecases.note_bounce import note_bounce
from tests.cli.conftest import Cli, environment
from tests.firm import open_firm


@pytest.fixture
def desk(sandbox, database_url):
    """A firm of its own and its command line."""
    with open_firm(sandbox, database_url) as firm:
        firm.work()
        yield firm, Cli(environment(sandbox, database_url))


def test_a_bounced_address_is_listed_by_its_bills_and_released_by_a_person(desk):
    firm, cli = desk
    firm.mailed_bill()
    [mail] = firm.mails()
    with firm.rt.uow() as work:
        assert note_bounce(work, Report(key_of(mail["message_id"]), Bounced.HARD, "5.1.1"), source="imap")
    [row] = cli.json("reminders", "bounces", "list", "--state", "hard")
    assert (row["code"], row["bill_ids"]) == ("5.1.1", [int(mail["headers"]["X-Orchestrator-Bill"])])
    assert mail["to"][0] not in cli("reminders", "bounces", "list").stdout
    assert "Would release" in cli("reminders", "bounces", "release", row["id"], "--dry-run").stdout
    assert "Released" in cli("reminders", "bounces", "release", row["id"], "--by", "nora").stdout
    again = cli("reminders", "bounces", "release", row["id"])
    assert again.exit_code == 1
    assert "No address is held" in again.stderr
    assert cli.json("reminders", "bounces", "list")[0]["released_by"] == "nora"


def test_the_relay_s_address_is_shown_once_there_is_one(cli):
    assert cli.json("webhooks", "mail")["address"] is None
    assert "no [mail] bounce_hook is set" in cli("webhooks", "mail").stdout
