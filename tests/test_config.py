"""Configs: what cannot be built is refused once, in one line, at construction."""

import json
import pickle
from dataclasses import FrozenInstanceError, fields, replace
from functools import partial
from inspect import signature

import numpy as np
import pytest

from kit.checks import CHOICES
from kit.config import BLOCK_PRESETS, BlockConfig, ModelConfig, block_preset
from kit.errors import KitError
from kit.gains import SKIP_INIT, Shaped, Trained, Updated
from kit.presets import FIRST_BLOCKS
from kit.rates import BlockRates
from kit.training import TrainConfig
from kit.training.config import NEWER
from tests.cases import CASES

SIZES = {"vocabulary_size": 14, "context_length": 12}
NAN = float("nan")

BAD_BLOCKS = {
    "unknown wiring": ({"wiring": "seriel"}, "Did you mean 'serial'"),
    "unknown norm": ({"norm": "batch"}, "'batch'.*layer, rms, none"),
    "unknown attention": ({"attention": "linear"}, "softmax"),
    "unknown feed-forward": ({"feed_forward": "gleu"}, "Did you mean 'gelu'"),
    "no heads": ({"num_heads": 0}, "num_heads=0 is not a positive whole number"),
    "negative heads": ({"num_heads": -2}, "num_heads=-2"),
    "heads not given": ({"num_heads": None}, "num_heads=None"),
    "half a head": ({"num_heads": 1.5}, "num_heads=1.5"),
    "heads as text": ({"num_heads": "4"}, "num_heads='4'"),
    "heads as truth": ({"num_heads": True}, "num_heads=True"),
    "no key heads": ({"num_key_value_heads": 0}, "num_key_value_heads=0"),
    "key heads do not divide": ({"num_key_value_heads": 3}, "=3 does not divide.*=4"),
    "more key heads": ({"num_key_value_heads": 8}, "=8 does not divide.*=4"),
    "no head width": ({"head_dim": 0}, "head_dim=0"),
    "no neurons": ({"feed_forward_dim": 0}, "feed_forward_dim=0"),
    "all dropped": ({"dropout": 1.0}, "dropout=1.0 is not a number in"),
    "dropout below 0": ({"dropout": -0.1}, "dropout=-0.1 is not a number in"),
    "dropout nan": ({"dropout": NAN}, "dropout=nan is not a number in"),
    "skip nan": ({"attention_skip": NAN}, "attention_skip=nan is not a number"),
    "skip as text": ({"feed_forward_skip": "1"}, "feed_forward_skip='1'"),
    "skip from nan": (
        {"attention_skip": {"start": 1.0}},
        "attention_skip={'start': 1.0} is not a number that is finite",
    ),
    "gain of zero": ({"attention_gain": 0.0}, "attention_gain=0 computes a branch"),
    "gain as text": ({"feed_forward_gain": "1"}, "feed_forward_gain='1' is not"),
    "trained skips in one": (
        {"wiring": "parallel", "attention_skip": Trained(0.5)},
        "attention_skip=trained from 0.5 and feed_forward_skip=1",
    ),
    "unknown value": ({"value": "identty"}, "Did you mean 'identity'"),
    "unknown projection": ({"projection": None}, "learned, orthogonal, identity"),
    "unknown shape": ({"shape": "shaped"}, "shape='shaped' is no shape"),
    "slope of a gelu": ({"relu_slope": 0.2}, "relu_slope=0.2 clashes with .*'gelu'"),
    "half a source": ({"copies_map_from": 0.5}, "copies_map_from=0.5"),
    "source below 0": ({"copies_map_from": -1}, "copies_map_from=-1 is not a whole"),
    "map without attention": (
        {"copies_map_from": 0, "attention": None},
        "copies_map_from=0 clashes with attention=None",
    ),
    "slope of 1": (
        {"feed_forward": "relu", "relu_slope": 1.0},
        "relu_slope=1.0 is not a number in",
    ),
    "skip without attention": (
        {"attention": None, "attention_skip": 0.5},
        "attention=None clashes with attention_skip=0.5",
    ),
    "skip without feed-forward": (
        {"feed_forward": None, "feed_forward_skip": 0.0},
        "feed_forward=None clashes with feed_forward_skip=0",
    ),
    "two skips in one": (
        {"wiring": "parallel", "attention_skip": 0.0},
        "one skip, but attention_skip=0 and feed_forward_skip=1",
    ),
    "nothing but a scale": (
        {
            "wiring": "parallel",
            "attention": None,
            "feed_forward": None,
            "attention_skip": 0.5,
            "feed_forward_skip": 0.5,
        },
        "leave only the skip",
    ),
}


