"""The real checkpoints give the published text and the known losses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from kit.models import generate
from kit.pretrained import load
from kit.studies.pruning.sizes import SMOLLM2
from kit.training.scoring import token_losses

STORY = """\
Once upon a time, there was a little girl named Lily. She loved to play outside in \
the park. One day, she saw a big, red ball. She wanted to play with it, but it was too \
high.
Lily's mom said, "Lily, let's go to the park." Lily was sad and didn't know what to \
do. She said, "I want to play with your ball, but I can't find it."
Lily was sad and didn't know what to do. She said, "I'm sorry, Lily. I didn't know \
what to do."
Lily didn't want to help her mom, so she said, "I'm sorry, mom. I didn't know what to \
do." Her mom said, "Don't worry, Lily. We can help you."""
TINYSTORIES, SHAKESPEARE = "tinystories_sample/valid.txt", "tinyshakespeare/input.txt"
MEASURE = """
import json, re, time
import kit.pretrained, keras, kit.models, kit.data.tokenizers
keras.ops.zeros(3) + 1
start = time.process_time()
model, tokenizer = kit.pretrained.load("smollm2")
seconds = time.process_time() - start
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]
print(json.dumps([seconds, 1024 * int(peak), 4 * model.count_params()]))
"""


def losses(model, tokens):
    """(time - 1,) nats per predicted token of one sequence."""
    logits = model(tokens[None, :-1])
    return ops.convert_to_numpy(token_losses(tokens[None, 1:], logits))[0]


@pytest.mark.slow
def test_stories260k_tells_the_published_story(checkpoint):
    checkpoint("stories260k")
    model, tokenizer = load("stories260k")
    start = np.array([[tokenizer.end_id]])
    steps = len(tokenizer.encode(STORY))
    told = generate(model, start, steps)
    assert tokenizer.decode(told[0]) == f"<|endoftext|>{STORY}"
    np.testing.assert_array_equal(told[0, 1:], tokenizer.encode(STORY))


@pytest.mark.slow
def test_stories260k_has_the_known_loss(checkpoint):
    """Stories 2 to 61 of the validation text, 512 tokens of each at most."""
    (text,) = checkpoint("stories260k", TINYSTORIES)
    model, tokenizer = load("stories260k")
    opening = "Once upon a time"
    lines = text.replace("\n\n", "\n").split(f"\n{opening}")
    stories = [opening + story for story in lines[1:61]]
    streams = [
        np.append(tokenizer.end_id, tokenizer.encode(story))[:512] for story in stories
    ]
    lengths = {len(stream) for stream in streams}
    assert len(stories) == 60 and max(lengths) == 512
    found = np.concatenate([losses(model, stream) for stream in streams])
    assert found.mean() == pytest.approx(1.24, rel=0.01)


@pytest.mark.slow
def test_smollm2_knows_the_capital_of_france(checkpoint):
    checkpoint("smollm2")
    model, tokenizer = load("smollm2")
    prompt = tokenizer.encode("The capital of France is")
    assert tokenizer.decode(generate(model, prompt, steps=2)[0, -2:]) == " Paris."


@pytest.mark.slow
def test_smollm2_has_the_sizes_that_the_pruning_study_counts_with(checkpoint):
    checkpoint("smollm2")
    model, _ = load("smollm2", context_length=SMOLLM2.context_length)
    assert model.config.blocks == SMOLLM2.blocks
    for name in ("width", "vocabulary_size", "tied_head", "positions", "final_norm"):
        assert getattr(model.config, name) == getattr(SMOLLM2, name)


@pytest.mark.slow
def test_smollm2_has_the_known_perplexities(checkpoint):
    """Slices from the start of each text, cut to 256 tokens, without a first token."""
    stories, plays = checkpoint("smollm2", TINYSTORIES, SHAKESPEARE)
    model, tokenizer = load("smollm2", context_length=256)

    def perplexity(text, count, length):
        slices = [text[i * length : (i + 1) * length] for i in range(count)]
        streams = [tokenizer.encode(part)[:256] for part in slices]
        return np.exp(np.concatenate([losses(model, s) for s in streams]).mean())

    assert perplexity(stories, 5, 1100) == pytest.approx(9.47, rel=0.01)
    assert perplexity(plays, 3, 1000) == pytest.approx(49.7, rel=0.01)


@pytest.mark.slow
def test_smollm2_round_trips_text(checkpoint):
    stories, plays = checkpoint("smollm2", TINYSTORIES, SHAKESPEARE)
    from kit.pretrained import load_tokenizer

    tokenizer = load_tokenizer("smollm2")
    for text in (stories[:50_000], plays[:50_000], "na\u00efve 2024 \u65e5\u672c"):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.vocabulary_size == 49_152


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")
def test_smollm2_loads_in_time_and_in_little_memory(checkpoint):
    """Ten seconds of the processor, and three times the weights, the kit included."""
    checkpoint("smollm2")
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True
    )
    seconds, peak, weights = json.loads(ran.stdout)
    assert weights == pytest.approx(538e6, rel=0.001)
    assert seconds < 10
    assert peak < 3 * weights
