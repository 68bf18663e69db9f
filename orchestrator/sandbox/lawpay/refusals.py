"""What the gateway refuses: a status and one documented code."""

from orchestrator.sandbox.refusal import Refusal

Facts = dict[str, str]


class Declined(Refusal):
    """Ends a gateway request with the documented `messages` body."""

    def __init__(
        self,
        status: int,
        code: str,
        *,
        words: str = "",
        context: str = "",
        sub_code: str = "",
        entity_id: str = "",
        facility: str = "gateway",
    ) -> None:
        super().__init__(status, words or code.replace("_", " ").capitalize() + ".")
        told = {
            "code": code,
            "sub_code": sub_code,
            "context": context,
            "level": "error",
            "message": self.message,
            "facility": facility,
            "entity_id": entity_id,
        }
        self.messages = [{name: value for name, value in told.items() if value}]


def invalid(context: str, sub_code: str) -> Declined:
    return Declined(422, "invalid_data", context=context, sub_code=sub_code, words=f"{context}: {sub_code}")


def wrong_status(words: str) -> Declined:
    return Declined(422, "not_valid_for_transaction_status", words=words)
