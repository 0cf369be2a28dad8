"""`paribus fields`: what a recipe has, what each field takes, its default, what it does and where it comes from."""

from __future__ import annotations

import argparse
import json
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.commands.shared_options import add_json
from paribus.host.say import say

if TYPE_CHECKING:
    from paribus.recipe.fields import RecipeField

_EXAMPLES = """examples:
  paribus fields                          all of them
  paribus fields optimizer                those of a part, of all its kinds
  paribus fields model.order              one, with all that its part says
  paribus fields smoothing                those with this word in path or text
  paribus fields data --base imagenet     with the values of a preset
  paribus fields torch:NAdam              the arguments of a component from outside, which are fields too
  paribus fields my_parts:Snake           of a file in this folder

any of them may be a factor of a study, be fixed in it, or be set by --set PATH=VALUE
"""
_WIDTH = 120
_MOST_KINDS = 4


def register(verbs: Any) -> None:
    """Add the command."""
    parser = verbs.add_parser(
        "fields",
        help="the fields of a recipe: what each takes, its default, what it does and who published it",
        description="The fields of a recipe: what each takes, its default, what it does and who published it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("words", metavar="PATH", nargs="*", help="a path or the beginning of one, words to look for, or module:Name")
    base = os.environ.get("PARIBUS_BASE")
    add("--base", metavar="NAME", default=base, help="the values of a preset in place of the defaults (PARIBUS_BASE)")
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from paribus.recipe.components.own import is_own
    from paribus.recipe.fields import at_base, fields_named, recipe_fields
    from paribus.recipe.presets import preset

    if len(args.words) == 1 and is_own(args.words[0]):
        return _own(args.words[0], as_json=args.json)
    known: Sequence[RecipeField] = recipe_fields()
    if args.base:
        known = at_base(known, preset(args.base))
    found = fields_named(args.words, known)
    if args.json:
        say(json.dumps([one.as_dict() for one in found], indent=2))
        return 0
    for one in found:
        say("\n".join(_lines(one)))
    if len({one.path for one in found}) == 1:
        for part in dict.fromkeys(one.part for one in found if one.part):
            say(f"\n{part}")
    return 0


def _own(reference: str, *, as_json: bool) -> int:
    from paribus.plugins import stand_beside
    from paribus.recipe.fields import own_fields

    stand_beside(Path.cwd())
    says, found = own_fields(reference)
    if as_json:
        say(json.dumps([one.as_dict() for one in found], indent=2, default=str))
        return 0
    say("\n".join(filter(None, [reference, textwrap.indent(says, "  ")])))
    if not found:
        say("it takes no arguments that a recipe could set")
        return 0
    say("\nits arguments, each a field of the part that names it:")
    for one in found:
        say("\n".join(_lines(one)))
    return 0


def _lines(one: RecipeField) -> list[str]:
    """The path with what it takes and its default, and what it does below."""
    named = [kind for kind in one.kinds if f"({kind})" not in one.default and f"{kind}, " not in one.default]
    more = f" and {len(named) - _MOST_KINDS} more" if len(named) > _MOST_KINDS else ""
    kinds = f" [{', '.join(named[:_MOST_KINDS])}{more}]" if len(named) == len(one.kinds) > 0 else ""
    source = f" ({one.source})" if one.source and one.source not in one.does else ""
    apart = "" if one.bears_on_results else "; no result depends on it"
    head = f"{one.path} = {one.default}{kinds}: {one.takes}"
    below = f"{one.does}{source}{apart}"
    return [head, *textwrap.wrap(below, _WIDTH, initial_indent="    ", subsequent_indent="    ")]
