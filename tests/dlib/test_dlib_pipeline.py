# SPDX-License-Identifier: Apache-2.0
"""dlib's studies and scripts, from training to the aggregated file."""

import os
from pathlib import Path

import data_files
import pytest
from data_of_dlib_support import small_sizes
from disentanglement_lib.config import reproduce
from disentanglement_lib.config.unsupervised_study_v1 import sweep
from disentanglement_lib.utils import aggregate_results, resources
from dlib_pipeline import every_seventh
from processes import run_python

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.run.reproduce import dlib_script

HERE = Path(__file__).parent
STUDY = "unsupervised_study_v1"
# Each method with a data set, so that each of both is there.
PAIRS = {
    "dsprites_full": "beta_vae",
    "color_dsprites": "factor_vae",
    "noisy_dsprites": "dip_vae_i",
    "scream_dsprites": "dip_vae_ii",
    "smallnorb": "beta_tc_vae",
    "cars3d": "annealed_vae",
    "shapes3d": "beta_vae",
}

# Data set: number of its model in the study.
NUMBERS = {
    one["dataset.name"]: number
    for number, one in reversed([*enumerate(sweep.get_config())])
    if PAIRS[one["dataset.name"]] == one["model.name"]
}
OTHERS = ("abstract_reasoning_study_v1", "fairness_study_v1", "test")


def metrics(study, place):
    """The metrics that the model at this place of a call evaluates."""
    files = reproduce.STUDIES[study].get_eval_config_files()
    return {Path(file).stem for file in every_seventh(files, place)}


def run(*arguments):
    places = (HERE.parents[1], HERE.parent / "support", os.environ.get("PYTHONPATH", ""))
    process = run_python(*arguments, PYTHONPATH=os.pathsep.join(map(str, places)))
    assert process.returncode == 0, process.stderr[-3000:]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The directory of models of dlib's studies, and the table that dlib_aggregate_results writes of them."""
    directory = tmp_path_factory.mktemp("studies")
    with pytest.MonkeyPatch.context() as patch:
        small_sizes(patch)
        data_files.write_all(directory / "data")
    chosen = [f"{STUDY}={','.join(map(str, NUMBERS.values()))}", *(f"{name}=0" for name in OTHERS)]
    run(HERE / "dlib_pipeline.py", directory / "data", directory, *chosen)
    pattern = directory / "*/*/metrics/*/*/results/aggregate/evaluation.json"
    flags = [f"--result_file_pattern={pattern}", f"--output_path={directory / 'results.json'}"]
    run(dlib_script("dlib_aggregate_results"), *flags)
    return directory, aggregate_results.load_aggregated_json_results(
        str(directory / "results.json")
    )


def of_study(table, study):
    return table[table["path"].str.contains(f"/{study}/", regex=False)]


def test_the_pairs_have_each_data_set_and_each_method_of_the_study():
    config = sweep.get_config()
    assert set(PAIRS) == {one["dataset.name"] for one in config}
    assert set(PAIRS.values()) == {one["model.name"] for one in config}


@pytest.mark.long
def test_unsupervised_study_v1_runs_from_training_to_the_aggregated_file(made):
    directory, table = made[0] / STUDY, of_study(made[1], STUDY)
    data = table["train_config.dataset.name"].str.strip("'")
    method = table["train_config.model.model"].str.strip("@()")
    for name, expected in PAIRS.items():
        function = {"dip_vae_i": "dip_vae", "dip_vae_ii": "dip_vae", "beta_vae": "vae"}
        assert set(method[data == name]) == {function.get(expected, expected)}
    metric = table["evaluation_config.evaluation.name"].str.strip("'")
    for place, name in enumerate(NUMBERS):
        assert sorted(metric[data == name]) == sorted(2 * list(metrics(STUDY, place)))
    assert len(set(metric)) == len(reproduce.STUDIES[STUDY].get_eval_config_files())
    assert (table["train_results.global_step"] >= 3).all()
    assert table["evaluation_results.discrete_mig"].notna().sum() > 0
    for number in NUMBERS.values():
        assert list((directory / str(number) / "visualizations").rglob("*.gif"))


@pytest.mark.long
@pytest.mark.parametrize("study", OTHERS)
def test_the_other_studies_of_dlib_run_to_the_aggregated_file(made, study):
    assert len(of_study(made[1], study)) == 2 * len(metrics(study, 0))


def test_each_study_of_dlib_has_configurations_of_models_and_of_each_step():
    for name, study in reproduce.STUDIES.items():
        if name.startswith("vae_pca"):
            continue
        bindings, file = study.get_model_config(0)
        assert Path(file).is_file() and isinstance(bindings, list)
        assert study.get_postprocess_config_files() and study.get_eval_config_files()


@pytest.mark.parametrize(
    ("study", "number", "message"),
    [
        ("unsupervised_study_v1", 12600, "has no model_num 12600; it has 0 to 12599"),
        ("abstract_reasoning_study_v1", 360, "has no model_num 360; it has 0 to 359"),
        ("fairness_study_v1", -1, "model_num = -1; it must be 0 or more"),
        ("vae_pca", 0, "no study named 'vae_pca'.*unsupervised_study_v1.*vae_pca"),
    ],
)
def test_a_number_without_a_model_and_an_unknown_study_are_refused(study, number, message):
    with pytest.raises(InputError, match=message):
        reproduce.STUDIES[study].get_model_config(number)


@pytest.mark.long
def test_dlib_reproduce_jmlr_runs_on_a_users_own_files(tmp_path):
    mean = resources.get_file("config/tests/postprocessing/postprocess_test_configs/mean.gin")
    (tmp_path / "mean.gin").write_text(Path(mean).read_text().replace('"dummy_data"', '"auto"'))
    (tmp_path / "mine.gin").write_text("include 'beta_vae.gin'\n")
    (tmp_path / "dto.gin").write_text("include 'metrics/dto.gin'\n")
    bindings = "model.training_steps = 5\nmodel.eval_steps = 2\nsynth_linear.num_points = 200"
    run(
        dlib_script("dlib_reproduce_jmlr"),
        f"--output_directory={tmp_path / 'out'}",
        f"--gin_model_config_dir={tmp_path}",
        "--gin_model_config_name=mine.gin",
        f"--gin_bindings={bindings}",
        f"--gin_postprocess_config_glob={tmp_path / 'mean.gin'}",
        f"--gin_evaluation_config_glob={tmp_path / 'dto.gin'}",
        "--random_seed=0",
    )
    assert list((tmp_path / "out").rglob("evaluation_results.json"))
