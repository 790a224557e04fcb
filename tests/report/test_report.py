# SPDX-License-Identifier: Apache-2.0
"""The report of finished, partial and empty output directories, made by hand."""

import re
import shutil
from unittest import mock

import pandas as pd
import pytest
from study_output import add_run

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.plan import experiments
from vae_ortho_plugin.study.plan.experiments import Experiment, Run
from vae_ortho_plugin.study.plan.plans import select
from vae_ortho_plugin.study.report import pictures, write_report

VALUES = {"beta_vae": (0.02, 0.99), "random_decoder": (0.8, 0.5)}
LINEAR = experiments.SYNTH_LINEAR_64


def add(output, runs, **options):
    """Adds runs whose DtO and score differ a little from seed to seed."""
    for run in runs:
        dto, score = VALUES.get(run.experiment.model, (0.4, 0.6))
        score = score - 0.01 * run.seed if run.experiment.data.has_factors else None
        add_run(output, run, dto + 0.01 * run.seed, score, **options)


def report(study, output, selection=None):
    """The text of a report whose pictures are empty files, since drawing takes most of the time."""

    def touch(path, *drawn):
        path.parent.mkdir(exist_ok=True)
        path.touch()

    with mock.patch.object(pictures, "draw_where_changed", touch):
        return write_report(study, output, selection).read_text()


def line(text, *starts):
    """Columns of the table line that begins with these."""
    begin = f"| {' | '.join(starts)} |"
    (found,) = (line for line in text.splitlines() if line.startswith(begin))
    return [column.strip() for column in found.strip("|").split("|")]


def section(text, title):
    """What stands under the heading that begins with this title."""
    (found,) = (part for part in text.split("\n## ") if part.startswith(title))
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    output = tmp_path_factory.mktemp("finished")
    add(output, select("quick"))
    return write_report("quick", output)


def test_a_report_begins_with_what_was_found(finished):
    first, second, *_ = finished.read_text().split("\n## ")
    assert "60 of 60 runs are finished." in first
    assert second.startswith("What was found")
    assert (
        "**On Synth. Lin., batch 64**, β-VAE: DtO 0.04, score 0.97; with a full covariance (β-VAE_Σ): 0.42, "
        "0.58; AE: 0.42, 0.58 (the paper: 0.00, 0.99; 0.34, 0.71; 0.33, 0.71)."
    ) in second
    assert "10 have the paper's order here and 0 the reverse; our seeds leave 1 undecided" in second
    assert "](pictures/dto_disentanglement.png)" in second


def test_table_2_has_n_interval_and_the_papers_numbers(finished):
    text = section(finished.read_text(), "Table 2")
    assert line(text, "Synth. Lin., batch 64", "β-VAE")[2:] == [
        *("5", "0.04 ± 0.02", "0.02 to 0.06", "0.00 ± 0.00 ✗"),
        *("0.97 ± 0.02", "0.95 to 0.99", "0.99 ± 0.01 ✓"),
    ]
    assert line(text, "MNIST (short: 5 of 400 epochs)", "VAE")[2:] == [
        *("1", "0.40 (one seed)", "–", "1.59 ± 0.08", "no factors", "–", "–"),
    ]
    assert "- Synth. Lin., batch 64: the paper's order (" in text
    assert "missing" not in finished.read_text()


def test_table_1_has_the_share_of_training_in_the_polarized_regime(finished):
    text = section(finished.read_text(), "Table 1")
    assert line(text, "Synth. Lin., batch 64", "β-VAE")[2:] == [
        *("2", "5", "99.9 ± 0.0", "99.9 to 99.9", "99.8 ✗", "0 ± 0", "2.0 ± 0.0"),
    ]
    assert line(text, "Synth. Lin., batch 64", "β-VAE_Σ †")[6] == "–"


def test_the_quick_report_pictures_spaces_images_and_the_course_of_training(finished):
    names = {path.name for path in (finished.parent / "pictures").iterdir()}
    assert names == {
        *("delta_kl.png", "dto_training.png", "loss.png", "dto_disentanglement.png", "dial.png"),
        "limits.png",
        *("latent_space_synth_linear.png", "latent_space_synth_nonlinear-120-epochs.png"),
        *("latents_by_sigma_mnist_short.png", "reconstructions_mnist_short.png"),
    }
    assert all(f"](pictures/{name})" in finished.read_text() for name in names)


