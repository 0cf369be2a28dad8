"""`paribus up`, `down` and `doctor`: what runs beside a study on this machine."""

from __future__ import annotations

import argparse
from typing import Any

from paribus.commands.shared_options import add_json


def register(verbs: Any) -> None:
    """Add the three to the command line's subparsers."""
    texts = {
        "up": ("start what is not running of Ray, MLflow and the dashboard, on loopback", "then: ray job submit FILE"),
        "down": ("end what `up` started, and nothing else", "running studies are stopped in order first"),
        "doctor": ("say what is missing, busy or wrong, and what to do", "--json gives data for a script"),
    }
    parsers = {
        verb: verbs.add_parser(
            verb, help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=f"example: paribus {verb}    {hint}"
        )
        for verb, (text, hint) in texts.items()
    }
    up = parsers["up"]
    where = "keep records in PostgreSQL: postgresql://USER@HOST/DB, its password in ~/.pgpass (or: sqlite)"
    up.add_argument("--ledger", metavar="URL", dest="database", help=where)
    up.add_argument("--no-token", action="store_true", help="let Ray ask for none: others of this machine get in too")
    up.add_argument("--metrics", action="store_true", help="have Ray serve its figures to Prometheus, on loopback")
    up.add_argument("--host", metavar="ADDRESS", default="127.0.0.1", help="this machine's, where others join its Ray")
    up.set_defaults(run=_up)
    parsers["down"].set_defaults(run=_down)
    doctor = parsers["doctor"]
    add_json(doctor)
    doctor.set_defaults(run=_doctor)


def _up(args: argparse.Namespace) -> int:
    from paribus.local import stack

    if args.database is not None:
        from paribus.commands.ledger.whole import use_database

        use_database(args.database)
    chosen: dict[str, Any] = {"token_file": None} if args.no_token else {}
    stack.up(stack.Settings(**chosen, metrics=args.metrics, host=args.host))
    return 0


def _down(args: argparse.Namespace) -> int:
    from paribus.local import stack

    stack.down()
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from paribus.local import doctor

    return doctor.main(as_json=args.json)