@pytest.mark.parametrize("name", BAD_BLOCKS)
def test_bad_blocks(name):
    changes, message = BAD_BLOCKS[name]
    with pytest.raises(KitError, match=message) as caught:
        BlockConfig(**changes)
    assert "\n" not in str(caught.value)


def blocks(**changes):
    return {"blocks": (BlockConfig(), BlockConfig(**changes))}


BAD_MODELS = {
    "copy of itself": (
        blocks(copies_map_from=1),
        "block 1: copies_map_from=1 is not an earlier block",
    ),
    "copy of a later block": (
        {"blocks": (BlockConfig(copies_map_from=1), BlockConfig())},
        "block 0: copies_map_from=1 is not an earlier block",
    ),
    "copy of no attention": (
        {"blocks": (BlockConfig(attention=None), BlockConfig(copies_map_from=0))},
        "block 1: copies_map_from=0, but block 0 has no attention",
    ),
    "copy of a copy": (
        {"blocks": (BlockConfig(), *(BlockConfig(copies_map_from=i) for i in (0, 1)))},
        "block 2: copies_map_from=1, but block 1 copies the map of block 0 itself",
    ),
    "copy of another number of heads": (
        blocks(copies_map_from=0, num_heads=2),
        "copies_map_from=0 has 4 heads, but num_heads=2",
    ),
    "no vocabulary": ({"vocabulary_size": 0}, "vocabulary_size=0"),
    "vocabulary not given": ({"vocabulary_size": None}, "vocabulary_size=None"),
    "negative context": ({"context_length": -1}, "context_length=-1"),
    "no width": ({"width": 0}, "width=0"),
    "unknown positions": ({"positions": "rotery"}, "Did you mean 'rotary'"),
    "unknown mask": ({"mask": "casual"}, "Did you mean 'causal'"),
    "unknown final norm": ({"final_norm": None}, "layer, rms, none"),
    "prefix without length": ({"mask": "prefix"}, "clashes with prefix_length=None"),
    "length without prefix": ({"prefix_length": 3}, "clashes with prefix_length=3"),
    "prefix beyond the context": (
        {"mask": "prefix", "prefix_length": 13},
        "prefix_length=13 .*context_length=12",
    ),
    "padding beyond": ({"padding_id": 14}, "padding_id=14.*vocabulary of 14"),
    "padding below": ({"padding_id": -1}, "padding_id=-1"),
    "heads do not divide": (
        {"width": 64, **blocks(num_heads=5)},
        "block 1: num_heads=5 does not divide width=64.*4, 8",
    ),
    "values that do not fill the stream": (
        {"width": 64, **blocks(value="identity", head_dim=8)},
        "block 1: value=identity needs heads .* 4 heads of 8 make 32 of width=64",
    ),
    "projection that does not fill the stream": (
        {"width": 64, **blocks(projection=Updated(), head_dim=8)},
        "block 1: projection=1 identity . 1 update needs heads",
    ),
    "odd rotary": (
        {"positions": "rotary", **blocks(head_dim=5)},
        "block 1: .*even head width, not 5",
    ),
    "odd sinusoidal": (
        {"positions": "sinusoidal", "width": 7, **blocks(num_heads=7)},
        "even width, not 7",
    ),
    "fused dropout": (
        {"fused_attention": True, **blocks(dropout=0.1)},
        "block 1: fused_attention=True clashes with dropout=0.1",
    ),
    "no epsilon": ({"norm_epsilon": 0.0}, "norm_epsilon=0.0"),
    "no base": ({"rotary_base": -1.0}, "rotary_base=-1.0"),
    "negative spread": ({"initializer_std": -0.1}, "initializer_std=-0.1"),
    "blocks by name": ({"blocks": ("pre-ln",)}, "block 0 is 'pre-ln'"),
    "a number of blocks": ({"blocks": 4}, "blocks=4"),
}