def test_theory_facts_of_the_data_and_our_choices_have_their_places(finished):
    text = finished.read_text()
    gap = section(text, "The mechanism at work").partition("### Loss")[0]
    assert line(gap, "Synth. Lin., batch 64", "β-VAE")[3:5] == ["0.25 ± 0", "0.1 ± 0"]
    angles = section(text, "Alignment with PCA")
    assert line(angles, "Synth. Lin., batch 64", "β-VAE")[3] == "3.2 ± 0.0"
    rest = section(text, "What the numbers rest on")
    assert "- batch size 64" in rest
    assert "- Synth. Non-Lin.: weight_seed = 7; each run's run.json has the weights" in rest


def test_the_html_page_needs_no_other_file_and_no_network(finished):
    page = (finished.parent / "report.html").read_text()
    references = re.findall(r'(?:src|href)="([^"]+)"', page)
    inner = {reference[1:] for reference in references if reference[0] == "#"}
    assert len(inner) >= 8
    assert all(f'id="{target}"' in page for target in inner)
    assert all(reference[0] == "#" or reference.startswith("data:") for reference in references)
    assert "@import" not in page
    assert "url(" not in page
    assert page.count('<img alt="') == len(list((finished.parent / "pictures").iterdir()))
    assert "<td>0.04 ± 0.02</td>" in page


def test_every_table_has_a_csv_with_unrounded_numbers_and_a_latex_file(finished):
    folder = finished.parent / "tables"
    rows = pd.read_csv(folder / "table_2.csv").set_index(["row", "model", "measure"])
    dto = rows.loc["synth_linear", "autoencoder", "dto"]
    assert (dto["n"], dto["planned"], dto["epochs"]) == (5, 5, 600)
    assert dto["sd"] == pytest.approx(0.0158113883)
    assert (dto["paper_mean"], dto["paper_sd"]) == (0.33, 0.18)
    assert {path.stem for path in folder.glob("*.tex")} == {
        path.stem for path in folder.glob("*.csv")
    }
    latex = (folder / "table_2.tex").read_text()
    assert r"Synth. Lin., batch 64 & $\beta$-VAE\_$\Sigma$ & 5 & 0.42 $\pm$ 0.02" in latex
    assert latex.isascii()


def test_dto_over_training_leaves_out_collapsed_models(tmp_path):
    for model, active in (("beta_vae", 0), ("vae", 2)):
        add(tmp_path, [Run(Experiment(LINEAR, model), 0)], active=active)
        text = report("synthetic", tmp_path)
        assert ("### DtO over training" in text) == (active > 0)
        assert "### Δ_KL over training" in text


def test_a_report_is_renewed_by_drawing_the_pictures_whose_data_changed(finished, tmp_path):
    files = {path: path.stat().st_ino for path in (finished.parent / "pictures").iterdir()}
    write_report("quick", finished.parent)
    assert {path: path.stat().st_ino for path in files} == files
    picture, read, drawn = tmp_path / "a.png", tmp_path / "read", []

    def draw(data):
        drawn.append(data)
        return pictures.panels(1, 1, 2, 2)[0]

    for content, data in (("a", 1), ("a", 1), ("a", 2), ("b", 2)):
        read.write_text(content)
        pictures.draw_where_changed(picture, draw, data, [read])
    assert drawn == [1, 2, 2]


def test_a_partial_study_reports_what_is_there_and_what_is_missing_until_every_run_is_finished(
    tmp_path,
):
    runs, page = select("quick"), tmp_path / "report.html"
    add(tmp_path, runs[:1])
    text = report("quick", tmp_path)
    table = section(text, "Table 2")
    assert line(table, "Synth. Lin., batch 64", "β-VAE", "1 of 5", "0.02 (one seed)")
    missing = ["0 of 5", "missing", "–", "0.33 ± 0.18"]
    assert line(table, "Synth. Lin., batch 64", "AE")[2:6] == missing
    assert "latent_space_synth_linear.png" in text
    assert "latent_space_synth_nonlinear-120-epochs.png" not in text
    assert "- Synth. Lin., batch 64, AE: 0 of 5 seeds" in section(text, "What is missing")
    assert "`vae_ortho_study --study quick`, with this folder as `--output`, makes it" in text
    assert "1 of 60 runs are finished." in page.read_text()
    assert "location.reload()" in page.read_text()
    add(tmp_path, runs[1:], bare=True)
    report("quick", tmp_path)
    assert "60 of 60 runs are finished." in page.read_text()
    assert "reload" not in page.read_text()


def test_an_empty_study_reports_that_nothing_is_finished(tmp_path):
    (tmp_path / "runs/synth_linear/beta_vae/.0.partial").mkdir(parents=True)
    (tmp_path / "runs/synth_linear/beta_vae/notes").touch()
    text = report("full", tmp_path)
    assert "0 of 565 runs are finished." in text
    assert "Nothing yet" in section(text, "What was found")
    assert "![" not in text
    assert "Correlation: none yet" in section(text, "Figure 4")
    assert (tmp_path / "report.html").is_file()


