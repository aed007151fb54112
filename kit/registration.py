"""Keras finds the kit's models in a file wherever `import kit` was said.

`keras.saving.load_model` knows the classes that somebody has registered, and
`kit.models` registers its own when it is imported. `import kit` imports neither that
nor Keras, so until then something light stands for it.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class Transformer:
    """Stands for `kit.models.Transformer` until that is imported."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The model of a config, as Keras asks for it while it reads a file."""
        from kit.models import Transformer

        return Transformer.from_config(config)


def register_with_keras() -> None:
    """Tell Keras of the kit's models: now, or when Keras is imported."""
    if "keras" in sys.modules:
        _register(sys.modules["keras"])
    else:
        sys.meta_path.insert(0, _WithKeras())


def _register(keras: Any) -> None:
    # What is there already is the class itself.
    keras.saving.get_custom_objects().setdefault("kit>Transformer", Transformer)


class _WithKeras(MetaPathFinder):
    """Registers the models while Keras is imported, once."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != "keras":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next(filter(None, specs), None)
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            _register(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
