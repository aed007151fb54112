"""Shape, config, file, gradient and precision of every case."""

import pytest

from kit.models import build
from tests.cases import CASES, QUICK, shake
from tests.contract import assert_model_contract, params


@pytest.mark.slow
@pytest.mark.parametrize("name", params(CASES, QUICK))
def test_model_keeps_the_contract(name, tmp_path):
    assert_model_contract(shake(build(CASES[name])), tmp_path / "model.keras")
