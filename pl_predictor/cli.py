"""`pl-predictor`: the platform from a terminal. Results go to stdout, progress to stderr, errors are one sentence."""

import gc
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from pl_predictor.core.errors import PredictorError
from pl_predictor.settings import get_settings


class _Commands(click.Group):
    """Shows the errors that are meant for a person as one sentence, and everything else as the bug it is."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PredictorError as error:
            click.echo(f"pl-predictor: {error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            ctx.exit(130)
        finally:
            # An ending interpreter looks at every object once more: seconds, after MLflow and Evidently, for nothing.
            gc.freeze()


def _say(line: str) -> None:
    with suppress(OSError):  # the terminal was closed: nobody to tell, and what is under way goes on
        click.echo(line, err=True)


@click.group(cls=_Commands)
def main() -> None:
    """Premier League forecasts that keep themselves honest."""
    # A request to end unwinds what is under way, as Ctrl-C does: without it PostgreSQL would stay behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    # Dagster gives SIGTERM what SIGINT has, and a script's background jobs begin with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@main.command()
@click.option("--attached", is_flag=True, help="stop, too, when the process that started this one is gone")
def up(attached: bool) -> None:
    """Start everything, run the loop once, stay until Ctrl-C."""
    from pl_predictor.services.up import up as start

    sys.exit(start(get_settings(), _say, attached=attached))


@main.command()
@click.option("--as-of", metavar="DATE", help="the moment to take for now, UTC: 2023-12-29 or 2023-12-29T20:00")
@click.option("--json", "as_json", is_flag=True, help="print forecasts and metrics as JSON")
@click.option(
    "--first-start", is_flag=True, hidden=True, help="live the weeks before, too, if nothing was forecast yet"
)
def run(as_of: str | None, as_json: bool, first_start: bool) -> None:
    """The loop once: matches, model, forecasts, metrics, drift."""
    from pl_predictor.services.environment import ready
    from pl_predictor.services.loop import run_loop
    from pl_predictor.services.replay import start
    from pl_predictor.services.report import as_document, print_result

    # Importing MLflow and Evidently makes millions of objects that stay: collecting garbage in between takes 2 s of 14.
    gc.disable()
    # Steps redirect stderr into Dagster's logs while they run; progress goes to the terminal all the same.
    with ready(get_settings()) as settings, os.fdopen(os.dup(2), "w") as terminal:

        def say(line: str) -> None:
            print(line, file=terminal, flush=True)

        result = start(settings, say) if first_start else run_loop(settings, say, as_of)
    if as_json:
        click.echo(json.dumps(as_document(result), indent=2, allow_nan=False))
    else:
        print_result(result)


@main.command()
@click.option(
    "--first", type=int, required=True, metavar="SEASON", help="the first season to forecast: 2012 is 2012/13"
)
@click.option("--last", type=int, required=True, metavar="SEASON", help="the last one")
@click.option("--no-odds", is_flag=True, help="forecast without any bookmaker's odds")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="write a forecast a row to this CSV file")
@click.option("--bets", is_flag=True, help="bet on paper by these forecasts, and print what that would have won")
def backtest(first: int, last: int, no_odds: bool, out: Path | None, bets: bool) -> None:
    """The forecaster tried on past seasons of the source, as it would have lived them; prints its scores."""
    from pl_predictor.resources.policy import Policy
    from pl_predictor.services import backtest as backtesting
    from pl_predictor.services.betting_report import print_bets
    from pl_predictor.services.environment import ready
    from pl_predictor.services.report import print_scorecard

    gc.disable()
    with ready(get_settings()) as settings:
        done = backtesting.backtest(settings, first=first, last=last, odds=not no_odds)
    if out is not None:
        backtesting.write(done.forecasts, out)
    print_scorecard(done.forecasts)
    if bets:
        print_bets(done.forecasts, done.matches, Policy.from_settings(settings).betting(), done.as_of)


@main.command()
@click.option("--first", metavar="DATE", help="the first moment to live, UTC; else a step after what was lived")
@click.option("--last", metavar="DATE", help="the last one; else the source's end")
@click.option("--step", type=click.Choice(["week", "day"]), default="week", show_default=True)
@click.option(
    "--every",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="from tick to tick; one that fails is tried again, up to three times",
)
@click.option("--in-process", is_flag=True, help="quickly: in this process, without the daemon and its sensors")
def replay(first: str | None, last: str | None, step: str, every: float, in_process: bool) -> None:
    """Live a past season again: forecasts, results, checks, retrainings, promotions, exactly as live.

    The servers of this home must run (`make up`), unless it is lived in this process, as the past of a live source is:
    in a home (PL_HOME) that has not lived the present.
    """
    from pl_predictor.services import replay as replaying
    from pl_predictor.services.environment import ready
    from pl_predictor.services.report import print_result
    from pl_predictor.settings import parse_as_of

    gc.disable()
    begin, end = (
        None if day is None else parse_as_of(day, name) for day, name in ((first, "--first"), (last, "--last"))
    )
    with ready(get_settings()) as settings:
        if not in_process:
            replaying.live_under_the_daemon(settings, begin, end, step, _say, seconds=every)
        elif begin is None or end is None:
            raise PredictorError("a replay in this process needs --first and --last")
        else:
            result = replaying.live_in_this_process(settings, replaying.moments(begin, end, step), step, _say)
            if result is not None:
                print_result(result)


@main.command()
@click.option("--reason", required=True, help="why: it is recorded")
def rollback(reason: str) -> None:
    """Let the previous champion serve again."""
    from pl_predictor.services.environment import ready
    from pl_predictor.services.loop import roll_back

    with ready(get_settings()) as settings:
        click.echo(roll_back(settings, reason))


@main.command()
@click.option("--fresh-start", is_flag=True, help="nothing of the platform runs: fail the runs that never ended")
def migrate(fresh_start: bool) -> None:
    """Bring the tables of the platform and of Dagster up to date."""
    from pl_predictor.services.environment import ready
    from pl_predictor.services.loop import migrate as bring_up_to_date

    with ready(get_settings()) as settings:
        bring_up_to_date(settings, _say, fresh_start=fresh_start)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="print as JSON")
def status(as_json: bool) -> None:
    """What is running, how old the data are, who is champion; exit code 0 if healthy."""
    from pl_predictor.services.status import look, print_status

    found = look(get_settings())
    if as_json:
        click.echo(json.dumps(found.as_document(), indent=2, allow_nan=False))
    else:
        print_status(found)
    sys.exit(0 if found.healthy else 1)


@main.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(command: tuple[str, ...]) -> None:
    """Run COMMAND with the platform's database and environment: pl-predictor exec dagster asset list."""
    import shutil
    import subprocess

    from pl_predictor.services.environment import ready

    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    program = shutil.which(command[0], path=path)
    if program is None:
        raise PredictorError(f"there is no program {command[0]!r}: name one that is on PATH or in the platform's .venv")
    with ready(get_settings()):
        done = subprocess.run([program, *command[1:]], env={**os.environ, "PATH": path}, check=False)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