@pytest.mark.parametrize("name", BAD_MODELS)
def test_bad_models(name):
    changes, message = BAD_MODELS[name]
    with pytest.raises(KitError, match=message) as caught:
        ModelConfig(**{**SIZES, **changes})
    assert "\n" not in str(caught.value)


BAD_GAINS = {
    "start nan": (Trained, {"start": NAN}, "start=nan is not a number that is finite"),
    "start as text": (Trained, {"start": "1"}, "start='1' is not a number"),
    "unknown start": (Updated, {"start": "identiy"}, "Did you mean 'identity'"),
    "alpha nan": (Updated, {"alpha": NAN}, "alpha=nan"),
    "no update": (Updated, {"beta": 0.0}, "beta=0 leaves a matrix without"),
    "gamma as text": (Shaped, {"gamma": "1"}, "gamma='1'"),
    "no map": (Shaped, {"beta": 0.0}, "beta=0 leaves out the softmax map"),
    "a branch's gain": (Shaped, {"alpha": Trained(None)}, "is a gain of a branch"),
}


@pytest.mark.parametrize("name", BAD_GAINS)
def test_bad_gains(name):
    kind, changes, message = BAD_GAINS[name]
    with pytest.raises(KitError, match=message) as caught:
        kind(**changes)
    assert "\n" not in str(caught.value)


def test_a_feed_forward_gain_starts_at_the_published_values():
    """He and Hofmann tuned 0.1 at 18 blocks; elsewhere 1/sqrt(blocks)."""
    starts = [round(Trained(None).start_of(n), 2) for n in (2, 4, 6, 8, 12, 18)]
    assert starts == [0.3, 0.21, 0.17, 0.15, 0.12, 0.1]
    assert Trained(0.05).start_of(18) == 0.05


def test_what_an_older_config_stored_keeps_its_text():
    """Rows are found by the text of their config; new fields may not change it."""
    assert BlockConfig(num_heads=2).to_dict() == {
        "wiring": "serial",
        "norm": "layer",
        "norm_position": "pre",
        "attention": "softmax",
        "num_heads": 2,
        "num_key_value_heads": None,
        "head_dim": None,
        "attention_skip": 1.0,
        "feed_forward": "gelu",
        "feed_forward_dim": None,
        "feed_forward_skip": 1.0,
        "dropout": 0.0,
    }
    assert BlockConfig(shape=SKIP_INIT).to_dict()["shape"]["gamma"] == 0.0


def test_every_block_can_be_edited_at_once():
    model = ModelConfig.uniform(3, "sas", **SIZES).with_every_block(num_heads=2)
    assert [block.num_heads for block in model.blocks] == [2, 2, 2]
    assert model.blocks[0].value != model.blocks[1].value
    with pytest.raises(KitError, match="Did you mean 'num_heads'"):
        model.with_every_block(num_head=2)


def test_heads_of_an_absent_attention_need_not_divide():
    block = BlockConfig(attention=None, num_heads=5)
    assert ModelConfig.uniform(1, block, **SIZES).blocks == (block,)


