"""The options that many verbs take, each with one meaning and one text."""

import argparse


def add_ledger(parser: argparse.ArgumentParser) -> None:
    """`--ledger URL`: which MLflow is asked."""
    text = "the MLflow server (else MLFLOW_TRACKING_URI, else the local stack's)"
    parser.add_argument("--ledger", metavar="URL", help=text)


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`: what a script reads."""
    parser.add_argument("--json", action="store_true", help="print data instead of text")
