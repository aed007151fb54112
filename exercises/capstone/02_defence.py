# %% [markdown]
# ## Defend it
#
# ★★★★☆ · about 60 minutes · 7 points
# · all five papers, together
#
# Make the best model of text that you can within a budget, and say how good it is. You
# may use all that the five papers have, together or not.
#
# - **The text** is the documentation that the kit comes with, as 512 byte pairs, in
#   windows of 64. Its last tenth is held out, and no model may be trained on it.
# - **The budget** is 120,000 parameters for a model, everything counted.
# - **Seeds**: at least three models and at most 20, each trained with a seed of its
#   own. Two checkpoints of one run are one seed.
# - **Something learnt**: a model that guesses has a loss of log 512, 6.24 nats. Yours
#   have to be better than that by 0.1.
# - **The claim** is three numbers: the mean held-out loss of your models in nats per
#   token, and the ends of its 95 % interval over the seeds (Student's).
#
# Write `defence(folder, train, held_out)`. It puts the models into `folder`, for each
# seed the weights and the config under one name, such as `seed-0.safetensors` and
# `seed-0.json`, and gives the claim. `kit.submission.save(model, folder, seed)` writes
# both; the notebook has done so in `SAVED`, with the losses that it measured in
# `losses.json`, so there is no need to train anything here. `train` and `held_out` are
# windows of the two parts of the text, of 65 tokens each, for whoever wants to measure
# afresh: a model reads the first 64 of them and predicts the last 64.
#
# Nothing that you hand in is run, and no number is believed. The judge builds the
# models from your files, counts their parameters, and computes every loss again. What
# it cannot see is what you left out: if you trained ten seeds and hand in the best
# three, your interval is a lie that nobody will catch. Nor can it tell, of all that the
# kit comes with, whether you read the end as well: it only notices if you read the
# windows that you are given, and not the rest. And it cannot see minutes. Say all
# three, when you show your result to somebody.
#
# Check it: `kit check defence`. Stuck: `kit hint defence`.

# %%
import json
import shutil
from pathlib import Path

import numpy as np

SAVED = "capstone-models"


def defence(folder, train, held_out):
    """Hand in models, and claim how good they are.

    Args:
        folder: Path of an empty folder, for the files of the models.
        train: Windows of training text, int32 (256, 65).
        held_out: The windows that are judged, of the held-out text, int32 (128, 65).

    Returns:
        Mean held-out loss, low and high end of its 95 % interval: three numbers.
    """
    raise NotImplementedError("defence is not done yet")


# %% The example
if __name__ == "__main__":
    import tempfile

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        mean, low, high = defence(
            folder, rng.integers(512, size=(24, 65)), rng.integers(512, size=(8, 65))
        )
        assert low <= mean <= high
        assert len(list(Path(folder).glob("*.json"))) >= 3
    print("The example is right.")
