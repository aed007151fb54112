import numpy as np

from kit.panels import line_panels, matrix_panels, point_panels


def lines_of(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def test_a_name_keeps_its_colour_and_is_once_in_the_legend():
    runs = [[1.0, 2.0], [3.0, 6.0]]
    figure = line_panels(
        {"left": {"a": runs, "b": runs}, "right": {"b": runs}},
        {"left": "xy", "right": "xy"},
        columns=2,
        references={"left": {"floor": [0.5, 1.5]}, "right": {"floor": 0.5}},
    )
    left, right = map(lines_of, figure.axes)
    assert left["b"].get_color() == right["b"].get_color() != left["a"].get_color()
    assert left["a"].get_ydata().tolist() == [2.0, 4.0]
    assert list(left["floor"].get_ydata()) == [0.5, 1.5]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["a", "b", "floor"]


def test_a_shorter_line_ends_earlier():
    figure = line_panels(
        {"one": {"deep": np.ones((2, 4)), "shallow": np.ones((2, 2))}},
        {"one": ["in", "0", "1", "2"]},
    )
    (ax,) = figure.axes
    assert [len(line.get_ydata()) for line in ax.get_lines()] == [4, 2]
    assert len(ax.get_xticks()) == 4


def test_panels_that_are_not_needed_stay_empty():
    figure = line_panels(
        {name: {"a": np.ones((1, 2))} for name in "pqr"},
        dict.fromkeys("pqr", "xy"),
        columns=2,
    )
    assert [ax.axison for ax in figure.axes] == [True, True, True, False]


def test_matrices_share_one_scale():
    blank = [[np.nan, 0.5], [None, -2.0]]
    figure = matrix_panels({"a": np.eye(2), "b": blank}, ticks="xy")
    images = [ax.get_images()[0] for ax in figure.axes[:2]]
    assert [image.get_clim() for image in images] == [(-1, 1), (-1, 1)]
    assert np.isnan(images[1].get_array().filled(np.nan)).sum() == 2


def test_matrices_of_one_sign_have_colours_of_one_direction():
    figure = matrix_panels({"a": np.eye(2)}, ticks="xy", diverging=False)
    (image,) = figure.axes[0].get_images()
    assert image.get_cmap().name == "cividis"


def test_points_of_a_name_look_the_same_in_all_panels():
    points = np.array([[0.1, 1.0], [0.9, 2.0]])
    figure = point_panels(
        {"left": {"a": points, "b": points + 1}, "right": {"b": points}},
        x_label="x",
        y_label="y",
    )
    left, right = figure.axes
    colors = [dots.get_facecolor().tolist() for dots in left.collections]
    assert colors[0] != colors[1]
    assert right.collections[0].get_facecolor().tolist() == colors[1]
    np.testing.assert_allclose(right.collections[0].get_offsets(), points)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
