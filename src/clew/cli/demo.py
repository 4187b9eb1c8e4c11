"""``clew demo``: the demo shop, when it is installed."""

from __future__ import annotations

import click

from clew.cli.client import CommandError


@click.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []},
    short_help="Start Clew and a shop with troubles; Ctrl-C stops all of it.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def demo(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Start Clew and a shop with troubles, and let Clew name the stuck and lost orders."""
    try:
        from clew_demo import main
    except ModuleNotFoundError as error:
        if error.name != "clew_demo":
            raise
        raise CommandError(
            "the demo shop isn't installed", "run `make demo` in Clew's source tree, or pip install clew-demo"
        ) from error
    context.exit(main(list(arguments)))
