# SPDX-License-Identifier: Apache-2.0
"""The report of finished, partial and empty output directories, made by hand."""

import csv
import re

import pytest
from study_output import add_run

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.plan import experiments
from vae_ortho_plugin.study.plan.experiments import Experiment, Run
from vae_ortho_plugin.study.plan.plans import select
from vae_ortho_plugin.study.report import write_report

VALUES = {"beta_vae": (0.02, 0.99), "random_decoder": (0.8, 0.5)}


def add(output, runs, **options):
    """Adds runs whose DtO and score differ a little from seed to seed."""
    for run in runs:
        dto, score = VALUES.get(run.experiment.model, (0.4, 0.6))
        score = score - 0.01 * run.seed if run.experiment.data.has_factors else None
        add_run(output, run, dto + 0.01 * run.seed, score, **options)


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


def test_a_finished_study_is_reported_with_n_interval_and_the_papers_numbers(finished):
    text = section(finished.read_text(), "Table 2")
    assert line(text, "Synth. Lin., batch 64", "β-VAE") == [
        *("Synth. Lin., batch 64", "β-VAE", "5"),
        *("0.04 ± 0.02", "0.02 to 0.06", "0.00 ± 0.00 ✗"),
        *("0.97 ± 0.02", "0.95 to 0.99", "0.99 ± 0.01 ✓"),
    ]
    assert line(text, "MNIST (short: 5 of 400 epochs)", "VAE")[2:] == [
        *("1", "0.40 (one seed)", "–", "1.59 ± 0.08", "no factors", "–", "–"),
    ]
    assert "- Synth. Lin., batch 64: the paper's order (" in text
    assert "72 finished runs (72 planned)" in finished.read_text()


def test_a_finished_study_misses_nothing(finished):
    assert "missing" not in finished.read_text()


def test_table_1_has_the_share_of_training_in_the_polarized_regime(finished):
    text = section(finished.read_text(), "Table 1")
    assert line(text, "Synth. Lin., batch 64", "β-VAE") == [
        *("Synth. Lin., batch 64", "β-VAE", "2", "5", "99.9 ± 0.0", "99.9 to 99.9", "99.8 ✗"),
        *("0 ± 0", "2.0 ± 0.0"),
    ]
    assert line(text, "Synth. Lin., batch 64", "β-VAE_Σ †")[6] == "–"


def test_the_quick_report_pictures_spaces_images_and_the_course_of_training(finished):
    names = {path.name for path in (finished.parent / "pictures").iterdir()}
    assert names == {
        *("delta_kl.png", "dto_training.png", "loss.png", "dto_disentanglement.png", "dial.png"),
        *("latent_space_synth_linear.png", "latent_space_synth_nonlinear.png"),
        *("traversals_mnist_short.png", "reconstructions_mnist_short.png"),
    }
    assert all(f"](pictures/{name})" in finished.read_text() for name in names)


@pytest.mark.parametrize("active", [0, 2])
def test_dto_over_training_leaves_out_collapsed_models(tmp_path, active):
    add(tmp_path, select("quick", models=["beta_vae"], seeds=[0]), active=active)
    text = write_report("quick", tmp_path).read_text()
    assert ("### DtO over training" in text) == (active > 0)
    assert "### Δ_KL over training" in text


def test_the_mechanism_and_pca_have_tables(finished):
    text = finished.read_text()
    gap = section(text, "The mechanism at work")
    assert line(gap.partition("### Loss")[0], "Synth. Lin., batch 64", "β-VAE")[3:5] == [
        *("0.25 ± 0", "0.1 ± 0"),
    ]
    assert (
        line(section(text, "Alignment with PCA"), "Synth. Lin., batch 64", "β-VAE")[3]
        == "3.2 ± 0.0"
    )


def test_what_the_paper_leaves_open_and_the_weights_of_the_data_are_listed(finished):
    text = section(finished.read_text(), "What the numbers rest on")
    assert "- batch size 64" in text
    assert "- Synth. Non-Lin.: weight_seed = 7; each run's run.json has the weights" in text


def test_the_html_page_needs_no_other_file_and_no_network(finished):
    page = (finished.parent / "report.html").read_text()
    references = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert {reference.partition(":")[0] for reference in references if reference[0] != "#"} == {
        "data"
    }
    assert "@import" not in page
    assert "url(" not in page
    assert page.count('<img alt="') == len(list((finished.parent / "pictures").iterdir()))


def test_the_html_page_has_the_tables_and_a_table_of_contents_that_leads_there(finished):
    page = (finished.parent / "report.html").read_text()
    contents = page.partition("<nav>")[2].partition("</nav>")[0]
    targets = re.findall(r'href="#([^"]+)"', contents)
    assert len(targets) >= 8
    assert all(f'id="{target}"' in page for target in targets)
    assert "<td>0.04 ± 0.02</td>" in page
    assert "<h1" in page.partition("<nav>")[0]


