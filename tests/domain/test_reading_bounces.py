"""What comes back, and what it says of the address: only reports about letters of ours say anything."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import bounce_hooks
from orchestrator.domain.bounces import LONGEST, Bounced, Report, at, read_post, read_return
from orchestrator.settings import Misconfigured
from tests.returned import returned

CONFIG = Path(__file__).parents[2] / "config"
KEY = "ab" * 20
OURS = f"<{KEY}@firm.example>"
HARD, SOFT, SPAM = Bounced.HARD, Bounced.SOFT, Bounced.SPAM


@pytest.mark.parametrize(
    ("status", "action", "bounced"),
    [
        ("5.1.1", "failed", HARD),
        ("5.1.10 (no such domain)", "Failed", HARD),
        ("5.7.1", "failed", HARD),
        ("5.2.2", "failed", SOFT),
        ("4.4.7", "failed", SOFT),
        ("", "failed", SOFT),
        ("4.2.2", "delayed", None),
        ("2.0.0", "delivered", None),
        ("2.0.0", "relayed", None),
    ],
)
def test_f76_a_report_says_whether_the_address_is_at_fault(status, action, bounced):
    found = read_return(returned(OURS, status=status, action=action))
    assert (found.bounced if found else None) == bounced


@pytest.mark.parametrize("whole", [True, False], ids=["the letter", "its headers"])
def test_f76_the_letter_is_known_by_what_of_it_was_returned(whole):
    assert read_return(returned(OURS, whole=whole)) == Report(KEY, HARD, "5.1.1")


def test_a_letter_that_a_relay_renamed_is_known_by_our_own_header():
    assert read_return(returned("<0100018-000000@amazonses.com>", key="ab" * 32)) == Report(KEY, HARD, "5.1.1")


NOT_OURS = {
    "an answer": b"From: ana@client.example\r\nSubject: Re: invoice\r\nIn-Reply-To: "
    + OURS.encode()
    + b"\r\n\r\n5.1.1\r\n",
    "somebody else's bounce": returned("<CAF=xyz@mail.gmail.com>"),
    "a report without the letter": returned(OURS).replace(b"message/rfc822", b"text/plain"),
    "a report without a status": returned(OURS).replace(b"message/delivery-status", b"text/plain"),
    "an out-of-office": b"Auto-Submitted: auto-replied\r\nIn-Reply-To: " + OURS.encode() + b"\r\n\r\nAway.\r\n",
    "nothing": b"",
    "noise": bytes(range(256)) * 20,
    "a report cut in two": returned(OURS)[:300],
}


@pytest.mark.parametrize("raw", NOT_OURS.values(), ids=NOT_OURS)
def test_f76_whatever_is_no_bounce_of_ours_is_nothing(raw):
    assert read_return(raw) is None


@given(st.binary(max_size=400), st.integers(0, 2000))
def test_a_report_with_noise_in_it_never_breaks_the_reading(noise, place):
    # Digits of a key, put before ours, make a key that nobody has: whose letter it is, our record says.
    noise = noise.translate(None, b"0123456789abcdef")
    raw = returned(OURS)
    found = read_return(raw[:place] + noise + raw[place:])
    assert found is None or found.key == KEY


def test_a_report_is_read_however_long_the_letter_in_it_is():
    assert read_return(returned(OURS, body="x" * 70 + "\r\n") + b"y" * LONGEST * 2) == Report(KEY, HARD, "5.1.1")


# ── what relays post ──

POSTED = {
    "postmark": [
        ({"RecordType": "Bounce", "Type": "HardBounce", "MessageID": "m", "Metadata": {"orchestrator-key": "ab" * 32}}, HARD),
        ({"RecordType": "Bounce", "Type": "SoftBounce", "Metadata": {"orchestrator-key": "ab" * 32}}, SOFT),
        ({"RecordType": "SpamComplaint", "Metadata": {"orchestrator-key": "ab" * 32}}, SPAM),
        ({"RecordType": "Delivery", "Metadata": {"orchestrator-key": "ab" * 32}}, None),
        ({"RecordType": "Bounce", "Type": "HardBounce", "Metadata": {}}, None),
    ],
    "sendgrid": [
        ([{"event": "bounce", "type": "bounce", "status": "5.1.1", "smtp-id": OURS, "email": "ana@client.example"}], HARD),
        ([{"event": "bounce", "type": "blocked", "smtp-id": OURS}], SOFT),
        ([{"event": "dropped", "reason": "Bounced Address", "smtp-id": OURS}], HARD),
        ([{"event": "delivered", "smtp-id": OURS}, {"event": "spamreport", "smtp-id": OURS}], SPAM),
        ([{"event": "open", "smtp-id": OURS}], None),
    ],
    "mailgun": [
        ({"event-data": {"event": "failed", "severity": "permanent", "delivery-status": {"code": 550},
                         "message": {"headers": {"message-id": OURS[1:-1]}}}}, HARD),
        ({"event-data": {"event": "failed", "severity": "temporary", "message": {"headers": {"message-id": OURS[1:-1]}}}}, SOFT),
        ({"event-data": {"event": "delivered", "message": {"headers": {"message-id": OURS[1:-1]}}}}, None),
    ],
    "ses": [
        ({"Type": "Notification", "Message": json.dumps({
            "notificationType": "Bounce", "bounce": {"bounceType": kind, "bouncedRecipients": [{"status": "5.1.1"}]},
            "mail": {"messageId": "0100", "headers": [{"name": "From", "value": "x"}, {"name": "Message-ID", "value": OURS}]}})}, bounced)
        for kind, bounced in (("Permanent", HARD), ("Transient", SOFT))
    ],
}  # fmt: skip
CASES = [(relay, body, bounced) for relay, cases in POSTED.items() for body, bounced in cases]


@pytest.mark.parametrize(("relay", "body", "bounced"), CASES)
def test_f76_a_relay_s_event_is_read_as_its_file_says(relay, body, bounced):
    found = read_post(bounce_hooks.load(CONFIG, relay), json.dumps(body).encode())
    assert [(one.key, one.bounced) for one in found] == ([(KEY, bounced)] if bounced else [])


def test_every_relay_there_is_has_a_case():
    assert set(bounce_hooks.names(CONFIG)) == set(POSTED)


NOISE = [
    b"",
    b"null",
    b"[]",
    b"7",
    b'"x"',
    b"\xff\xfe",
    b"{" * 5000,
    b'{"Message": 7}',
    b'{"Message": "no json"}',
    b'[[[["smtp-id"]]]]',
]


@pytest.mark.parametrize("relay", POSTED)
@pytest.mark.parametrize("body", NOISE)
def test_f25_whatever_else_is_posted_says_nothing(relay, body):
    assert read_post(bounce_hooks.load(CONFIG, relay), body) == []


def test_a_code_carries_no_address_and_no_markup():
    body = {"event": "bounce", "status": "550 <ana@client.example> =cmd", "smtp-id": OURS}
    [found] = read_post(bounce_hooks.load(CONFIG, "sendgrid"), json.dumps([body]).encode())
    assert not set("<>@=") & set(found.code)
    assert len(found.code) <= 32


@pytest.mark.parametrize(("path", "found"), [("a.0.b", 1), ("a.n=X.b", 2), ("a.5.b", None), ("a.b", None), ("", None)])
def test_a_path_leads_somewhere_or_nowhere(path, found):
    assert at({"a": [{"b": 1}, {"n": "x", "b": 2}]}, path) == found


def test_a_relay_without_a_file_is_named(tmp_path):
    (tmp_path / "bounces").mkdir()
    with pytest.raises(Misconfigured, match="names 'nobody'"):
        bounce_hooks.load(tmp_path, "nobody")
    (tmp_path / "bounces" / "wrong.toml").write_text("kinds = 7")
    with pytest.raises(Misconfigured, match=r"wrong\.toml does not say"):
        bounce_hooks.load(tmp_path, "wrong")
