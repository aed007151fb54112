"""Everything that a package of the kit offers says what it does, with an example."""

import inspect
import pkgutil
from importlib import import_module

import pytest

import kit

PACKAGES = ["kit"] + [
    module.name
    for module in pkgutil.walk_packages(kit.__path__, "kit.")
    if module.ispkg and not module.name.startswith("kit.studies.")  # one STUDY each
]
# Parts of a model: `kit.models.build` makes them, and its example shows how.
WITHOUT = {"kit.layers"}


def offered(package):
    """Name -> public class or function of the kit in a package's `__init__`."""
    names = getattr(package, "__all__", None) or vars(package)
    things = {name: getattr(package, name) for name in names if name[0] != "_"}
    return {
        name: thing
        for name, thing in things.items()
        if (inspect.isclass(thing) or inspect.isfunction(thing))
        and thing.__module__.partition(".")[0] == "kit"
    }


@pytest.mark.parametrize("package", sorted({*PACKAGES} - WITHOUT))
def test_what_a_package_offers_has_an_example(package):
    found = offered(import_module(package))
    without = [name for name, it in found.items() if ">>> " not in (it.__doc__ or "")]
    assert without == []


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_package_offers_says_what_it_does(package):
    found = offered(import_module(package))
    assert [name for name, it in found.items() if not it.__doc__] == []