def test_every_table_has_a_csv_with_unrounded_numbers_and_a_latex_file(finished):
    folder = finished.parent / "tables"
    with open(folder / "table_2.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    (dto,) = (
        row
        for row in rows
        if (row["row"], row["model"], row["measure"]) == ("synth_linear", "autoencoder", "dto")
    )
    assert (dto["n"], dto["planned"], dto["epochs"]) == ("5", "5", "600")
    assert float(dto["sd"]) == pytest.approx(0.0158113883)
    assert (dto["paper_mean"], dto["paper_sd"]) == ("0.33", "0.18")
    assert {path.stem for path in folder.glob("*.tex")} == {
        path.stem for path in folder.glob("*.csv")
    }
    latex = (folder / "table_2.tex").read_text()
    assert r"Synth. Lin., batch 64 & $\beta$-VAE\_$\Sigma$ & 5 & 0.42 $\pm$ 0.02" in latex
    assert latex.isascii()


def test_nothing_half_written_remains(finished):
    assert [path for path in finished.parent.rglob(".*") if path.is_file()] == []


def test_a_partial_study_reports_what_is_there_and_what_is_missing(tmp_path):
    add(tmp_path, select("quick")[:1])
    text = write_report("quick", tmp_path).read_text()
    table = section(text, "Table 2")
    assert line(table, "Synth. Lin., batch 64", "β-VAE", "1 of 5", "0.02 (one seed)")
    assert line(table, "Synth. Lin., batch 64", "AE")[2:6] == [
        "0 of 5",
        "missing",
        "–",
        "0.33 ± 0.18",
    ]
    assert "latent_space_synth_linear.png" in text
    assert "latent_space_synth_nonlinear.png" not in text
    assert "- Synth. Lin., batch 64, AE: 0 of 5 seeds" in section(text, "What is missing")
    assert "`vae_ortho_study --study quick` makes it" in text


def test_an_empty_study_reports_that_nothing_is_finished(tmp_path):
    text = write_report("full", tmp_path).read_text()
    assert "None of 565 runs is finished." in text
    assert "![" not in text
    assert "Correlation: none yet" in section(text, "Figure 4")
    assert (tmp_path / "report.html").is_file()


def test_a_report_of_a_selection_covers_it_and_whatever_is_finished(tmp_path):
    add(tmp_path, [Run(Experiment(experiments.MNIST.shortened(20), "vae"), 0)])
    selection = {Experiment(experiments.FASHION_MNIST, "vae")}
    text = write_report("mnist", tmp_path, selection).read_text()
    assert "1 finished runs (20 planned)" in text
    rows = re.findall(
        r"^\| ([^|]*MNIST[^|]*) \| ([^|]*) \|", section(text, "Table 2"), re.MULTILINE
    )
    assert rows == [("MNIST (20 of 400 epochs)", "VAE"), ("Fashion-MNIST", "VAE")]
    missing = re.findall(r"^- (.*)$", section(text, "What is missing"), re.MULTILINE)
    assert missing == [
        "MNIST (20 of 400 epochs), VAE: 1 of 10 seeds",
        "Fashion-MNIST, VAE: 0 of 10 seeds",
    ]


def test_a_run_that_is_being_made_is_no_finished_run(tmp_path):
    (tmp_path / "runs/synth_linear/beta_vae/.0.partial").mkdir(parents=True)
    assert "None of 72 runs is finished." in write_report("quick", tmp_path).read_text()


def test_runs_without_pictures_and_tracking_are_reported_all_the_same(tmp_path):
    add(tmp_path, select("quick"), bare=True)
    text = write_report("quick", tmp_path).read_text()
    assert line(section(text, "Table 2"), "Synth. Lin., batch 64", "β-VAE", "5", "0.04 ± 0.02")
    assert line(
        section(text, "Table 1"), "Synth. Lin., batch 64", "β-VAE", "2", "0 of 5", "missing"
    )
    assert "Alignment with PCA" not in text


def test_an_unknown_study_is_answered_with_the_known_ones(tmp_path):
    with pytest.raises(InputError, match="Unknown study 'fast'; known: quick, synthetic"):
        write_report("fast", tmp_path)


def test_shortened_runs_have_rows_of_their_own_that_say_so_and_claim_no_agreement(tmp_path):
    whole, short = experiments.MNIST, experiments.MNIST.shortened(20)
    for variant, dto in ((whole, 1.6), (short, 1.56)):
        for seed in range(2):
            add_run(tmp_path, Run(Experiment(variant, "vae"), seed), dto + 0.01 * seed)
    text = section(write_report("mnist", tmp_path).read_text(), "Table 2")
    assert line(text, "MNIST", "VAE", "2 of 10")[3:6] == [
        *("1.60 ± 0.01", "1.54 to 1.67", "1.59 ± 0.08 (too few)"),
    ]
    assert line(text, "MNIST (20 of 400 epochs)", "VAE")[3:6] == [
        *("1.56 ± 0.01", "1.50 to 1.63", "1.59 ± 0.08"),
    ]


