"""The bench of curves measures what it says."""

from bench import stress


def test_a_curve_is_measured_against_cold_solves():
    figures = list(stress.stress_figures("days/grid-integrated", points_count=5))
    assert [figure.name for figure in figures] == [
        *(f"days/grid-integrated {axis} curve/cold" for axis in ("hashprice", "power", "reserve")),
        "days/grid-integrated curves/cold",
    ]
    assert all(figure.unit == "ratio" and float(figure.value) > 0 for figure in figures)
    assert all("5 of 5 proven" in figure.against for figure in figures[:-1])
    assert "15 of 15 proven" in figures[-1].against
