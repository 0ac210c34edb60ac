"""``synthprobe demo``: the dispatch centre, watched, served and broken."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

app = typer.Typer()

_NEEDED = ("sse_starlette", "starlette", "uvicorn")


def _complete_switches(incomplete: str) -> list[str]:
    from synthprobe_demo.faults import DECOYS, NAMES

    return [name for name in (*NAMES, *DECOYS) if name.startswith(incomplete)]


@app.callback(
    help="The dispatch centre: a system to watch, and faults to find.",
    invoke_without_command=True,
    rich_help_panel="Demo",
)
def demo(
    context: typer.Context,
    workers: Annotated[int, typer.Option("--workers", "-n", help="Parallel workers.", min=0)] = 3,
    fleet: Annotated[bool, typer.Option("--fleet", help="Watch it from three locations; takes five minutes.")] = False,
) -> None:
    """Watch the dispatch centre healthy, then with two faults, and build the report.

    Exit code 0 only if exactly the injected faults were found. With --fleet PostgreSQL, Temporal's server and three
    workers are real: one location loses its network, then the centre breaks. Exit code 0 only if there is one incident
    of the location, one of the centre, and one alert each.
    """
    if context.invoked_subcommand is None:
        _require_extra()
        if fleet:
            from synthprobe_demo.fleet import demonstrate as watch_from_several_places

            raise typer.Exit(0 if watch_from_several_places() else 1)
        from synthprobe_demo.demonstration import demonstrate

        raise typer.Exit(0 if demonstrate(workers=workers) else 1)


@app.command("serve")
def serve_centre(
    port: Annotated[int, typer.Option(help="Port of the centre; 0 takes a free one.", min=0, max=65535)] = 8911,
    control_port: Annotated[
        int, typer.Option(help="Port of the fault control; 0 takes a free one.", min=0, max=65535)
    ] = 0,
) -> None:
    """Serve the dispatch centre until Ctrl-C, and print its address."""
    _require_extra()
    from synthprobe.cli.terminal import open_console
    from synthprobe.errors import ToolError
    from synthprobe_demo.centre import Address, serve
    from synthprobe_demo.switchboard import forget_address, keep_address

    console = open_console()

    def ready(address: Address) -> None:
        keep_address(address.control_url, address.control_token)
        console.print(f"The dispatch centre is up at {address.base_url}")
        console.print(f"Fault control at {address.control_url}, X-Control-Token: {address.control_token}")
        console.print("Break it: synthprobe demo fault NAME on. Which faults there are: synthprobe demo fault")

    try:
        serve(port=port, control_port=control_port, ready=ready)
    except OSError as error:
        raise ToolError(
            f"The dispatch centre cannot listen: {error.strerror or error}. Choose another port with --port, "
            "or let the system choose with --port 0."
        ) from None
    finally:
        forget_address()


@app.command("fault")
def switch_fault(
    name: Annotated[
        str | None, typer.Argument(help="The fault or decoy; all without it.", autocompletion=_complete_switches)
    ] = None,
    state: Annotated[str | None, typer.Argument(help="`on` or `off`.", metavar="on|off")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """Switch a fault of the centre that `synthprobe demo serve` serves; without NAME, list them and which are on."""
    from synthprobe.cli.terminal import open_console
    from synthprobe.errors import ConfigurationError
    from synthprobe_demo.switchboard import switch

    if name is None:
        _list_faults(as_json=as_json)
        return
    if state not in {"on", "off"}:
        raise ConfigurationError(f"{name!r} cannot be switched {state!r}; on or off was expected.")
    switch(name, on=state == "on")
    open_console().print(f"{name} is {state}.")


def _list_faults(*, as_json: bool) -> None:
    from synthprobe.cli.terminal import open_console, print_json, print_records
    from synthprobe_demo.faults import DECOYS, KINDS
    from synthprobe_demo.switchboard import switched_on

    on = switched_on()
    faults = [(fault.name, str(fault.cause), fault.summary) for fault in KINDS]
    known = [*faults, *((name, "decoy", summary) for name, summary in DECOYS.items())]
    if as_json:
        keys = ("name", "cause", "summary")
        print_json({"faults": [dict(zip(keys, row, strict=True)) | {"on": row[0] in on} for row in known]})
        return
    rows = [(name, "on" if name in on else "", cause, summary) for name, cause, summary in known]
    headings = ("Fault", "On", "Cause", "What a dispatcher notices")
    print_records(open_console(), headings, rows, whole={"Fault", "On", "Cause"})


def _require_extra() -> None:
    if not all(map(find_spec, _NEEDED)):
        from synthprobe.errors import ToolError

        raise ToolError(
            "The dispatch centre needs the extra `demo`, which is not installed. Install it: "
            "pip install 'synthprobe[demo]'. To watch a system of your own, begin with: synthprobe init"
        )
