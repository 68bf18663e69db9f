"""Celery, and nothing that could live without it."""
