"""Each row of `delivery.smtp.STAGES`, against a real relay: what was answered, and what that means for the letter."""

import socket
import time

import pytest

from orchestrator.delivery.smtp import STAGES, Relay, SmtpMailer, verdict
from orchestrator.errors import OutcomeUnknown, Rejected, Transient
from orchestrator.leaving import leaving_by

MESSAGE = b"From: a@firm.example\r\nSubject: x\r\n\r\nHello\r\n.leading dot\r\n"
CLIENT = "client@example.com"


def hand_over(place: str, *, message: bytes = MESSAGE, seconds: float = 5, query: str = "") -> str:
    mailer = SmtpMailer(f"smtp://{place}{query}", timeout_seconds=seconds)
    return mailer.send(message, sender="billing@firm.example", recipient=CLIENT)


def test_an_accepted_letter_arrives_byte_for_byte_and_returns_the_relays_answer(relay):
    place, script = relay()
    assert hand_over(place) == "250 2.0.0 OK queued as 4XyZ"
    assert script.accepted == [MESSAGE]
    assert script.recipients == [CLIENT]


def test_f78_a_letter_cannot_end_itself_early(relay):
    place, script = relay()
    hand_over(place, message=b"Subject: x\n\na\n.\r\nMAIL FROM:<evil@example.com>\r.\nb")
    assert script.accepted == [b"Subject: x\r\n\r\na\r\n.\r\nMAIL FROM:<evil@example.com>\r\n.\r\nb\r\n"]


LATER = [
    ("MAIL", "451 4.3.0 busy"),
    ("RCPT", "450 4.2.0 greylisted"),
    ("DATA", "421 4.3.2 closing"),
    ("END", "452 4.3.1 full"),
]
PASSING = [("MAIL", "530 5.7.0 log in first"), ("RCPT", "552 5.2.2 mailbox full"), ("END", "552 5.2.2 mailbox full")]
NEVER = [
    ("MAIL", "550 5.7.1 no", "mail_refused"),
    ("RCPT", "550 5.1.1 nobody here", "mail_address_refused"),
    ("RCPT", "553 nobody here", "mail_address_refused"),
    ("DATA", "554 5.5.1 no", "mail_refused"),
    ("END", "554 5.7.1 looks like spam", "mail_refused"),
]


@pytest.mark.parametrize(("command", "answer"), LATER + PASSING)
def test_f77_an_answer_that_passes_is_transient(relay, command, answer):
    place, script = relay(**{command: answer})
    with pytest.raises(Transient) as caught:
        hand_over(place)
    assert caught.value.retry_after == 300
    assert not script.accepted


@pytest.mark.parametrize(("command", "answer", "reason"), NEVER)
def test_a_refusal_for_good_is_rejected(relay, command, answer, reason):
    place, script = relay(**{command: answer})
    with pytest.raises(Rejected) as caught:
        hand_over(place)
    assert caught.value.reason == reason
    assert not script.accepted


def test_f77_the_same_bytes_are_taken_when_the_relay_stops_greylisting(relay):
    place, script = relay(RCPT="451 4.7.1 greylisted")
    with pytest.raises(Transient):
        hand_over(place)
    del script.says["RCPT"]
    hand_over(place)
    assert script.accepted == [MESSAGE]


def test_f75_a_line_lost_after_data_is_unknown(relay):
    place, script = relay(hang_up_after_data=True)
    with pytest.raises(OutcomeUnknown):
        hand_over(place)
    assert len(script.accepted) == 1  # it was taken: sending again would have been the client's second letter


def test_f77_a_greeting_that_got_lost_is_asked_for_once_more_and_the_letter_goes_once(relay):
    place, script = relay()
    script.turned_away = 1
    hand_over(place)
    assert script.accepted == [MESSAGE]


def test_f77_a_relay_that_hangs_up_twice_is_away(relay):
    place, script = relay()
    script.turned_away = 2
    with pytest.raises(Transient) as caught:
        hand_over(place)
    assert caught.value.retry_after == 60
    assert script.turned_away == 0  # asked twice, and no third time


def test_F11_a_letter_whose_sender_lost_its_lease_in_the_middle_is_dropped_by_the_relay(relay):
    place, script = relay()
    with leaving_by(time.monotonic()), pytest.raises(Transient):
        hand_over(place)
    assert script.accepted == []
    hand_over(place)
    assert script.accepted == [MESSAGE]


@pytest.mark.parametrize("command", [b"CONNECT", b"EHLO", b"MAIL", b"RCPT", b"DATA"])
def test_a_line_lost_before_the_letter_is_transient(dead_line, command):
    with dead_line(lambda line: line.talk_until(command)) as place, pytest.raises(Transient):
        hand_over(place)


def test_a_line_lost_within_the_letter_is_transient(dead_line):
    def behave(line):
        line.talk_until(b"BODY")
        line.connection.recv(100)
        line.reset()

    with dead_line(behave) as place, pytest.raises(Transient):
        hand_over(place, message=b"Subject: x\r\n\r\n" + b"a long line\r\n" * 1_000_000)


@pytest.mark.parametrize(
    ("command", "error"),
    [(b"CONNECT", Transient), (b"MAIL", Transient), (b"RCPT", Transient), (b"DATA", Transient), (b".", OutcomeUnknown)],
)
def test_silence_ends_with_the_deadline(dead_line, command, error):
    def behave(line):
        line.talk_until(command)
        line.stay_silent()

    started = time.monotonic()
    with dead_line(behave) as place, pytest.raises(error):
        hand_over(place, seconds=0.3)
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(("command", "error"), [(b"CONNECT", Transient), (b".", OutcomeUnknown)])
def test_a_relay_that_drips_bytes_cannot_outlast_the_deadline(dead_line, command, error):
    def behave(line):
        line.talk_until(command)
        line.drip()

    started = time.monotonic()
    with dead_line(behave) as place, pytest.raises(error):
        hand_over(place, seconds=0.5)
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("answer", ["nonsense", "354 still?", "2" * 9000])
def test_f75_an_answer_to_the_letter_that_means_nothing_is_unknown(dead_line, answer):
    def behave(line):
        line.talk_until(b".")
        line.say(answer)

    with dead_line(behave) as place, pytest.raises(OutcomeUnknown):
        hand_over(place)


