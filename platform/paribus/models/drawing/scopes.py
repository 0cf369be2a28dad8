"""Which stage and which unit of a net a module belongs to."""

from torch import nn

from paribus.models.drawing.words import layer_word

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
Scope = tuple[str, ...]  # the paths of the stage and of the unit that an operation belongs to; () at the top level


def scope(net: nn.Module, path: str) -> Scope:
    """The stage of a module and, in a stage that is a sequence of units, its unit."""
    found: list[str] = []
    module, parts = net, path.split(".") if path else []
    for depth, part in enumerate(parts, start=1):
        inside, module = module, module.get_submodule(part)
        if _only_lists(module) and depth < len(parts):
            continue
        if layer_word(module) is not None or (found and not _is_unit(inside, module)):
            break
        found.append(".".join(parts[:depth]))
        if len(found) == 2 or not isinstance(module, _CONTAINERS):
            break
    return tuple(found)


def _only_lists(module: nn.Module) -> bool:
    """Whether `module` is a list, or a sequence of sequences, which no figure frames."""
    if isinstance(module, (nn.ModuleList, nn.ModuleDict)):
        return True
    return isinstance(module, nn.Sequential) and all(isinstance(child, nn.Sequential) for child in module)


def _is_unit(inside: nn.Module, module: nn.Module) -> bool:
    parts = list(module.children())
    return isinstance(inside, _CONTAINERS) and not isinstance(module, _CONTAINERS) and len(parts) > 1


def title(net: nn.Module, path: str, is_unit: bool) -> str:
    """What a frame is called: a stage by its path in the net, a unit by its class."""
    module = net.get_submodule(path)
    if isinstance(module, _CONTAINERS):
        return path
    return type(module).__name__ if is_unit else f"{path} · {type(module).__name__}"
