"""The mailbox of bounces, over the wire to a real IMAP server: read from where we stopped, and left as it was found."""

from datetime import date, timedelta

import pytest

from orchestrator.delivery.imap import ImapReturns, Place
from orchestrator.errors import Away, Rejected
from tests.imap import running_mailbox
from tests.returned import returned

LONG_AGO = date(2020, 1, 1)
REPORT = returned(f"<{'ab' * 20}@firm.test>")
ANSWER = b"From: ana@clients.test\r\nContent-Type: text/plain\r\nSubject: Re: invoice\r\n\r\nIt is a secret.\r\n"


@pytest.fixture(scope="module")
def server():
    with running_mailbox() as box:
        yield box


@pytest.fixture
def mailbox(server):
    server.empty()
    return server


@pytest.fixture
def returns(mailbox):
    return ImapReturns(mailbox.url, timeout_seconds=5)


def test_reports_are_read_and_of_a_person_s_mail_nothing(mailbox, returns):
    mailbox.arrive(REPORT, ANSWER)
    found = returns.fresh(validity=None, after=0, since=LONG_AGO)
    assert [letter.raw for letter in found.letters] == [REPORT, b""]
    assert not found.more
    assert mailbox.unread() == 2


def test_only_what_came_since_is_read_again(mailbox, returns):
    mailbox.arrive(REPORT, REPORT)
    first = returns.fresh(validity=None, after=0, since=LONG_AGO)
    last = first.letters[-1].uid
    assert returns.fresh(validity=first.validity, after=last, since=LONG_AGO).letters == []
    mailbox.arrive(ANSWER, REPORT)
    later = returns.fresh(validity=first.validity, after=last, since=LONG_AGO)
    assert [letter.uid for letter in later.letters] == [last + 1, last + 2]


def test_numbers_of_another_mailbox_mean_nothing(mailbox, returns):
    mailbox.arrive(REPORT)
    known = returns.fresh(validity=None, after=0, since=LONG_AGO)
    again = returns.fresh(validity=known.validity + 1, after=10**6, since=LONG_AGO)
    assert [letter.raw for letter in again.letters] == [REPORT]
    tomorrow = date.today() + timedelta(days=2)  # noqa: DTZ011  the server's own day
    assert returns.fresh(validity=None, after=0, since=tomorrow).letters == []


def test_what_is_marked_is_marked_alone(mailbox, returns):
    mailbox.arrive(REPORT, REPORT, ANSWER)
    found = returns.fresh(validity=None, after=0, since=LONG_AGO)
    returns.seen([found.letters[1].uid])
    assert mailbox.unread() == 2
    returns.seen([])
    assert mailbox.unread() == 2


def test_a_full_mailbox_is_read_in_parts(mailbox):
    mailbox.arrive(*[ANSWER] * 5)
    returns = ImapReturns(mailbox.url, timeout_seconds=5, most=3)
    first = returns.fresh(validity=None, after=0, since=LONG_AGO)
    assert (len(first.letters), first.more) == (3, True)
    rest = returns.fresh(validity=first.validity, after=first.letters[-1].uid, since=LONG_AGO)
    assert (len(rest.letters), rest.more) == (2, False)


def test_a_mailbox_that_refuses_us_is_refused_without_a_word_of_the_password(mailbox):
    with pytest.raises(Rejected) as caught:
        ImapReturns(mailbox.url.replace("s3cret-word", "other-word"), timeout_seconds=5).fresh(
            validity=None, after=0, since=LONG_AGO
        )
    assert caught.value.reason == "mailbox_refused"
    assert "other-word" not in str(caught.value)
    with pytest.raises(Rejected, match="no such folder"):
        ImapReturns(mailbox.url.replace("INBOX", "Nowhere"), timeout_seconds=5).fresh(
            validity=None, after=0, since=LONG_AGO
        )


def test_a_mailbox_that_is_away_is_asked_later():
    with pytest.raises(Away):
        ImapReturns("imap://u:p@127.0.0.1:1", timeout_seconds=1).fresh(validity=None, after=0, since=LONG_AGO)


@pytest.mark.parametrize(
    "url",
    [
        "imap://u:p@mail.firm.example",
        "pop3://u:p@127.0.0.1",
        "imaps://mail.firm.example",
        "imaps://u:p@mail.firm.example/In%22box",
        "",
        "imaps://",
    ],
)
def test_an_address_that_is_not_safe_is_refused_at_start(url):
    with pytest.raises(Rejected) as caught:
        Place.parse(url)
    assert caught.value.reason == "mail_url_invalid"


def test_an_address_says_where_the_mailbox_is():
    place = Place.parse("imaps://bounces%40firm.example:p%2Fw@mail.firm.example/Mail%20Returns")
    assert (place.host, place.port, place.tls, place.folder) == ("mail.firm.example", 993, True, "Mail Returns")
    assert (place.user, place.password) == ("bounces@firm.example", "p/w")
    assert "p/w" not in repr(place)
