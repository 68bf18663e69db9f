"""The stand-in Clio and mailbox: real HTTP and SMTP servers with an independent record of every effect."""

from orchestrator.sandbox.client import SandboxClient, SandboxRefused
from orchestrator.sandbox.sandbox import Addresses
from orchestrator.sandbox.server import SandboxHandle, running_sandbox, serve_forever

__all__ = ["Addresses", "SandboxClient", "SandboxHandle", "SandboxRefused", "running_sandbox", "serve_forever"]