def test_a_report_of_a_selection_covers_it_and_whatever_is_finished(tmp_path):
    add(tmp_path, [Run(Experiment(experiments.MNIST.shortened(20), "vae"), 0)])
    selection = {Experiment(experiments.FASHION_MNIST, "vae")}
    text = report("mnist", tmp_path, selection)
    assert "1 of 20 runs are finished." in text
    rows = re.findall(
        r"^\| ([^|]*MNIST[^|]*) \| ([^|]*) \|", section(text, "Table 2"), re.MULTILINE
    )
    assert rows == [("MNIST (20 of 400 epochs)", "VAE"), ("Fashion-MNIST", "VAE")]
    missing = re.findall(r"^- (.*)$", section(text, "What is missing"), re.MULTILINE)
    assert missing == [
        "MNIST (20 of 400 epochs), VAE: 1 of 10 seeds",
        "Fashion-MNIST, VAE: 0 of 10 seeds",
    ]


def test_runs_without_pictures_and_tracking_are_reported_all_the_same(tmp_path):
    add(tmp_path, select("quick", ["beta_vae"]), bare=True)
    text = report("quick", tmp_path)
    table_1 = section(text, "Table 1")
    assert line(section(text, "Table 2"), "Synth. Lin., batch 64", "β-VAE", "5", "0.04 ± 0.02")
    assert line(table_1, "Synth. Lin., batch 64", "β-VAE", "2", "0 of 5", "missing")
    assert not any(title in text for title in ("Alignment with PCA", "Supplement C", "When ortho"))


def test_shortened_runs_have_rows_of_their_own_that_claim_no_agreement(tmp_path):
    whole, short = experiments.MNIST, experiments.MNIST.shortened(20)
    for variant, dto in ((short, 1.56), (whole, 1.6)):
        for seed in range(2):
            add_run(tmp_path, Run(Experiment(variant, "vae"), seed), dto + 0.01 * seed, bare=True)
        text = section(report("mnist", tmp_path), "Table 2")
        # Where all runs are shortened, the whole row gives way.
        assert ("| MNIST |" in text) == (variant is whole)
        assert line(text, "MNIST (20 of 400 epochs)", "VAE")[3:6] == [
            *("1.56 ± 0.01", "1.50 to 1.63", "1.59 ± 0.08"),
        ]
    assert line(text, "MNIST", "VAE", "2 of 10")[3:6] == [
        *("1.60 ± 0.01", "1.54 to 1.67", "1.59 ± 0.08 (too few)"),
    ]
    assert line(text, "MNIST (20 of 400 epochs)", "AE", "0 of 10")


def test_larger_batches_stand_beside_the_papers_numbers_below_their_data_set(tmp_path):
    for variant in (experiments.SYNTH_LINEAR, LINEAR):
        add(tmp_path, [Run(Experiment(variant, "beta_vae"), seed) for seed in range(2)])
    text = section(report("synthetic", tmp_path), "Table 2")
    larger = line(text, "Synth. Lin., batch 64", "β-VAE")
    assert [*larger[2:4], larger[5]] == ["2 of 10", "0.03 ± 0.01", "0.00 ± 0.00 (too few)"]
    rows = re.findall(r"^\| (Synth[^|]*) \|", text, re.MULTILINE)
    assert list(dict.fromkeys(rows)) == [
        *("Synth. Lin.", "Synth. Lin., batch 64"),
        *("Synth. Non-Lin.", "Synth. Non-Lin., batch 64"),
    ]


def test_results_from_rendered_data_are_marked_and_never_mixed_with_others(tmp_path):
    origin = "rendered; 240 of 240 published images are equal"
    run = Experiment(experiments.DSPRITES, "vae")
    add_run(tmp_path, Run(run, 0), 1.0, 0.2)
    add_run(tmp_path, Run(run, 1), 2.0, 0.2, origin=origin)
    text = report("dsprites", tmp_path)
    table = section(text, "Table 2")
    assert line(table, "dSprites", "VAE", "1 of 10", "1.00 (one seed)")
    assert line(table, "dSprites (rendered)", "VAE", "1 of 10", "2.00 (one seed)")
    assert f"- dSprites: {origin}, not the original data" in text
    rows = pd.read_csv(tmp_path / "tables/table_2.csv", keep_default_na=False)
    assert set(rows["remarks"]) == {"", "rendered"}


