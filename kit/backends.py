"""The backends of Keras that studies can be trained with."""

from kit.errors import KitError

BACKENDS = ("tensorflow", "jax", "torch")
"""As `KERAS_BACKEND`, the packages to import and the extras of the kit call them."""

BACKENDS_IN_WORDS = f"{', '.join(BACKENDS[:-1])} or {BACKENDS[-1]}"


def install_command(backend: str) -> str:
    """What installs a backend; the kit is on no package index yet.

    Example:
        >>> install_command("jax")
        "pip install '.[jax]' in the clone"
    """
    return f"pip install '.[{backend}]' in the clone"


def not_installed(backend: str) -> KitError:
    """The error for a backend that is known but missing."""
    return KitError(
        f"The backend '{backend}' is not installed", f"Run {install_command(backend)}"
    )