@pytest.mark.parametrize("banner", ["554 5.7.1 go away", "421 4.3.2 too many connections", "nonsense"])
def test_a_relay_that_does_not_greet_us_is_transient(dead_line, banner):
    with dead_line(lambda line: line.say(banner)) as place, pytest.raises(Transient):
        hand_over(place)


def test_f77_a_relay_that_is_down_is_transient():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(Transient):
            hand_over(f"127.0.0.1:{closed.getsockname()[1]}")


def test_a_letter_goes_over_starttls_after_logging_in(relay, certificates, authenticator):
    server, trusting = certificates
    place, script = relay(server={"tls_context": server, "authenticator": authenticator, "require_starttls": True})
    mailer = SmtpMailer(f"smtp://ana:p%40ss%2Fword@{place}?starttls=1", timeout_seconds=5, tls=trusting)
    assert mailer.send(MESSAGE, sender="billing@firm.example", recipient=CLIENT).startswith("250")
    assert script.secure == [True]


def test_a_letter_goes_over_smtps(dead_line, certificates):
    server, trusting = certificates

    def behave(line):
        with server.wrap_socket(line.connection, server_side=True) as secured:
            inner = type(line)(secured)
            inner.talk_until(b".")
            inner.say("250 2.0.0 taken")
            inner.stay_silent()
            inner.lines.close()

    with dead_line(behave) as place:
        mailer = SmtpMailer(f"smtps://{place}", timeout_seconds=5, tls=trusting)
        assert mailer.send(MESSAGE, sender="billing@firm.example", recipient=CLIENT) == "250 2.0.0 taken"


def test_a_plain_relay_is_not_spoken_to_as_smtps(relay):
    place, script = relay()
    with pytest.raises(Transient):
        SmtpMailer(f"smtps://{place}", timeout_seconds=1).send(MESSAGE, sender="billing@firm.example", recipient=CLIENT)
    assert not script.accepted


def test_a_wrong_password_is_transient(relay, authenticator):
    place, script = relay(server={"authenticator": authenticator, "auth_require_tls": False})
    with pytest.raises(Transient) as caught:
        hand_over(f"ana:wrong@{place}")
    assert "535" in str(caught.value)
    assert not script.accepted


def test_a_letter_is_never_sent_in_clear_when_starttls_was_asked(relay):
    place, script = relay()
    with pytest.raises(Transient):
        hand_over(place, query="?starttls=1")
    assert not script.accepted


def test_a_certificate_nobody_vouches_for_is_transient(relay, certificates):
    place, script = relay(server={"tls_context": certificates[0]})
    with pytest.raises(Transient):
        hand_over(place, query="?starttls=1")
    assert not script.accepted


@pytest.mark.parametrize(
    "address", ["a@b.example>\r\nRCPT TO:<c@d.example", "", "a b@c.example", "ü@b.example", "<a@b.example>"]
)
def test_f78_an_envelope_address_cannot_carry_a_command(relay, address):
    place, script = relay()
    with pytest.raises(Rejected) as caught:
        SmtpMailer(f"smtp://{place}", timeout_seconds=5).send(MESSAGE, sender="a@firm.example", recipient=address)
    assert caught.value.reason == "mail_address_refused"
    assert not script.accepted


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "END"])
def test_an_error_never_repeats_an_address(relay, command):
    place, _ = relay(**{command: f"550 5.1.1 <{CLIENT}> is unknown here"})
    with pytest.raises(Rejected) as caught:
        hand_over(place)
    assert "550 5.1.1" in str(caught.value)
    assert "@" not in str(caught.value)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_only_the_end_of_the_letter_can_leave_its_fate_unknown(stage):
    unknown = {code for code in range(-1, 600) if isinstance(verdict(stage, code), OutcomeUnknown)}
    assert unknown == (set(range(-1, 400)) if stage is STAGES[-1] else set())


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("smtp://mail.firm.example", ("mail.firm.example", 25, False, False)),
        ("smtp://mail.firm.example?starttls=1", ("mail.firm.example", 587, False, True)),
        ("smtp://mail.firm.example:2525/?starttls=0", ("mail.firm.example", 2525, False, False)),
        ("smtps://u:p@mail.firm.example", ("mail.firm.example", 465, True, False)),
        ("smtp://[::1]:1025", ("::1", 1025, False, False)),
    ],
)
def test_a_relay_is_named_by_its_url(url, place):
    relay = Relay.parse(url)
    assert (relay.host, relay.port, relay.implicit_tls, relay.starttls) == place


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://mail",
        "smtp://",
        "smtp://h:99999",
        f"smtp://{'h' * 64}.example",
        "smtp://u:s3cret@h?starttls=yes",
        "smtp://u:s3cret@h/x",
    ],
)
def test_a_url_that_names_no_relay_is_refused_without_repeating_it(url):
    with pytest.raises(Rejected) as caught:
        SmtpMailer(url, timeout_seconds=1)
    assert caught.value.reason == "mail_url_invalid"
    assert "s3cret" not in str(caught.value)


def test_a_password_is_not_in_a_relays_repr():
    assert "s3cret" not in repr(Relay.parse("smtp://u:s3cret@h"))
