"""P5: how often Clio is asked about an object that a hundred deliveries say has changed."""

import json
import random
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import httpx

from benchmarks.figure import Figure, Say
from benchmarks.house import busy_firm, sandbox_of, sqlite
from orchestrator.clients.clio.webhooks import signed
from tests.firm import Firm, open_firm, web
from tests.servers import free_port

COPIES = 100
SENDERS = 4


def measure(quick: bool, say: Say) -> Figure:
    """Objects asked for at Clio ÷ distinct objects, while the worker works and the copies arrive in any order."""
    objects = 10 if quick else 100
    port = free_port()
    address = {"public_url": f"http://127.0.0.1:{port}", "listen": f"127.0.0.1:{port}"}
    with (
        sandbox_of(busy_firm(clients=objects)) as sandbox,
        sqlite() as database_url,
        open_firm(sandbox, database_url, environment=address, subscribed=True) as firm,
        web(firm, port) as url,
    ):
        for _ in range(10):
            firm.work()
            sandbox.settle()
        asked = len(sandbox.requests())
        say(f"{objects} matters, {COPIES} deliveries of each")
        deliveries = _deliveries(firm, list(sandbox.state()["matters"].values()))
        with ThreadPoolExecutor(SENDERS) as pool:
            sending = [pool.submit(_send, url, deliveries[place::SENDERS]) for place in range(SENDERS)]
            while not all(future.done() for future in sending):
                firm.work()
            refused = sum(_refused(future) for future in sending)
        firm.work()
        requests = [one for one in sandbox.requests()[asked:] if one["method"] == "GET"]
    ids = sum(sum(name.startswith("ids") for name, _ in one["params"]) for one in requests)
    return Figure(
        value=ids / objects,
        baseline=objects,
        n=len(deliveries),
        limit="nothing: copies of the same bytes are one receipt, and marks of a kind are drained together",
        detail={"objects_asked_for": ids, "calls": len(requests), "not_acknowledged": refused},
    )


def _deliveries(firm: Firm, matter_ids: Sequence[int]) -> list[tuple[str, bytes, str]]:
    """Path, body and signature of every copy, shuffled by a seed."""
    with firm.rt.read() as work:
        row = work.subscriptions.get("matter")
    assert row is not None
    secret = firm.rt.cipher.open(row["secret"])
    meta = {"event": "updated", "webhook_id": row["webhook_id"]}
    bodies = [json.dumps({"data": {"id": matter_id, "etag": '"a"'}, "meta": meta}).encode() for matter_id in matter_ids]
    copies = [(f"/webhooks/clio/{row['path_token']}", body, signed(body, secret)) for body in bodies] * COPIES
    random.Random(1).shuffle(copies)
    return copies


def _send(url: str, deliveries: Sequence[tuple[str, bytes, str]]) -> int:
    """Deliver them one after another; returns how many were not acknowledged."""
    with httpx.Client(base_url=url, timeout=20, trust_env=False) as http:
        answers = [
            http.post(path, content=body, headers={"X-Hook-Signature": signature}).status_code
            for path, body, signature in deliveries
        ]
    return sum(status != httpx.codes.OK for status in answers)


def _refused(future: Future[int]) -> int:
    return future.result()
