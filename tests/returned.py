"""A letter that comes back, as a mail server returns it (RFC 3464)."""

REPORT = """\
From: MAILER-DAEMON@mx.client.example\r
To: billing@firm.test\r
Subject: Undelivered Mail Returned to Sender\r
Auto-Submitted: auto-replied\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status; boundary="=_dsn"\r
\r
--=_dsn\r
Content-Type: text/plain; charset=us-ascii\r
\r
The message could not be delivered.\r
--=_dsn\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.client.example\r
\r
Final-Recipient: rfc822; somebody@client.example\r
Action: {action}\r
Status: {status}\r
Diagnostic-Code: smtp; 550 says why\r
\r
--=_dsn\r
Content-Type: {kind}\r
\r
From: billing@firm.test\r
Message-ID: {message_id}\r
{key}Subject: Invoice\r
\r
{body}\r
--=_dsn--\r
"""


def returned(
    message_id: str, *, status: str = "5.1.1", action: str = "failed", whole: bool = True, key: str = "", body: str = "Dear client"
) -> bytes:  # fmt: skip
    kind = "message/rfc822" if whole else "text/rfc822-headers"
    ours = f"X-Orchestrator-Key: {key}\r\n" if key else ""
    said = {"action": action, "status": status, "kind": kind, "message_id": message_id, "key": ours, "body": body}
    return REPORT.format(**said).encode()
