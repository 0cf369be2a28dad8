"""Where a recipe's training begins in the sources, and what of it is left out on purpose."""

from paribus.recipe.code.names import Place

# What an executor calls for a trial; the other ranks and the node's reader are processes of their own.
TRAINING = ("training.loop:epochs", "training.ranks.rank:main")
# What results are judged by. Training finds them by listing their room, which no walk over sources sees.
METRICS = ("metrics.top1:METRIC", "metrics.top5:METRIC", "metrics.log_likelihood:METRIC", "metrics.eval_loss:METRIC")
FEED = ("data.feed:open_feed", "data.sharing.recipes:Sources", "data.sharing.recipes:stream_of")
READERS = ("data.sharing.server:Server", "data.sharing.client:Client", "data.sharing.cohorts:Limits")

# Definitions ("module:name") and modules, with all in them, that cannot change the result of a trial, and why.
LEFT_OUT = {
    "metrics": "can be had again from the examples that are kept with a trial, but for those of `METRICS`",
    "recipe.recipe:Recipe": "holds a trial's settings, every one of which is in the trial's id",
    "recipe.seeds:Seeds": "a trial's seeds, all of which are in its id; what is drawn from one is not left out",
    "recipe.part:is_neutral": "for the name of a trial",
    "recipe.part:is_bookkeeping": "for the names of trials and of streams",
    "recipe.identity": "names a trial, and changes nothing in it",
    "recipe.model": "finds a net by its name; a trial's recipe holds the net's fields",
    "recipe.presets": "recipes by name; a trial's recipe is one already",
    "recipe.paths": "sets fields of a recipe before it is a trial's",
    "recipe.errors": "texts",
    "host.secrets": "takes passwords out of texts",
    "host.home": "where files lie",
    "host.progress_bar": "shows how far something is",
    "shards.making": "makes shards, for whose content the data's digest stands",
    "shards.sources": "what shards are made from: the data's digest stands for it",
}
# Of the classes of a recipe's parts, the members that say how a part is called.
UNREAD_MEMBERS = {
    "published": "the nets that papers name: a recipe holds the fields of its net, not its name",
    "name": "what papers call a net, for tables and texts",
}


def place_of(text: str, package: str) -> Place:
    """The definition that a root of this file names."""
    module, _, name = text.partition(":")
    return Place(f"{package}.{module}", name)


# What all metrics are made of, and those that count.
_NOT_LEFT_OUT = frozenset(
    {"metrics.examples", "metrics.known", "metrics.metric", *(each.partition(":")[0] for each in METRICS)}
)


def is_left_out(place: Place, package: str) -> bool:
    """Whether a definition stands in `LEFT_OUT`."""
    return reason_of(place, package) is not None


def reason_of(place: Place, package: str) -> str | None:
    """Why a definition is left out; None where it is not."""
    module = place.module.removeprefix(f"{package}.")
    if module == place.module:
        return None
    if module in _NOT_LEFT_OUT:
        return None
    names = [f"{module}:{place.name}"]
    while module:
        names.append(module)
        module = module.rpartition(".")[0]
    return next((LEFT_OUT[name] for name in names if name in LEFT_OUT), None)
