"""The one error of the sandbox: a request it refuses, with the answer it gives."""

from collections.abc import Mapping


class Refusal(Exception):
    """Ends a request with `status` and an error body; what was asked for has not been done."""

    def __init__(
        self, status: int, message: str, *, error: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error = error or ERROR_TYPES.get(status, "ArgumentError")
        self.headers = dict(headers or {})


ERROR_TYPES = {
    400: "ArgumentError",
    401: "UnauthorizedError",
    403: "ForbiddenError",
    404: "RecordNotFoundError",
    410: "ApiVersionGoneError",
    412: "PreconditionFailedError",
    422: "UnprocessableEntityError",
    429: "RateLimitedError",
}


def unprocessable(message: str) -> Refusal:
    return Refusal(422, message)


def missing(kind: str, ident: object) -> Refusal:
    return Refusal(404, f"{kind} {ident} was not found or is not visible.")
