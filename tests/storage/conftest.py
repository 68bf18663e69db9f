from tests.databases import clock, either_url, empty_either_url, postgres_uow, uow

__all__ = ["clock", "either_url", "empty_either_url", "postgres_uow", "uow"]
