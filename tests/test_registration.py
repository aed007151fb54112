"""`import kit` is light, and yet Keras then reads the kit's models from a file."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kit.models import Transformer, build
from kit.registration import register_with_keras
from tests.cases import CASES, assert_same, some_tokens

ROOT = Path(__file__).parent.parent
READ = """
model = keras.saving.load_model(sys.argv[1])
print(type(model).__module__)
np.save(sys.argv[2], np.asarray(model(np.load(sys.argv[3]))))
"""
# Whether Keras is there is asked before it is imported, as `kit doctor` does.
ASKED = "importlib.util.find_spec('keras')"


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports", ["import keras, kit", "import kit, keras", f"import kit; {ASKED}"]
)
def test_a_file_loads_in_plain_keras_after_import_kit(imports, tmp_path):
    config = CASES["pre-ln"]
    model, tokens = build(config), some_tokens(config)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "tokens.npy", tokens)
    code = f"import importlib.util, sys, numpy as np\n{imports}\nimport keras\n{READ}"
    files = [str(tmp_path / n) for n in ("model.keras", "logits.npy", "tokens.npy")]
    done = subprocess.run(
        [sys.executable, "-c", code, *files], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.split() == ["kit.models.transformer"], done.stderr
    assert_same(np.load(files[1]), np.asarray(model(tokens)))


def test_what_stands_for_the_class_does_not_take_its_place():
    register_with_keras()
    assert keras.saving.get_registered_object("kit>Transformer") is Transformer


@pytest.mark.slow
def test_import_kit_imports_nothing_heavy():
    code = "import sys, kit; print(*sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert {"keras", "numpy", "kit.models"}.isdisjoint(shown.stdout.split())
