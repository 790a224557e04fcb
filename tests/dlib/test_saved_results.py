# SPDX-License-Identifier: Apache-2.0

import json

import numpy as np
import pandas as pd
import pytest
from disentanglement_lib.utils import results
from dlib_support import fresh_gin  # noqa: F401


def saved(directory, found):
    """What a strict parser of JSON reads out of a step's results."""
    results.update_result_directory(str(directory), "evaluation", found)
    text = (directory / "json/evaluation_results.json").read_text()

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize(
    "value, expected",
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([0.5, np.nan]), [0.5, None]),
        (np.float32("inf"), None),
        ([1.0, -np.inf, (np.int8(2),)], [1.0, None, [2]]),
        ({"a": np.nan, 3: {"b": np.arange(2)}}, {"a": None, "3": {"b": [0, 1]}}),
        ({2, 1}, [1, 2]),
        (np.array(["w1", "w2"]), ["w1", "w2"]),
        (b"text", "text"),
        (None, None),
        (complex(0.25, 0), 0.25),
        (np.array([1 + 0j, 2 + 0j]), [1.0, 2.0]),
        (pd.Series([1.0, np.nan]), [1.0, None]),
    ],
)
def test_what_a_metric_returns_is_saved_as_json(tmp_path, value, expected):
    assert saved(tmp_path, {"score": value})["score"] == expected


def test_numbers_that_json_lacks_are_said(tmp_path, capsys):
    saved(tmp_path, {"mig": np.nan, "matrix": np.array([[1.0, np.inf]]), "fine": 1.0})
    error = capsys.readouterr().err
    assert "in evaluation_results.json, mig is nan and is saved as null" in error
    assert "matrix[0][1] is inf" in error
    assert "fine" not in error and error.count("note:") == 2


def test_an_imaginary_part_is_saved_beside_the_real_part(tmp_path, capsys):
    found = saved(tmp_path, {"w": 1 + 2j, "list": [1.0, 1j], "nan": complex(np.nan, 1)})
    assert (found["w"], found["w_imaginary"]) == (1.0, 2.0)
    assert (found["list"], found["list_imaginary"]) == ([1.0, 0.0], [0.0, 1.0])
    assert (found["nan"], found["nan_imaginary"]) == (None, 1.0)
    assert "w has an imaginary part" in capsys.readouterr().err


def test_a_value_of_any_type_does_not_lose_the_others(tmp_path, capsys):
    class Strange:
        def __str__(self):
            return "strange"

    found = saved(tmp_path, {"mig": 0.5, "model": Strange(), "z": {1j}})
    assert (found["mig"], found["model"], found["z"]) == (0.5, "strange", ["1j"])
    assert "model is a Strange, of which the text is saved" in capsys.readouterr().err
