"""`orchestrator doctor`: every connection, permission and figure that the work depends on, each looked at by itself."""
