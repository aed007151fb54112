"""What is kept of earlier paths is right, is used, and is not much."""

import random

import pytest

from kit.pruning.streams import Streams


def without(blocks, gone):
    """A path; that an item is a pair (index, whether it is whole) is enough here."""
    return tuple((index, index not in gone) for index in range(blocks))


def greedy(blocks, removals, choose):
    """A search in which a stream is the path behind it. Returns the blocks that were
    run in each step, and the most streams held."""
    streams, gone, run, most = Streams((), blocks), [], [], 0
    for _ in range(removals):
        left = [index for index in range(blocks) if index not in gone]
        paths = sorted((without(blocks, {*gone, i}) for i in left), reverse=True)
        streams.expect(paths)
        run.append(0)
        for path in paths:
            known, stream = streams.longest(path)
            assert stream == path[:known]
            for length in range(known + 1, blocks + 1):
                streams.add(path[:length], path[:length])
                run[-1] += 1
            most = max(most, len(streams))
        gone.append(choose(left))
    return run, most


@pytest.mark.parametrize("blocks", [1, 2, 4, 12, 30])
def test_the_first_step_runs_each_candidate_from_where_it_differs(blocks):
    run, _ = greedy(blocks, 1, max)
    assert run == [blocks + sum(range(2, blocks + 1))]


@pytest.mark.parametrize("blocks", [12, 30])
@pytest.mark.parametrize("seed", range(5))
def test_later_steps_run_fewer_and_memory_grows_with_depth_alone(blocks, seed):
    """Where late attentions go first, as in real models."""
    rng = random.Random(seed)
    run, most = greedy(blocks, 5, lambda left: rng.choice(left[len(left) // 2 :]))
    passes = [(blocks - step) * blocks for step in range(5)]
    assert sum(run[1:]) < 0.43 * sum(passes[1:])  # 0.56 or more without marks
    assert most <= 2.6 * blocks + 1


def test_marks_are_bounded_however_many_models_are_compared():
    streams, rng, blocks = Streams((), 12), random.Random(0), 12
    paths = [without(blocks, set(rng.sample(range(12), 4))) for _ in range(300)]
    streams.expect(paths)
    for path in paths:
        known, stream = streams.longest(path)
        assert stream == path[:known]
        for length in range(known + 1, blocks + 1):
            streams.add(path[:length], path[:length])
        assert len(streams) <= 5 * blocks + 2
