# SPDX-License-Identifier: Apache-2.0
"""The parser of gin files, on everything that gin writes."""

import pytest

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import gin_files
from vae_ortho_plugin.files.gin_files import Macro, Reference, parse_bindings, step_config


def read(text):
    return parse_bindings(text, "some.gin")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a.x = 'text'  # comment\na.y = [1, 2.5, None]\na.z = {'k': (True, -1e-4)}\n",
            {"a.x": "text", "a.y": [1, 2.5, None], "a.z": {"k": (True, -1e-4)}},
        ),
        # As gin's operative_config_str writes long values.
        (
            "a.x = \\\n    [1,\n     2]\na.y = (\n  'one '\n  'two')\n",
            {"a.x": [1, 2], "a.y": "one two"},
        ),
        # Macros are replaced wherever they are defined; those without a value stay.
        (
            "a.x = [%n, {'k': %n}]\nn = %m\nm = 3\nb = %c\nc = %b\nd = %gin.REQUIRED\n",
            {
                "a.x": [3, {"k": 3}], "n": 3, "m": 3, "b": Macro("c"), "c": Macro("b"),
                "d": Macro("gin.REQUIRED"),
            },
        ),
        (
            "one/a.x = @two/f()\na.x = @f\n",
            {"one/a.x": Reference("two/f", called=True), "a.x": Reference("f")},
        ),
        ("import my_module\none/a:\n  x = 1\n  y = 2\n", {"one/a.x": 1, "one/a.y": 2}),
        ("a.x = 1\na.x = 2\n", {"a.x": 2}),
    ],
)  # fmt: skip
def test_bindings_are_read_as_gin_reads_them(text, expected):
    assert read(text) == expected


def test_values_are_written_as_gin_reads_them():
    text = "a.x = [@f(), @s/g, %m, 'it\\'s', 1e-05]\n"
    value = read(text)["a.x"]
    assert repr(value) == '[@f(), @s/g, %m, "it\'s", 1e-05]'
    assert read(f"a.x = {value!r}\n")["a.x"] == value


def test_an_included_file_is_read_in_its_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.gin").write_text("a.x = 1\na.y = %n\n")
    (tmp_path / "own.gin").write_text("a.x = 0\ninclude 'base.gin'\nn = 5\n")
    assert gin_files.read_bindings("own.gin") == {"a.x": 1, "a.y": 5, "n": 5}
    assert gin_files.bindings(tmp_path / "own.gin") == ["a.x = 1", "a.y = 5", "n = 5"]


def test_an_included_file_is_found_beside_the_file_that_includes_it(tmp_path, monkeypatch):
    """What lies in the current directory comes first."""
    (tmp_path / "sub/deep").mkdir(parents=True)
    (tmp_path / "own.gin").write_text("include 'sub/a.gin'\n")
    (tmp_path / "sub/a.gin").write_text("include 'deep/b.gin'\ninclude 'c.gin'\n")
    (tmp_path / "sub/deep/b.gin").write_text("a.x = 1\n")
    (tmp_path / "sub/c.gin").write_text("a.y = 2\n")
    assert gin_files.read_bindings(tmp_path / "own.gin") == {"a.x": 1, "a.y": 2}
    (tmp_path / "c.gin").write_text("a.y = 3\n")
    monkeypatch.chdir(tmp_path)
    assert gin_files.read_bindings("own.gin") == {"a.x": 1, "a.y": 3}


def test_files_that_include_each_other_or_a_missing_one_are_named(tmp_path):
    (tmp_path / "a.gin").write_text("include 'b.gin'\n")
    (tmp_path / "b.gin").write_text("include 'a.gin'\n")
    with pytest.raises(InputError, match="in a circle: .*a.gin includes .*b.gin includes .*a.gin"):
        gin_files.read_bindings(tmp_path / "a.gin")
    with pytest.raises(InputError, match="some.gin includes it: There is no gin file vea.gin"):
        read("include 'vea.gin'\n")


@pytest.mark.parametrize(
    ("encoding", "end"), [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("utf-16", "\r\n")]
)
def test_files_of_utf_8_and_utf_16_are_read(tmp_path, encoding, end):
    (tmp_path / "a.gin").write_bytes(f"# für β{end}a.x = 'ä'{end}a.y = 1".encode(encoding))
    assert gin_files.read_bindings(tmp_path / "a.gin") == {"a.x": "ä", "a.y": 1}


@pytest.mark.parametrize(
    "content, line",
    [
        ("a.y = 1\na.x = 'ä'\n".encode("latin-1"), 2),
        ("a.y = 1\n".encode("utf-16-le"), 1),
        ("a.y = 1\n".encode("utf-32"), 1),
    ],
)
def test_the_line_of_another_encoding_is_named(tmp_path, content, line):
    (tmp_path / "a.gin").write_bytes(content)
    with pytest.raises(InputError, match=f"Line {line} of .*a.gin: .*Save the file as UTF-8"):
        gin_files.read_bindings(tmp_path / "a.gin")


@pytest.mark.parametrize("text", ["a.x = = 1\n", "a.x = [1,\n", "a.x = {[1]: 2}\n", "no binding\n"])
def test_a_broken_file_is_named(text):
    with pytest.raises(InputError, match="some.gin is not a gin file"):
        read(text)


def test_a_missing_file_is_answered_with_similar_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "Did you mean metrics/dto.gin, which vae_ortho_plugin has?" in gin_files.missing(
        "dot.gin"
    )
    assert "no directory here either. vae_ortho_plugin has:" in gin_files.missing("here/qqqqqq.gin")
    (tmp_path / "mine.gin").write_text("")
    assert "Did you mean ./mine.gin?" in gin_files.missing("mien.gin")
    assert "In . there are: mine.gin." in gin_files.missing("qqqqqq.gin")


def test_the_gin_file_of_a_finished_step_is_read_where_dlib_writes_it(tmp_path):
    (tmp_path / "results/gin").mkdir(parents=True)
    (tmp_path / "results/gin/train.gin").write_text("dataset.name = 'mnist'\n")
    assert step_config(tmp_path, "train") == {"dataset.name": "mnist"}
    with pytest.raises(InputError, match="no gin file .*postprocess.gin"):
        step_config(tmp_path, "postprocess")
