"""Clio Manage and Clio Payments."""
