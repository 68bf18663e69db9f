from tests.databases import clock, either_url, postgres_uow, uow
from tests.journeys.conftest import _tiny, at_lawpay, opened, tiny

__all__ = ["_tiny", "at_lawpay", "clock", "either_url", "opened", "postgres_uow", "tiny", "uow"]
