"""Shape, config, file, gradient and precision of every case."""

import pytest

from kit.models import build
from tests.cases import CASES, shake
from tests.contract import assert_model_contract


@pytest.mark.parametrize("name", CASES)
def test_model_keeps_the_contract(name, tmp_path):
    assert_model_contract(shake(build(CASES[name])), tmp_path / "model.keras")