def test_a_copied_run_is_not_counted_twice(tmp_path):
    add_run(tmp_path, Run(Experiment(LINEAR, "vae"), 0), 1.0, 0.2)
    runs = tmp_path / "runs/synth_linear/vae"
    shutil.copytree(runs / "0", runs / "0 copy")
    with pytest.raises(InputError, match="vae/0.* are the same run"):
        report("synthetic", tmp_path)


def test_figure_4_has_the_correlation_over_all_restarts(tmp_path):
    for index, number in enumerate(experiments.FIGURE_4_EPOCHS):
        for seed in range(2):
            dto = 1.5 - 0.3 * index + 0.01 * seed
            run = Run(experiments.figure_4_experiment(number), seed)
            add_run(tmp_path, run, dto, 0.8 - 0.5 * dto, bare=True)
    text = section(write_report("figure_4", tmp_path).read_text(), "Figure 4")
    assert "Correlation: 6 runs, Pearson -1.00" in text
    assert "Spearman -1.00" in text
    assert "dSprites, 10 epochs: 2 runs" in text
    assert "](pictures/figure_4.png)" in text


def test_the_sweep_and_the_axis_ratios_have_tables(tmp_path):
    swept = experiments.beta_experiment(experiments.SYNTH_LINEAR, 1e-3)
    ratio = experiments.axis_ratio_experiment(1.5)
    for seed in range(3):
        add_run(tmp_path, Run(ratio, seed), 0.01 * seed, 0.97, bare=True)
    for planned in (swept, swept.shortened(7), ratio.shortened(7)):
        add_run(tmp_path, Run(planned, 0), 0.1, 0.9, bare=True)
    text = write_report("supplement_c", tmp_path).read_text()
    sweep = section(text, "Supplement C: sweep of β")
    one_seed = ("1 of 5", "0.10 (one seed)", "0.90 (one seed)")
    assert line(sweep, "Synth. Lin.", "0.001", *one_seed)
    assert line(sweep, "Synth. Lin. (7 of 600 epochs)", "0.001", *one_seed)
    assert line(sweep, "Synth. Non-Lin.", "0.1", "0 of 5", "missing")
    assert "beta_sweep.png" in sweep
    assert pd.read_csv(tmp_path / "tables/beta_sweep.csv")["paper_mean"].isna().all()
    ratios = section(text, "Supplement C: axis ratios")
    assert line(ratios, "Synth. Lin.", "1.5", "3 of 5", "0.01 ± 0.01")[5] == "0.01 ± 0.06 ✓"
    assert line(ratios, "Synth. Lin.", "2", "0 of 5")[5] == "0.00 ± 0.00"
    assert line(ratios, "Synth. Lin. (7 of 600 epochs)", "1.5", "1 of 5", "0.10 (one seed)")


def test_scores_stand_beside_what_pca_predicts_wherever_it_was_measured(tmp_path):
    turned, paper = experiments.axis_ratio_experiment(1.2).data, experiments.SYNTH_LINEAR
    for data, predicted, score in ((paper, 0.99, 0.95), (turned, 0.05, 0.03)):
        for seed in range(2):
            run = Run(Experiment(data, "beta_vae"), seed)
            add_run(tmp_path, run, 0.01 + 0.02 * seed, score, predicted=predicted)
    add_run(tmp_path, Run(Experiment(paper, "autoencoder"), 0), 0.4, 0.79, predicted=0.99)
    add_run(tmp_path, Run(Experiment(paper, "vae"), 0), 0.4, 0.7, bare=True)
    text = report("synthetic", tmp_path)
    limits = section(text, "When orthogonality disentangles")
    found = (
        "Over 2 kinds of data, the score's mean distance from what PCA predicts is: β-VAE 0.03, AE 0.20. "
        "Where PCA predicts less than 0.5, the most orthogonal model, β-VAE, has a DtO of 0.02 and a score of 0.03."
    )
    assert limits.partition("\n\n")[2].startswith(found)
    assert found in section(text, "What was found")
    assert line(limits, "Synth. Lin., axis ratio 1.2", "β-VAE")[3:] == [
        *("0.02 ± 0.01", "-0.11 to 0.15", "0.05 ± 0.00", "0.03 ± 0.00", "0.03 to 0.03"),
    ]
    assert len(re.findall(r"^\| Synth", limits, re.MULTILINE)) == 3
    assert "](pictures/limits.png)" in limits


def test_the_weight_of_the_dial_makes_no_other_kind_of_data(tmp_path):
    for experiment in experiments.limits_experiments(LINEAR):
        add_run(tmp_path, Run(experiment, 0), 0.1, 0.9)
    assert "Over 1 kind of data, the score's mean distance" in report("limits", tmp_path)
