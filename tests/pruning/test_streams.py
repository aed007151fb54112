"""What is kept of earlier paths is right, is used, and is not much."""

import random

import pytest

from kit.pruning.streams import Streams


def without(blocks, gone):
    """A path; that an item is a pair (index, whether it is whole) is enough here."""
    return tuple((index, index not in gone) for index in range(blocks))


def greedy(blocks, removals, losses):
    """A search in which a stream is the path behind it, and a model loses what
    `losses` says of its last part. Returns the blocks that were run in each step, and
    the most streams held."""
    streams, gone, run, most = Streams((), blocks), [], [], 0
    for _ in range(removals):
        left = [index for index in range(blocks) if index not in gone]
        streams.expect(without(blocks, {*gone, i}) for i in left)
        run.append(0)
        for index in reversed(left):
            path = without(blocks, {*gone, index})
            known, stream = streams.longest(path)
            assert stream == path[:known]
            for length in range(known + 1, blocks + 1):
                streams.add(path[:length], path[:length])
                run[-1] += 1
            streams.judge(path, losses[index])
            most = max(most, len(streams))
        gone.append(min(left, key=losses.__getitem__))
    return run, most


@pytest.mark.parametrize("blocks", [1, 2, 4, 12, 30])
def test_the_first_step_runs_each_candidate_from_where_it_differs(blocks):
    run, _ = greedy(blocks, 1, range(blocks))
    assert run == [blocks + sum(range(2, blocks + 1))]


@pytest.mark.parametrize("blocks", [4, 12, 30])
@pytest.mark.parametrize("seed", range(5))
def test_the_next_step_runs_only_what_comes_after_both_differences(blocks, seed):
    losses = random.Random(seed).sample(range(blocks), blocks)
    first, second = sorted(range(blocks), key=losses.__getitem__)[:2]
    run, _ = greedy(blocks, 3, losses)
    left = [index for index in range(blocks) if index != first]
    assert run[1] == sum(blocks - max(index, first) for index in left)
    if second > first:
        left.remove(second)
        assert run[2] == sum(blocks - max(index, second) for index in left)


@pytest.mark.parametrize("blocks", [12, 30])
@pytest.mark.parametrize("seed", range(5))
def test_later_steps_run_fewer_and_memory_grows_with_depth_alone(blocks, seed):
    """Where late attentions go first, as in real models."""
    rng = random.Random(seed)
    losses = [rng.random() - index / blocks for index in range(blocks)]
    run, most = greedy(blocks, 5, losses)
    passes = [(blocks - step) * blocks for step in range(5)]
    assert sum(run[1:]) < 0.4 * sum(passes[1:])  # 0.56 or more with one path alone
    assert most <= 4.5 * blocks


def test_marks_are_bounded_however_many_models_are_compared():
    streams, rng, blocks = Streams((), 12), random.Random(0), 12
    paths = [without(blocks, set(rng.sample(range(12), 4))) for _ in range(300)]
    streams.expect(paths)
    for path in paths:
        known, stream = streams.longest(path)
        assert stream == path[:known]
        for length in range(known + 1, blocks + 1):
            streams.add(path[:length], path[:length])
        streams.judge(path, rng.random())
        assert len(streams) <= 7 * blocks + 2
