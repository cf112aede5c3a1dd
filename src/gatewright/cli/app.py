"""The application: all commands, and how errors are reported."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gatewright import __version__
from gatewright.cli import circuits, demo, exports, lists, synth, train
from gatewright.cli.bench import bench
from gatewright.cli.evaluation import evaluate
from gatewright.cli.imports import import_
from gatewright.cli.output import complain
from gatewright.cli.pareto import pareto
from gatewright.cli.report import report
from gatewright.cli.search import search
from gatewright.cli.zoo import zoo
from gatewright.errors import GatewrightError

FAILED = 2
"""Exit code of a command that failed."""


class Commands(TyperGroup):
    """Reports errors of users and their machines by a short message and an exit code, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except GatewrightError as error:
            complain(str(error))
            raise typer.Exit(FAILED) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            complain(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
            raise typer.Exit(FAILED) from error
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            complain("this command needs torch, and circuits alone run without it: pip install torch")
            raise typer.Exit(FAILED) from error
        except MemoryError as error:
            complain("not enough memory; give the command less at once, or run it on a larger machine")
            raise typer.Exit(FAILED) from error
        except KeyboardInterrupt as error:
            complain("interrupted")
            raise typer.Exit(train.STOPPED) from error


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Learn compact Boolean networks, prove them, run them anywhere.",
)


def _version_callback(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gatewright {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    show: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_version_callback)
    ] = False,
) -> None:
    pass


app.command("demo")(demo.demo)
app.command("train")(train.train)
app.command("compile")(circuits.compile_)
app.command("import")(import_)
app.command("info")(circuits.info)
app.command("eval")(evaluate)
app.command("predict")(circuits.predict)
app.command("export")(exports.export_)
app.command("synth")(synth.synth)
app.command("verify")(circuits.verify)
app.command("report")(report)
app.command("pareto")(pareto)
app.command("search")(search)
app.command("zoo")(zoo)
app.command("presets")(lists.presets)
app.command("data")(lists.data)
app.add_typer(bench, name="bench")


def main() -> None:
    """Run the application; `gatewright.__main__` prepares the process."""
    app(prog_name="gatewright")
