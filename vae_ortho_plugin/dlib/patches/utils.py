# SPDX-License-Identifier: Apache-2.0
"""What the plugin changes in how dlib saves and aggregates results: they are JSON, with every digit."""

import functools
import json
import os
import shutil
import types

from vae_ortho_plugin.data.files.read_files import origin
from vae_ortho_plugin.dlib import import_path, json_values
from vae_ortho_plugin.dlib.steps import data_set
from vae_ortho_plugin.engine import progress
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.run.aggregation import columns_of


def patch_aggregate_results(module: types.ModuleType) -> None:
    # Not by dlib's pool of processes: it is never closed and, forked from a process that has threads, may
    # wait for ever. Nor by dlib's table: pandas writes ten decimals.
    @functools.wraps(module.aggregate_results_to_json)
    def aggregate_results_to_json(result_file_pattern, output_path):
        if not result_file_pattern:
            raise InputError("No results. Name their files with --result_file_pattern='PATTERN'.")
        files = sorted(module.gfile.Glob(result_file_pattern))
        if not files:
            raise InputError(
                f"No file matches --result_file_pattern={result_file_pattern} (in {os.getcwd()}). dlib "
                "writes such files as DIRECTORY/results/aggregate/evaluation.json. Quote the pattern, so "
                "that the shell does not expand it."
            )
        columns = columns_of(files, files)
        with module.gfile.Open(output_path, "w") as file:
            json.dump(columns, file)

    @functools.wraps(module.load_aggregated_json_results)
    def load_aggregated_json_results(source_path):
        return module.pd.read_json(source_path, orient="columns", precise_float=True)

    module.aggregate_results_to_json = aggregate_results_to_json
    module.load_aggregated_json_results = load_aggregated_json_results


def patch_results(module: types.ModuleType) -> None:
    def copydir(path_to_old_dir, path_to_new_dir):
        # distutils' copy_tree does not make a directory again that it made once and that was deleted.
        shutil.copytree(path_to_old_dir, path_to_new_dir, dirs_exist_ok=True)

    save_dict = module.save_dict

    @functools.wraps(save_dict)
    def save_as_json(config_path, dict_with_info):
        values, notes = json_values.json_values(dict_with_info)
        for note in notes:
            progress.say(f"note: in {os.path.basename(config_path)}, {note}")
        save_dict(config_path, values)

    save_gin = module.save_gin

    @functools.wraps(save_gin)
    def save_gin_with_import_path(config_path):
        save_gin(config_path)
        with open(config_path, "a", encoding="utf-8") as file:
            file.write(import_path.comment())

    update = module.update_result_directory

    @functools.wraps(update)
    def update_result_directory(result_directory, step_name, results_dict, *args, **kwargs):
        # Every result says what the data set is, unless it is the published one.
        name = data_set.bound("dataset.name")
        if isinstance(name, str) and (data := origin(name)):
            results_dict = {**results_dict, "data": data}
        return update(result_directory, step_name, results_dict, *args, **kwargs)

    module.copydir = copydir
    module.save_dict = save_as_json
    module.save_gin = save_gin_with_import_path
    module.update_result_directory = update_result_directory
