"""The command line: `paribus VERB ...`, and the same study verbs on a study file. Starts in under a second."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from io import TextIOWrapper
from types import ModuleType
from typing import TYPE_CHECKING, Any

from paribus.commands.answer import Answer
from paribus.commands.shared_options import add_json, add_ledger
from paribus.host.home import place_fault
from paribus.host.interruption import GO_ON, Stop, stoppable
from paribus.host.option_types import whole
from paribus.recipe.errors import nearest
from paribus.study import Study, StudyError
from paribus.study.searches.search import Search
from paribus.study.words import printable

if TYPE_CHECKING:
    from paribus.engine.options import Options

_VERBS = {
    "plan": "which trials there are, what is left to do, what it can detect and what it costs; trains nothing",
    "pilot": "train the baseline alone for a few replicates: its spread, its time, and what the study then takes",
    "run": "do what the plan says: finished trials are skipped, interrupted ones resumed, failed ones tried again",
    "status": "how far the study is: trials by outcome, what runs now, what failed and why",
    "report": "effects with intervals, verdicts and the claim; works on partial results",
    "retry": "run the failed trials alone",
    "export": "every trial's result as CSV (or --json): one row a trial",
}
_OR_NAME = "or the name of what the ledger has, as `paribus studies` lists it"
_FILE = "a study file, such as studies/width.py; or the study.json that a ledger keeps of one"
_EXAMPLES = """examples:
  paribus plan studies/width.py                       what would run, and what it can tell
  paribus run studies/width.py --set budget="2 epochs" --replicates 3
  paribus submit studies/residual_scale.py            the same as a job of the cluster that `paribus up` started
  paribus report studies/width.py --html width.html   one page to send to a colleague
  paribus run studies/rate_search.py                  a search whose best settings are judged on fresh seeds
  paribus judge runs.csv --baseline relu --margin 0.5  a verdict for results that were made elsewhere
  paribus studies                                     what is in the ledger, which `report NAME` judges
  paribus fields optimizer                            what may be varied, fixed or set, and what each field takes
  paribus init widths                                 a study of your own, outside any checkout
  paribus doctor                                      what is missing, busy or wrong
"""
_VERB_EXAMPLES = {
    "plan": ("--replicates 10", "what five more replicates would cost and show"),
    "pilot": ("--replicates 3", "three runs; they are the study's own, so that `run` goes on from them"),
    "run": ('--set budget="2 epochs" --replicates 3', "a quick look, with trials and verdicts of its own"),
    "status": ("--json", "one record a trial, for a script"),
    "report": ("--html report.html", "one page to send to a colleague"),
    "retry": ("", "after mending what `status` says is broken"),
    "export": ("> trials.csv", "for a notebook"),
}
# What the verbs take when they are called in Python.
_OPTIONS = {
    "plan": ("ledger", "accept_code", "redo"),
    "run": ("ledger", "accept_code", "redo", "cpus", "share", "fresh", "html", "markdown", "latex"),
    "status": ("ledger",),
    "report": ("ledger", "fresh", "html", "markdown", "latex"),
}
_TRAINS = ("pilot", "run", "retry")
# What answers each of them.
_ASKED = {"plan": "planned", "run": "ran", "status": "recorded", "report": "judged"}
_STUDY_EXAMPLES = """examples:
  {name} plan                                   what would run, and what it can tell
  {name}                                        run it, or complete it
  {name} run --replicates 10                    add replicates: only the new ones are trained
  {name} run --base cifar10 --set resources.gpus=0.5
  {name} report --html report.html
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The `paribus` command; returns the exit code."""
    return _guarded(parser(), list(sys.argv[1:] if arguments is None else arguments))


def study_main(study: Study | Search, arguments: Sequence[str]) -> int:
    """A study file as a command: `plan`, `run` (also with no verb), `status`, `report`, `retry`, `export`."""
    name = printable(os.path.relpath(sys.argv[0])) if sys.argv[0] else f"studies/{study.name}.py"
    parser = argparse.ArgumentParser(
        prog=name,
        description=study.question,
        epilog=_STUDY_EXAMPLES.format(name=name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, text in _VERBS.items():
        _add_verb(verbs, verb, text, f"{name} {verb}").set_defaults(run=_study_verb, study=study)
    given = list(arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help")):
        given.insert(0, "run")
    return _guarded(parser, given)


def study_answer(study: Study | Search, verb: str, options: dict[str, Any]) -> Answer:
    """What a verb finds, as an object; `options` are those of the command, by name.

    Raises:
        StudyError: an option that the verb has not.
    """
    from paribus.engine.options import Options
    from paribus.shards.catalog import manifests_read_once

    allowed = _OPTIONS[verb]
    if unknown := sorted(set(options) - set(allowed)):
        raise StudyError(f"{verb} has no option {unknown[0]!r}: {nearest(unknown[0], allowed, in_full=True)}")
    with manifests_read_once():
        found: Answer = getattr(_verbs_of(study), _ASKED[verb])(
            _matched(study), _placed(Options(**options), verb, study)
        )
        return found


def _verbs_of(study: Study | Search) -> ModuleType:
    """The verbs of a study, of one whose arms are tuned first, or of a search."""
    if isinstance(study, Search):
        from paribus.commands.study import search_verbs  # imports what plans of studies do not need

        return search_verbs
    if study.nuisance and not study.tuned:
        from paribus.commands.study import tuned_verbs

        return tuned_verbs
    from paribus.commands.study import study_verbs

    return study_verbs


def _guarded(parser: argparse.ArgumentParser, arguments: list[str]) -> int:
    """Run the chosen verb; what a person got wrong is a sentence on stderr and exit code 2, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a file's name need not be UTF-8, and is to be shown all the same
            stream.reconfigure(errors="backslashreplace")
    if not arguments:  # who types nothing but the name asks what there is
        parser.print_help(sys.stderr)
        return 2
    args = parser.parse_args(arguments)
    with stoppable(parser.prog) as stop:
        return _run(parser, args, stop)


