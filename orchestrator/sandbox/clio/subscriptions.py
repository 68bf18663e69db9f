"""The webhooks endpoints: what a subscriber asks of the courier."""

from collections.abc import Callable

from orchestrator.sandbox.clio import bodies
from orchestrator.sandbox.clio.call import Call, Reply
from orchestrator.sandbox.firm.things import Webhook
from orchestrator.sandbox.webhooks import Courier


def subscription_writes(courier: Courier) -> dict[tuple[str, str], Callable[[Call], Reply]]:
    """The four ways to change a subscription, bound to the courier that serves them."""

    def create(call: Call) -> Reply:
        given = call.read(bodies.NewWebhook)
        events = [str(event) for event in given.events] if given.events else None
        webhook = courier.subscribe(
            url=given.url,
            fields=given.fields,
            model=given.model,
            events=events,
            expires_at=given.expires_at,
            user=call.user,
        )
        return call.show(webhook, 201)

    def change(call: Call) -> Reply:
        webhook = call.to_change(Webhook)
        courier.change(webhook, call.read(bodies.WebhookChange).given())
        return call.show(webhook)

    def remove(call: Call) -> Reply:
        courier.remove(call.books.get(Webhook, call.id))
        return Reply(204)

    def activate(call: Call) -> Reply:
        webhook = call.books.get(Webhook, call.id)
        courier.activate(webhook, call.header("x-hook-secret"))
        return call.show(webhook)

    return {
        ("POST", "/webhooks"): create,
        ("PATCH", "/webhooks/{id}"): change,
        ("DELETE", "/webhooks/{id}"): remove,
        ("PUT", "/webhooks/{id}/activate"): activate,
    }
