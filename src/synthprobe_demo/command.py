"""``synthprobe demo``: the dispatch centre, watched or served."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer()


@app.callback(
    help="The dispatch centre: a system to watch, and faults to find.",
    invoke_without_command=True,
    rich_help_panel="Demo",
)
def demo(
    context: typer.Context,
    workers: Annotated[int, typer.Option("--workers", "-n", help="Parallel workers.", min=0)] = 2,
) -> None:
    """Watch the dispatch centre healthy, then with two faults, and build the report.

    Exit code 0 only if exactly the injected faults were found.
    """
    if context.invoked_subcommand is None:
        from synthprobe_demo.demonstration import demonstrate

        raise typer.Exit(0 if demonstrate(workers=workers) else 1)


@app.command("serve")
def serve_centre(
    port: Annotated[int, typer.Option(help="Port of the centre; 0 takes a free one.")] = 8911,
    control_port: Annotated[int, typer.Option(help="Port of the fault control; 0 takes a free one.")] = 0,
) -> None:
    """Serve the dispatch centre until Ctrl-C, and print its address."""
    from synthprobe.cli.terminal import open_console
    from synthprobe.errors import ToolError
    from synthprobe_demo.centre import Address, serve

    console = open_console()

    def ready(address: Address) -> None:
        console.print(f"The dispatch centre is up at {address.base_url}")
        console.print(f"Fault control at {address.control_url}, X-Control-Token: {address.control_token}")

    try:
        serve(port=port, control_port=control_port, ready=ready)
    except OSError as error:
        raise ToolError(
            f"The dispatch centre cannot listen: {error.strerror or error}. Choose another port with --port, "
            "or let the system choose with --port 0."
        ) from None
