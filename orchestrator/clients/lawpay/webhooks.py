"""What of a delivery of LawPay may be kept: it holds the payer's name and address, and none of it is believed."""

import json
import re

_ID = re.compile(r"[\w-]{1,64}")
_TYPE = re.compile(r"[a-z_.]{1,64}")


def outline(body: bytes) -> bytes:
    """The ids and the type of an event and nothing else of it; empty for anything that is no event."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return b""
    match said:
        case {"id": str(event), "type": str(kind), "data": {"id": str(about)}}:
            known = _ID.fullmatch(event) and _TYPE.fullmatch(kind) and _ID.fullmatch(about)
            return json.dumps({"id": event, "type": kind, "data": {"id": about}}).encode() if known else b""
        case _:
            return b""
