"""HTTP: webhooks in, health out, and the page a client returns to."""