@pytest.mark.parametrize("field", CHOICES)
def test_every_choice_makes_a_config(field):
    """Each of the values that messages offer works in some config."""
    extra = {"prefix": {"prefix_length": 3}}
    for value in CHOICES[field]:
        if field in {entry.name for entry in fields(BlockConfig)}:
            config = ModelConfig.uniform(1, BlockConfig(**{field: value}), **SIZES)
        else:
            config = ModelConfig(**SIZES, **{field: value}, **extra.get(value, {}))
        assert ModelConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize("number", [0, -1])
def test_uniform_needs_a_block(number):
    with pytest.raises(KitError, match=f"num_blocks={number} is not a positive"):
        ModelConfig.uniform(number, **SIZES)


def test_presets_are_found_by_name_and_others_are_listed():
    for name, preset in BLOCK_PRESETS.items():
        assert block_preset(name) is preset
        first, *others = ModelConfig.uniform(3, name, **SIZES).blocks
        assert others == [preset, preset]
        assert first == replace(preset, **FIRST_BLOCKS.get(name, {}))
    with pytest.raises(KitError, match="unknown block preset 'lama'.*'llama'"):
        ModelConfig.uniform(2, "lama", **SIZES)


def test_with_blocks_edits_only_what_it_names():
    base = ModelConfig.uniform(3, **SIZES)
    edited = base.with_blocks({0: {"norm": "rms"}, 2: {"attention": None}})
    assert edited.blocks == (
        BlockConfig(norm="rms"),
        BlockConfig(),
        BlockConfig(attention=None),
    )
    assert base == ModelConfig.uniform(3, **SIZES)
    assert base.with_blocks({}) == base


@pytest.mark.parametrize(
    "edits, message",
    [
        ({3: {}}, "no block 3 in a model of 3 blocks.*0 to 2"),
        ({-1: {}}, "block=-1 is not a whole number from 0"),
        ({"0": {}}, "block='0' is not a whole number"),
        ({0: None}, "None is not a mapping of BlockConfig fields"),
        ({0: {"atention": None}}, "unknown BlockConfig field.*'attention'"),
        ({0: {"num_heads": 7}}, "block 0: num_heads=7 does not divide"),
    ],
)
def test_wrong_edits(edits, message):
    with pytest.raises(KitError, match=message):
        ModelConfig.uniform(3, **SIZES).with_blocks(edits)


@pytest.mark.parametrize("name", CASES)
def test_configs_survive_json_and_are_hashable(name):
    config = CASES[name]
    again = ModelConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert hash(again) == hash(config)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"widht": 3}, "unknown ModelConfig field 'widht'.*'width'"),
        ({"blocks": [{"hads": 3}]}, "unknown BlockConfig field 'hads'"),
        ({"width": "wide"}, "width='wide'"),
        ({"vocabulary_size": None}, "vocabulary_size=None"),
        ({"tied_head": "yes"}, "tied_head='yes' is not a truth value"),
        ({"padding_id": 1.0}, "padding_id=1.0 is not a whole number"),
        ({"norm_epsilon": "small"}, "norm_epsilon='small'"),
        ({"mask": ["causal"]}, "unknown value for mask"),
        ({"blocks": 3}, "blocks=3 is not a list"),
        ({"blocks": [3]}, "3 is not a mapping of BlockConfig fields"),
        ({"blocks": [{"num_heads": "4"}]}, "num_heads='4'"),
        ({"blocks": [{"attention_skip": None}]}, "attention_skip=None"),
    ],
)
def test_unreadable_dictionaries(change, message):
    with pytest.raises(KitError, match=message):
        ModelConfig.from_dict({**ModelConfig(**SIZES).to_dict(), **change})


@pytest.mark.parametrize("name", ["vocabulary_size", "context_length", "blocks"])
def test_a_missing_field_is_named(name):
    data = ModelConfig(**SIZES).to_dict()
    del data[name]
    with pytest.raises(KitError, match=f"ModelConfig field '{name}' is missing"):
        ModelConfig.from_dict(data)