def _run(parser: argparse.ArgumentParser, args: argparse.Namespace, stop: Stop) -> int:
    try:
        return int(args.run(args))
    except (Exception, KeyboardInterrupt) as error:
        if not stop.number and not isinstance(error, KeyboardInterrupt):
            return _said(parser.prog, error)
        # Whatever went wrong after a signal came of it: who reads what is printed, and workers, get it too.
        text = str(error) if isinstance(error, KeyboardInterrupt) and str(error) else GO_ON
        with suppress(OSError):  # the terminal may be gone
            print(f"\n{parser.prog}: {text}", file=sys.stderr)
        return stop.code


def _said(program: str, error: Exception) -> int:
    """Say in a sentence what a person got wrong, or what is wrong around; returns the exit code. Else raises it."""
    if isinstance(error, BrokenPipeError):  # `| head` is no error
        sys.stderr.close()
        return 0
    from paribus.host.secrets import without_secrets

    if isinstance(error, OSError) and error.filename is not None:
        # A place of the person's; the home has a sentence of its own, the others no room of ours has a better one for.
        text = place_fault(error) or f"{error.filename} cannot be used: {error.strerror}"
        print(f"{program}: {without_secrets(text)}", file=sys.stderr)
        return 1
    # Our own errors are written for people: ValueErrors say what was asked wrongly (recipe, study, analysis),
    # RuntimeErrors what is wrong around it (ledger, data, cluster, stack).
    if isinstance(error, (ValueError, RuntimeError)) and type(error).__module__.startswith("paribus."):
        print(f"{program}: {without_secrets(str(error))}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    raise error


def parser() -> argparse.ArgumentParser:
    """All of the command line."""
    parser = argparse.ArgumentParser(
        prog="paribus",
        description="Ablation studies that end in a number, an interval and a verdict.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, text in _VERBS.items():
        study_verb = _add_verb(verbs, verb, text, f"paribus {verb} studies/width.py")
        by_name = verb in ("status", "report", "export")
        study_verb.add_argument("file", metavar="FILE", help=f"{_FILE}; {_OR_NAME}" if by_name else _FILE)
        if by_name:
            study_verb.add_argument("--settings", metavar="WORDS", dest="at", help="of a name: at which settings")
        study_verb.set_defaults(run=_file_verb)
    from paribus.commands.data_hash import register as register_data
    from paribus.commands.evaluate import register as register_evaluate
    from paribus.commands.fields import register as register_fields
    from paribus.commands.init import register as register_init
    from paribus.commands.judge import register as register_judge
    from paribus.commands.ledger.waiting import register as register_ledger
    from paribus.commands.logs import register as register_logs
    from paribus.commands.models import register as register_models
    from paribus.commands.shards import register as register_shards
    from paribus.commands.simulate import register as register_simulate
    from paribus.commands.stack import register as register_stack
    from paribus.commands.study.pause import register as register_pause
    from paribus.commands.study.search import register as register_search
    from paribus.commands.study.studies import register as register_studies
    from paribus.commands.submit import register as register_submit
    from paribus.commands.verify import register as register_verify

    register_submit(verbs, parser)
    register_studies(verbs)
    register_pause(verbs)
    register_logs(verbs)
    register_init(verbs)
    register_search(verbs)
    register_simulate(verbs)
    register_judge(verbs)
    register_verify(verbs)
    register_evaluate(verbs)
    register_shards(verbs)
    register_data(verbs)
    register_models(verbs)
    register_fields(verbs)
    register_ledger(verbs)
    register_stack(verbs)
    return parser


def _add_verb(verbs: Any, verb: str, text: str, command: str) -> argparse.ArgumentParser:
    words, purpose = _VERB_EXAMPLES[verb]
    parser: argparse.ArgumentParser = verbs.add_parser(
        verb,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=f"example:\n  {command} {words}".rstrip() + f"    {purpose}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--base", metavar="NAME", default=os.environ.get("PARIBUS_BASE"), help="another preset (also PARIBUS_BASE)")
    add("--set", metavar="PATH=VALUE", action="append", default=[], dest="settings", help="fix any recipe field")
    if verb == "pilot":
        add("--replicates", type=whole(0), metavar="R", dest="pilot", help="of the baseline (default 4)")
        parser.set_defaults(replicates=None)
    else:
        add(
            "--replicates",
            type=whole(0),
            metavar="R",
            help="another number of replicates (of a search: of its confirmation)",
        )
    add("--trials", type=whole(0), metavar="N", help="of a search: another number of settings to try")
    add_ledger(parser)
    if verb in ("plan", "pilot", "run", "retry"):
        add("--accept-code", action="store_true", help="reuse finished trials that other code made")
        add("--redo", action="store_true", help="train again what other code made")
    if verb in ("pilot", "run", "retry"):
        add("--cpus", type=whole(1), metavar="N", help="CPUs of the Ray that is started where none runs")
        add("--share", type=whole(1), metavar="N", default=1, help="its weight beside other studies on the cluster")
    if verb in ("run", "report"):
        add("--fresh", action="store_true", help="judge on the replicates alone that were added since the last look")
    if verb == "report":
        add("--html", metavar="FILE", help="also write one page with plots, which `paribus verify` proves")
        add("--markdown", metavar="FILE", help="also write it as Markdown, for a pull request")
        add("--latex", metavar="FILE", help="also write the tables as LaTeX (booktabs)")
    if verb not in ("pilot", "run", "retry"):
        add_json(parser)
    return parser


def _file_verb(args: argparse.Namespace) -> int:
    from paribus.study.study_file import load_study

    if hasattr(args, "at"):
        from paribus.commands.study.named import is_name, verb_by_name

        if is_name(args.file):
            return verb_by_name(args, _options(args))
        if args.at is not None:
            raise StudyError("--settings is for a name in the ledger: a study file's settings are varied by --set")
    args.study = load_study(args.file)
    return _study_verb(args)


def _study_verb(args: argparse.Namespace) -> int:
    from paribus.shards.catalog import manifests_read_once

    study, args.declared = _varied(args.study, args), args.study
    with manifests_read_once():
        verbs = _verbs_of(study)
        if not hasattr(verbs, args.verb):
            raise StudyError(
                f"{args.verb} is for a study whose arms are known, and {study.name} finds settings first: `plan` says "
                "what it takes"
            )
        found: int = getattr(verbs, args.verb)(_matched(study), _placed(_options(args), args.verb, study))
        return found


def _placed(options: Options, verb: str, study: Study | Search) -> Options:
    """The options with the stack's Ray, where one is up to be joined by what trains.

    Raises:
        ClusterError: a plan is for trials for which no node has room.
    """
    if verb not in ("plan", *_TRAINS):
        return options
    from paribus.execution.room import check_room
    from paribus.host.home import home
    from paribus.host.say import warn
    from paribus.host.storage import STORAGE
    from paribus.local.cluster import nodes_of, settle_access, to_join

    if verb == "plan":
        recipes = study.examples if isinstance(study, Search) else [study.recipe_of(arm) for arm in study.arms]
        needs_gpus = any(recipe.resources.gpus for recipe in recipes)
        if nodes := nodes_of(home(), options.cpus, needs_gpus=needs_gpus):
            check_room(recipes, nodes)
        if len(nodes) > 1 and not os.environ.get(STORAGE):
            warn(
                f"note: the cluster has {len(nodes)} nodes, and {STORAGE} names no folder that all of them have: on a "
                f"node without {home()} checkpoints stay there, so that a trial whose node is lost begins again from "
                "step 0 on another one. `run` asks each node"
            )
        return options
    stack = to_join(home(), options.cpus)
    if stack:
        settle_access(home())
    return replace(options, stack=stack)


def _matched(study: Study | Search) -> Study | Search:
    """The study with its arms matched, if they are to be."""
    if isinstance(study, Search) or not study.match:
        return study
    from paribus.engine.matched_arms import matched
    from paribus.host.home import home

    return matched(study, home())


def _varied(study: Study | Search, args: argparse.Namespace) -> Study | Search:
    from paribus.recipe.paths import parse_assignment

    for text in (args.base or "", *args.settings):
        if not printable(text) == text:
            raise StudyError(f"{text!a} is not UTF-8: a recipe holds nothing else, so rename that file or folder")
    if args.replicates is not None:
        if isinstance(study, Search):
            study = replace(study, confirm=args.replicates)
        else:
            study = replace(study, replicates=args.replicates)
    if args.trials is not None:
        if not isinstance(study, Search):
            raise StudyError("--trials is for a search; a study has --replicates")
        study = replace(study, trials=args.trials)
    if not args.base and not args.settings:
        return study
    return study.vary(base=args.base, fixed=dict(parse_assignment(text) for text in args.settings))


def _options(args: argparse.Namespace) -> Options:
    from dataclasses import fields

    from paribus.engine.options import Options

    return Options(**{field.name: getattr(args, field.name) for field in fields(Options) if hasattr(args, field.name)})
