"""The `orchestrator` command: one file per noun; a command calls a use case and shows what it answers."""


def main() -> None:
    """Run the command line and leave with its exit code: 0 done, 1 refused or failed, 2 wrong usage, 3 exceptions are open."""
    from orchestrator.cli.app import app

    app(prog_name="orchestrator")