@pytest.mark.parametrize("kind", [ModelConfig, TrainConfig])
@pytest.mark.parametrize("data", [None, 3, ["width"], "width"])
def test_what_is_no_mapping_is_refused(kind, data):
    with pytest.raises(KitError, match=f"is not a mapping of {kind.__name__} fields"):
        kind.from_dict(data)


def test_numpy_numbers_become_plain_ones():
    sizes = {name: np.int64(value) for name, value in SIZES.items()}
    block = BlockConfig(num_heads=np.int32(2), attention_skip=np.float32(0.5))
    config = ModelConfig(**sizes, blocks=[block])
    assert config == ModelConfig(
        **SIZES, blocks=[BlockConfig(num_heads=2, attention_skip=0.5)]
    )
    json.dumps(config.to_dict())
    json.dumps(TrainConfig(steps=np.int64(100), clip_norm=np.float32(1)).to_dict())


@pytest.mark.parametrize("number", [2.0, "2", None])
def test_a_number_of_blocks_is_whole(number):
    with pytest.raises(KitError, match="num_blocks="):
        ModelConfig.uniform(number, **SIZES)


def test_configs_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        ModelConfig(**SIZES).width = 3


BAD_TRAINING = {
    "no steps": ({"steps": 0}, "steps=0 is not a positive whole number"),
    "half steps": ({"steps": 2.5}, "steps=2.5"),
    "true steps": ({"steps": True, "evaluate_every": 1}, "steps=True"),
    "no batch": ({"batch_size": -4}, "batch_size=-4"),
    "never evaluated": ({"evaluate_every": 0}, "evaluate_every=0"),
    "uneven": ({"evaluate_every": 300}, "300 does not divide steps=2000"),
    "no rate": ({"learning_rate": 0.0}, "learning_rate=0.0"),
    "rate nan": ({"learning_rate": NAN}, "learning_rate=nan"),
    "negative end": ({"final_learning_rate": -0.1}, "final_learning_rate=-0.1"),
    "long warm-up": ({"warmup_steps": 2001}, "warmup_steps=2001 is not in 0 to"),
    "negative decay": ({"weight_decay": -0.1}, "weight_decay=-0.1"),
    "beta one": ({"beta_1": 1.0}, "beta_1=1.0"),
    "beta negative": ({"beta_2": -0.5}, "beta_2=-0.5"),
    "no clipping": ({"clip_norm": 0.0}, "clip_norm=0.0.*None"),
    "clipping in words": ({"clip_norm": "no"}, "clip_norm='no'"),
    "half a warm-up": ({"warmup_steps": 1.5}, "warmup_steps=1.5"),
    "negative warm-up": ({"warmup_steps": -1}, "warmup_steps=-1"),
    "target in words": (
        {"target_metric": "loss", "target_value": "low"},
        "target_value='low'",
    ),
    "target nan": ({"target_metric": "loss", "target_value": NAN}, "target_value=nan"),
    "unknown schedule": ({"schedule": "cosin"}, "Did you mean 'cosine'"),
    "unknown precision": ({"precision": "float16"}, "float32, bfloat16"),
    "target without value": ({"target_metric": "loss"}, "clashes with target_value"),
    "value without target": ({"target_value": 0.9}, "clashes with target_value=0.9"),
    "warm-up beyond a third": (
        {"schedule": "wsd", "warmup_steps": 700},
        "1 times warmup_steps=700 does not end within 666.667 of steps=2000",
    ),
    "warm-up of a block": (
        {"warmup_steps": 201, "block_rates": BlockRates()},
        "10 times warmup_steps=201 does not end within 2000",
    ),
    "plateau without one": (
        {"block_rates": BlockRates(scaling="plateau")},
        "scaling='plateau' clashes with schedule='cosine'",
    ),
    "unknown optimizer": ({"optimizer": "lyon"}, "Did you mean 'lion'"),
    "decay of something": ({"decay_everything": "norms"}, "is not a truth value"),
    "lion without momentum": (
        {"optimizer": "lion", "beta_1": 0},
        "beta_1=0 clashes with optimizer='lion'",
    ),
    "ratios alone": ({"block_rates": {"Emb": 10.0}}, "is not a BlockRates"),
}


