from tests.databases import clock, either_url

__all__ = ["clock", "either_url"]
