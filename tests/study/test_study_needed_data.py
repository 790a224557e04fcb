# SPDX-License-Identifier: Apache-2.0
"""What happens when the files of a data set are not there."""

import pytest

from vae_ortho_plugin.data import render_dsprites
from vae_ortho_plugin.data.dsprites import FILE, is_rendered
from vae_ortho_plugin.data.files.mnist_files import SHAPES
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.plan.plans import select
from vae_ortho_plugin.study.run import command
from vae_ortho_plugin.study.run.missing_runs import render_dsprites_if_missing, runs_with_data


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
    return tmp_path


def data_sets(runs):
    return {run.data_set for run in runs}


def test_what_can_be_made_is_made_and_the_rest_named_with_its_remedy(root, capsys):
    there = runs_with_data(select("quick"), None)
    assert data_sets(there) == {"synth_linear", "synth_nonlinear"}
    error = capsys.readouterr().err
    assert "Leaving out 2 runs. The files of mnist are not in" in error
    assert "`vae_ortho_download_data mnist` fetches them" in error


def test_files_that_are_there_are_used(root):
    (root / "mnist").mkdir()
    for name in SHAPES:
        (root / "mnist" / f"{name}.gz").touch()
    runs = select("quick")
    assert runs_with_data(runs, None) == runs


def test_data_that_were_asked_for_by_name_and_some_of_a_study_must_be_there(root):
    for epochs in (None, 2):
        with pytest.raises(InputError, match=f"files of mnist are not in {root}/mnist"):
            runs_with_data(select("quick", epochs=epochs), ["mnist_short"])
    with pytest.raises(InputError, match=r"(?s)data mnist`.*data fashion_mnist`"):
        runs_with_data(select("mnist"), None)


def test_the_study_of_dsprites_says_how_to_get_or_render_them(root, capsys):
    assert command.main(["--study", "dsprites", "--output", str(root / "results")]) == 2
    error = capsys.readouterr().err
    assert "vae_ortho_download_data dsprites" in error
    assert "--render-dsprites" in error
    assert not (root / "results").exists()


def test_dsprites_are_rendered_where_they_are_missing_and_only_there(root, monkeypatch):
    rendered = []
    render = render_dsprites.render

    def render_few(path, sizes):
        rendered.append(path)
        render(path, (1, 1, 1, 1, 2, 2))

    monkeypatch.setattr(render_dsprites, "render", render_few)
    render_dsprites_if_missing()
    render_dsprites_if_missing()
    assert rendered == [root / FILE]
    assert is_rendered(root / FILE)
    runs = select("figure_4")
    assert runs_with_data(runs, None) == runs
