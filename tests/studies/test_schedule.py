import heapq

import pytest

from kit.studies.schedule import Busy, Schedule
from kit.studies.study import Arm, Cell


def cells(**arms):
    """Cells of arms given as name=(cost, seeds)."""
    return [
        Cell("toy", "1", Arm(name, name, {"arm": name}, cost), seed)
        for name, (cost, seeds) in arms.items()
        for seed in range(seeds)
    ]


def simulate(todo, workers, prepare):
    """Run a schedule against a clock; returns its end and the order of cells."""
    schedule = Schedule(todo, prepare)
    held, running, done, clock = {}, {}, [], 0.0
    ends = [(0.0, worker) for worker in range(workers)]
    while ends:
        clock, worker = heapq.heappop(ends)
        running.pop(worker, None)
        others = {
            other: Busy(cell.arm.name, end - clock)
            for other, (cell, end) in running.items()
        }
        cell = schedule.take(held.get(worker), others)
        if cell is None:
            continue
        seconds = cell.arm.cost + (prepare if held.get(worker) != cell.arm.name else 0)
        held[worker] = cell.arm.name
        running[worker] = (cell, clock + seconds)
        done.append((worker, cell))
        heapq.heappush(ends, (clock + seconds, worker))
    assert len(schedule) == 0
    return clock, done


MIXED = cells(a=(10, 5), b=(20, 3), c=(5, 5), d=(40, 3), e=(1, 3))


@pytest.mark.parametrize("workers", [1, 2, 3, 8, 30])
def test_every_cell_is_run_once(workers):
    _, done = simulate(MIXED, workers, prepare=8.0)
    assert sorted(map(str, MIXED)) == sorted(str(cell) for _, cell in done)


def test_one_worker_prepares_each_arm_once_longest_first_seeds_in_order():
    _, done = simulate(MIXED, 1, prepare=8.0)
    order = [cell.arm.name for _, cell in done]
    assert order == ["d"] * 3 + ["b"] * 3 + ["a"] * 5 + ["c"] * 5 + ["e"] * 3
    assert [cell.seed for _, cell in done][:6] == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("workers", [2, 3])
def test_no_worker_is_left_idle_for_long(workers):
    total = sum(cell.arm.cost for cell in MIXED) + 5 * 8.0
    end, _ = simulate(MIXED, workers, prepare=8.0)
    longest = max(cell.arm.cost for cell in MIXED) + 8.0
    assert end <= total / workers + longest


def test_a_seed_is_taken_over_only_where_that_pays():
    todo = cells(a=(45, 1), b=(20, 4))
    cheap, done = simulate(todo, 2, prepare=5.0)
    assert cheap == 75.0  # free at 50, done with the last seed of b at 75, not 85
    assert {worker for worker, cell in done if cell.arm.name == "b"} == {0, 1}
    dear, done = simulate(todo, 2, prepare=50.0)
    assert dear == 130.0  # free at 95, and could only be done at 165
    assert len({worker for worker, cell in done if cell.arm.name == "b"}) == 1


def test_equal_cells_of_two_arms_are_run_once():
    twice = cells(a=(1, 2)) + [
        Cell("toy", "1", Arm("again", "again", {"arm": "a"}), seed) for seed in (0, 1)
    ]
    assert len(Schedule(twice)) == 2


def test_an_arm_that_cannot_be_prepared_is_dropped_whole():
    schedule = Schedule(cells(a=(1, 3), b=(2, 2)))
    assert [cell.seed for cell in schedule.drop("a")] == [0, 1, 2]
    assert len(schedule) == 2
    assert schedule.drop("a") == []