@pytest.mark.parametrize("name", BAD_TRAINING)
def test_bad_training(name):
    changes, message = BAD_TRAINING[name]
    with pytest.raises(KitError, match=message) as caught:
        TrainConfig(**changes)
    assert "\n" not in str(caught.value)


def test_training_configs_survive_json():
    config = TrainConfig(target_metric="exact_match", target_value=0.99, clip_norm=None)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    with pytest.raises(KitError, match="unknown TrainConfig field 'lr'"):
        TrainConfig.from_dict({"lr": 1e-3})


def test_newer_fields_survive_json_and_are_left_out_at_their_defaults():
    """Or else the keys of stored runs would be others."""
    config = TrainConfig(
        schedule="wsd",
        warmup_steps=20,
        block_rates=BlockRates({"Emb": np.float32(4), "Norm": 1}, "plateau", False),
        optimizer="lion",
        decay_everything=True,
    )
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert hash(config) == hash(TrainConfig.from_dict(config.to_dict()))
    plain = TrainConfig().to_dict()
    assert plain.keys() == {f.name for f in fields(TrainConfig)} - {*NEWER}
    assert TrainConfig.from_dict(plain) == TrainConfig()


def test_bad_block_rates_are_named():
    with pytest.raises(KitError, match="the ratio of 'Emb', -1, is not a number"):
        BlockRates({"Emb": -1})
    with pytest.raises(KitError, match="Did you mean 'warmup'"):
        BlockRates(scaling="warm-up")
    with pytest.raises(KitError, match="scale_decay=1 is not a truth value"):
        BlockRates(scale_decay=1)
    with pytest.raises(KitError, match="unknown BlockRates field 'ratio'"):
        BlockRates.from_dict({"ratio": {}})


def test_a_target_is_reached_from_its_own_side():
    loss = TrainConfig(target_metric="loss", target_value=1.0)
    match = TrainConfig(target_metric="exact_match", target_value=0.9)
    for value, low, high in [
        (0.5, True, False),
        (0.95, True, True),
        (2.0, False, True),
    ]:
        metrics = {"loss": value, "exact_match": value}
        assert loss.reached(metrics) == low
        assert match.reached(metrics) == high
    assert loss.reached({"loss": 1.0}) and match.reached({"exact_match": 0.9})
    assert not loss.reached({"loss": np.nan})
    assert not TrainConfig().reached({"loss": 0.0})
    with pytest.raises(KitError, match="unknown target_metric 'loss'"):
        loss.reached({"exact_match": 0.5})


@pytest.mark.parametrize(
    "make, kind, wrong, right",
    [
        (BlockConfig, "BlockConfig", "num_head", "num_heads"),
        (partial(ModelConfig.uniform, 2), "ModelConfig", "widht", "width"),
        (partial(ModelConfig, 9, 8), "ModelConfig", "final_nrom", "final_norm"),
        (TrainConfig, "TrainConfig", "learning_rte", "learning_rate"),
        (partial(replace, BlockConfig()), "BlockConfig", "vallue", "value"),
    ],
)
def test_a_field_that_is_misspelt_is_named_with_the_nearest(make, kind, wrong, right):
    expected = f"unknown {kind} field '{wrong}'. Did you mean '{right}'"
    with pytest.raises(KitError, match=expected):
        make(**{wrong: 3})


def test_checking_names_keeps_the_signature_and_pickles():
    assert [*signature(BlockConfig).parameters] == [f.name for f in fields(BlockConfig)]
    assert pickle.loads(pickle.dumps(BlockConfig(num_heads=2))).num_heads == 2
