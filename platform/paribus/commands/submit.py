"""`paribus submit`: a study as a job of the stack that is up, or of another cluster, from any folder."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from paribus.host.home import home
from paribus.host.say import say, warn
from paribus.study import Study, StudyError
from paribus.study.searches.search import Search

_EXAMPLES = """examples:
  paribus submit studies/width.py                              on the stack that `paribus up` started; follows its log
  paribus submit studies/width.py --replicates 3               what comes after the file are options of `run`
  paribus submit --no-wait studies/width.py                    says how to see it again, and comes back
  paribus submit --address http://head:8265 studies/width.py   on another cluster

The file's folder travels, without .paribus, .git, environments, *.tar and *.pt; what else to leave out is named in a
.rayignore there. The exit code is that of `run`; Ctrl-C ends the following, and the job goes on.
"""


def register(verbs: Any, whole: argparse.ArgumentParser) -> None:
    """Add the command; `whole` is the parser of all of them."""
    parser = verbs.add_parser(
        "submit",
        help="run a study as a job of the stack that is up, or of another Ray cluster, from any folder",
        description="Run a study as a job of the stack that is up, or of another Ray cluster, from any folder.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--address", metavar="URL", help="of Ray's dashboard (else RAY_API_SERVER_ADDRESS, else the stack's)")
    add("--no-wait", action="store_true", help="come back at once instead of following the log")
    add("file", metavar="FILE", help="a study file, such as studies/width.py")
    add("options", metavar="OPTION", nargs=argparse.REMAINDER, help="options of `paribus run`, such as --replicates 3")
    parser.set_defaults(run=_run, whole=whole)


def _run(args: argparse.Namespace) -> int:
    from paribus.execution.submission import follow, submit
    from paribus.local.cluster import settle_access
    from paribus.recipe.paths import parse_assignment
    from paribus.study.study_file import load_study, places_of

    asked = args.whole.parse_args(["run", args.file, *args.options])  # a wrong option is told here, not by the job
    study = load_study(args.file)
    if asked.base or asked.settings:
        study = study.vary(base=asked.base, fixed=dict(parse_assignment(text) for text in asked.settings))
    _check_travels(study)
    path = Path(args.file)
    if path.suffix != ".py":
        raise StudyError(f"{args.file!r} is no Python file: a job runs a study file, such as studies/width.py")
    named = args.address or os.environ.get("RAY_API_SERVER_ADDRESS")
    address, of = (named, home()) if named else _stack_for(path)
    settle_access(of, address)
    root = places_of(path)[1]
    job = submit(address, root, path.resolve().relative_to(root).as_posix(), args.options, os.environ)
    again = f"ray job logs --follow --address {address} {job}"
    say(f"submitted to {address} as {job}\n  its log:  {again}\n  stop it:  ray job stop --address {address} {job}")
    if args.no_wait:
        return 0
    try:
        return follow(address, job)
    except KeyboardInterrupt:
        warn(f"\nthe job goes on: {again}")
        raise


def _check_travels(study: Study | Search) -> None:
    """StudyError for shards that the job would look for in its own folder, to which they do not travel."""
    recipes = study.examples if isinstance(study, Search) else [study.recipe_of(arm) for arm in study.arms]
    for place in dict.fromkeys(recipe.data.shards for recipe in recipes):
        if place is not None and "://" not in place and not Path(place).is_absolute():
            raise StudyError(
                f"data.shards = {place!r} is named from this folder, and a job begins in a folder of its own, to which "
                f"no shards travel: write {str(Path(place).resolve())!r}, which has to lie on every node"
            )


def _stack_for(path: Path) -> tuple[str, Path]:
    """Ray's address and the home of the stack that is up: of this folder, else of the project in which the file lies.

    Raises StackError where neither is.
    """
    from paribus.local import stack

    of_file = home(path.resolve().parent)
    found = home() if of_file == home() or stack.status(home()).is_up("ray") else of_file
    return stack.status(found).url("ray"), found
