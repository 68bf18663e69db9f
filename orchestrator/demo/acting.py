"""Who acts out which event of the story."""

from orchestrator.demo.collecting import COLLECTING
from orchestrator.demo.outages import OUTAGES
from orchestrator.demo.people import PEOPLE, Scene
from orchestrator.demo.story import Event
from orchestrator.demo.trust import TRUST
from orchestrator.sandbox import SandboxRefused

ACTS = PEOPLE | TRUST | COLLECTING | OUTAGES


def perform(scene: Scene, event: Event) -> str | None:
    """Act the event out and say what happened; None when there was no occasion for it."""
    scene.look()
    try:
        return ACTS[event.kind](scene, event.facts)
    except SandboxRefused:
        # Clio would not let a person do it now: the entry is on a bill, the link was used a moment ago.
        return None
