"""`paribus verify`: is a page what its own runs make, and are those the ledger's?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.commands.shared_options import add_json
from paribus.host.say import say
from paribus.host.secrets import without_secrets

if TYPE_CHECKING:
    from paribus.report.page.made import Draw
    from paribus.report.page.verification import Verification

_TEXT = "is a page of `report --html` or `judge --html` what its own runs make? Every number, word and mark in it"
_WORDS = {0: "proven", 1: "NOT what its runs make", 2: "cannot be verified"}
_END = """exit code: 0 all that it shows follows from its runs (and, with --ledger, those are the ledger's), 1 something
is altered or differs, and where, 2 it cannot be verified: no page, an older one, one of another rule"""


def register(verbs: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "verify",
        help=_TEXT,
        description=f"{_TEXT[0].upper()}{_TEXT[1:]}.",
        epilog=f"example:\n  paribus verify report.html --ledger http://127.0.0.1:5000\n\n{_END}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("page", metavar="PAGE", help="the file")
    parser.add_argument("--ledger", metavar="URL", help="also compare each trial with what this ledger holds of it")
    add_json(parser)
    parser.set_defaults(run=_verify)


def _verify(args: argparse.Namespace) -> int:
    from paribus.report.page.sheet import PageError
    from paribus.report.page.verification import UNPROVABLE, Verification, verify_page

    try:
        found, document = verify_page(_text_of(Path(args.page)), _kinds())
        if args.ledger and document["made"]["kind"] == "study":
            found = _beside(found, document, args.ledger)
        elif args.ledger:
            raise PageError("its runs were made elsewhere, and no ledger of Paribus has them: leave --ledger out")
    except PageError as error:
        found = Verification(code=UNPROVABLE, facts=(), faults=(str(error),))
    if args.json:
        say(json.dumps({"code": found.code, "facts": found.facts, "faults": found.faults}, indent=2))
    else:
        lines = [f"{args.page}: {_WORDS[found.code]}", *(f"  {line}" for line in (*found.facts, *found.faults))]
        say("\n".join(lines))
    return found.code


def _beside(found: Verification, document: Mapping[str, Any], ledger: str) -> Verification:
    """With what the ledger says; one that does not answer proves nothing and refutes nothing."""
    from paribus.report.page.ledger_check import beside_ledger
    from paribus.report.page.verification import UNPROVABLE
    from paribus.report.reading import LedgerError, LedgerUnreachable

    try:
        return beside_ledger(found, document, ledger)
    except (LedgerError, LedgerUnreachable) as error:
        faults = (*found.faults, without_secrets(str(error)))
        return replace(found, code=found.code or UNPROVABLE, faults=faults)


def _kinds() -> dict[str, Draw]:
    from paribus.report.drawing import html_page
    from paribus.results import page as results_page

    return {html_page.KIND: html_page.study_sheet, results_page.KIND: results_page.judgement_sheet}


def _text_of(path: Path) -> str:
    """The page as it was written. Raises PageError for what is no file, or no text."""
    from paribus.report.page.sheet import PageError

    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise PageError("it is no text in UTF-8") from None
    except OSError as error:
        raise PageError(f"it cannot be read: {error.strerror}") from None