def test_larger_batches_stand_beside_the_papers_numbers_below_their_data_set(tmp_path):
    runs = [
        Run(Experiment(variant, "beta_vae"), seed)
        for variant in (experiments.SYNTH_LINEAR, experiments.SYNTH_LINEAR_64)
        for seed in range(2)
    ]
    add(tmp_path, runs)
    text = section(write_report("synthetic", tmp_path).read_text(), "Table 2")
    larger = line(text, "Synth. Lin., batch 64", "β-VAE")
    assert larger[2:4] == ["2 of 10", "0.03 ± 0.01"]
    assert larger[5] == "0.00 ± 0.00 (too few)"
    rows = re.findall(r"^\| (Synth[^|]*) \|", text, re.MULTILINE)
    assert list(dict.fromkeys(rows)) == [
        *("Synth. Lin.", "Synth. Lin., batch 64"),
        *("Synth. Non-Lin.", "Synth. Non-Lin., batch 64"),
    ]


def test_where_all_runs_are_shortened_the_whole_row_gives_way(tmp_path):
    add_run(tmp_path, Run(Experiment(experiments.MNIST.shortened(20), "vae"), 0), 1.6)
    text = section(write_report("mnist", tmp_path).read_text(), "Table 2")
    assert "| MNIST |" not in text
    assert line(text, "MNIST (20 of 400 epochs)", "AE", "0 of 10")


def test_results_from_rendered_data_are_marked_and_never_mixed_with_others(tmp_path):
    add_run(tmp_path, Run(Experiment(experiments.DSPRITES, "vae"), 0), 1.0, 0.2)
    add_run(
        tmp_path,
        Run(Experiment(experiments.DSPRITES, "vae"), 1),
        2.0,
        0.2,
        origin="rendered; 240 of 240 published images are equal",
    )
    text = write_report("dsprites", tmp_path).read_text()
    table = section(text, "Table 2")
    assert line(table, "dSprites", "VAE", "1 of 10", "1.00 (one seed)")
    assert line(table, "dSprites (rendered)", "VAE", "1 of 10", "2.00 (one seed)")
    assert (
        "- dSprites: rendered; 240 of 240 published images are equal, not the original data" in text
    )
    with open(tmp_path / "tables/table_2.csv", newline="") as file:
        remarks = {row["remarks"] for row in csv.DictReader(file)}
    assert remarks == {"", "rendered"}


def test_figure_4_has_the_correlation_over_all_restarts(tmp_path):
    for index, number in enumerate(experiments.FIGURE_4_EPOCHS):
        for seed in range(2):
            dto = 1.5 - 0.3 * index + 0.01 * seed
            add_run(
                tmp_path, Run(experiments.figure_4_experiment(number), seed), dto, 0.8 - 0.5 * dto
            )
    text = section(write_report("figure_4", tmp_path).read_text(), "Figure 4")
    assert "Correlation: 6 runs, Pearson -1.00" in text
    assert "Spearman -1.00" in text
    assert "dSprites, 10 epochs: 2 runs" in text
    assert "](pictures/figure_4.png)" in text


def test_the_sweep_and_the_axis_ratios_have_tables(tmp_path):
    add_run(tmp_path, Run(experiments.beta_experiment(experiments.SYNTH_LINEAR, 1e-3), 0), 0.1, 0.9)
    for seed in range(3):
        add_run(tmp_path, Run(experiments.axis_ratio_experiment(1.5), seed), 0.01 * seed, 0.97)
    text = write_report("supplement_c", tmp_path).read_text()
    sweep = section(text, "Supplement C: sweep of β")
    assert line(sweep, "Synth. Lin.", "0.001", "1 of 5", "0.10 (one seed)", "0.90 (one seed)")
    assert line(sweep, "Synth. Non-Lin.", "0.1", "0 of 5", "missing")
    assert "beta_sweep.png" in sweep
    with open(tmp_path / "tables/beta_sweep.csv", newline="") as file:
        assert {row["paper_mean"] for row in csv.DictReader(file)} == {""}
    ratios = section(text, "Supplement C: axis ratios")
    assert line(ratios, "Synth. Lin.", "1.5", "3 of 5", "0.01 ± 0.01")[5] == "0.01 ± 0.06 ✓"
    assert line(ratios, "Synth. Lin.", "2", "0 of 5")[5] == "0.00 ± 0.00"


def test_a_single_shortened_run_of_a_sweep_has_a_row(tmp_path):
    for planned in (
        experiments.beta_experiment(experiments.SYNTH_LINEAR, 1e-3),
        experiments.axis_ratio_experiment(1.5),
    ):
        add_run(tmp_path, Run(planned.shortened(7), 0), 0.1, 0.9)
    text = write_report("supplement_c", tmp_path).read_text()
    for title, value in (("sweep of β", "0.001"), ("axis ratios", "1.5")):
        part = section(text, f"Supplement C: {title}")
        assert line(part, "Synth. Lin. (7 of 600 epochs)", value, "1 of 5", "0.10 (one seed)")


def test_no_sweep_is_reported_by_a_study_without_one(finished):
    assert "Supplement C" not in finished.read_text()
