"""Which block a variable belongs to: a label for each variable of any Keras model."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras

from kit.errors import KitError
from kit.rates import HEAD, check_ratios

Label = Callable[[Any], str | int | None]
REST = "other"
SHOWN = 8


def role(variable: Any) -> str | None:
    """The role of a variable of a kit model; `None` for a stranger.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> sizes = dict(width=8, vocabulary_size=9, context_length=4)
        >>> model = build(ModelConfig.uniform(1, **sizes))
        >>> sorted({role(variable) for variable in model.trainable_variables})
        ['Emb', 'FFN', 'Norm', 'QK', 'VO']
    """
    tag = getattr(variable, "kit_tag", None)
    return tag.role if tag else None


def role_or_head(variable: Any) -> str | None:
    """The role, but `"Head"` for a head that is a matrix of its own.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> sizes = dict(width=8, vocabulary_size=9, context_length=4)
        >>> model = build(ModelConfig.uniform(1, tied_head=False, **sizes))
        >>> [role_or_head(variable) for variable in model.trainable_variables[:3]]
        ['Emb', 'Head', 'Emb']
    """
    tag = getattr(variable, "kit_tag", None)
    is_head = tag is not None and tag.axes == ("width", "vocabulary")
    return HEAD if is_head else role(variable)


def label_of(owners: Mapping[str, Any]) -> Label:
    """A labelling function of lists of layers and variables.

    Args:
        owners: Label -> a layer, a variable, or several of them. Looked up when the
            function is called, so the layers may be built later.

    Returns:
        Variable -> its label, or `None` where nobody owns it.

    Raises:
        KitError: Something is neither a layer nor a variable; or, when the function is
            called, two labels own a variable.

    Example:
        >>> head = keras.layers.Dense(3)
        >>> head.build((None, 2))
        >>> label = label_of({"head": head, "rest": []})
        >>> label(head.kernel)
        'head'
    """
    if not isinstance(owners, Mapping):
        raise KitError(
            f"labels={owners!r} is neither a function nor a mapping",
            "Use {'label': layers and variables}, or a function of a variable",
        )
    listed = {name: _listed(name, owner) for name, owner in owners.items()}

    def label(variable: Any) -> str | None:
        names = [
            name
            for name, owners in listed.items()
            if any(variable is own for owner in owners for own in _variables(owner))
        ]
        if len(names) > 1:
            raise KitError(
                f"variable {_path(variable)} has the labels {', '.join(names)}",
                "List it, or the layer that holds it, under one label",
            )
        return names[0] if names else None

    return label


def _listed(name: str, owner: Any) -> list[Any]:
    owners = list(owner) if isinstance(owner, list | tuple | set) else [owner]
    for each in owners:
        if not isinstance(each, keras.Layer | keras.Variable):
            raise KitError(
                f"{each!r} under label {name!r} is neither a layer nor a variable",
                "List Keras layers and variables",
            )
    return owners


def _variables(owner: Any) -> list[Any]:
    return owner.variables if isinstance(owner, keras.Layer) else [owner]


def labels_of(
    variables: Sequence[Any], label: Label, names: Iterable[str]
) -> tuple[str, ...]:
    """The label of each variable, where every label is used and none is missing.

    Args:
        variables: Keras variables.
        label: Variable -> label. Where it is `None` and `"other"` is among the
            names, that is the label.
        names: The labels that there are.

    Raises:
        KitError: A variable has no label or an unknown one, or a label has no
            variable. Lists the names.

    Example:
        >>> kernel = keras.Variable([[1.0]], name="kernel")
        >>> labels_of([kernel], lambda variable: variable.name, ["kernel"])
        ('kernel',)
    """
    names = list(names)
    rest = REST if REST in names else None
    found = {id(v): named(label(v), rest) for v in variables}
    without = [v for v in variables if found[id(v)] is None]
    if without:
        raise KitError(
            f"no label for {_paths(without)}",
            f"Label every variable, or give a ratio for {REST!r}, which takes the rest",
        )
    unknown = [v for v in variables if found[id(v)] not in names]
    if unknown:
        strange = sorted({str(found[id(v)]) for v in unknown})
        raise KitError(
            f"no ratio for {', '.join(map(repr, strange))}: {_paths(unknown)}",
            f"Give one; there are ratios for: {', '.join(names)}",
        )
    unused = [name for name in names if name not in found.values()]
    if unused:
        used = ", ".join(sorted({str(name) for name in found.values()}))
        raise KitError(
            f"no variable has the label {', '.join(map(repr, unused))}",
            f"Leave it out; the variables have the labels: {used}",
        )
    return tuple(str(found[id(v)]) for v in variables)


def named(label: Any, otherwise: str | None) -> str | None:
    """A label as text, so that numbers of layers can be labels.

    Example:
        >>> named(0, "other"), named(None, "other")
        ('0', 'other')
    """
    return otherwise if label is None else str(label)


class Blocks:
    """Ratios and labels; an object of its own, because Keras tracks dicts and lists."""

    def __init__(self, ratios: Mapping[str, float], label: Label):
        self.ratios = check_ratios(ratios)
        self.label = label
        self.labels: tuple[str, ...] | None = None  # one for each variable
        self.undecayed: tuple[int, ...] = ()  # variables that do not decay

    def resolve(self, variables: Sequence[Any]) -> None:
        """Make the table from the index of a variable to its block."""
        if self.labels is None:
            self.labels = labels_of(variables, self.label, self.ratios)
        elif len(self.labels) != len(variables):
            raise KitError(
                f"the optimizer was saved for {len(self.labels)} variables and is "
                f"built for {len(variables)}",
                "Freeze and unfreeze the layers as they were, or make it anew",
            )
        names = list(self.ratios)
        self.table = tuple(names.index(label) for label in self.labels)


def _path(variable: Any) -> str:
    return str(getattr(variable, "path", variable))


def _paths(variables: Sequence[Any]) -> str:
    shown = ", ".join(map(_path, variables[:SHOWN]))
    more = len(variables) - SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
