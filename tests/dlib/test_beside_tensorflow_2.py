# SPDX-License-Identifier: Apache-2.0
"""dlib and the plugin in a process that uses TensorFlow 2 and Keras 3."""

import pytest
from processes import run_python

BESIDE = """
import numpy as np
import tensorflow as tf

model = tf.keras.Sequential([tf.keras.layers.Dense(4, activation="tanh"), tf.keras.layers.Dense(1)])
model.compile(optimizer="adam", loss="mse")
x = np.random.RandomState(0).standard_normal((64, 3)).astype("float32")
model.fit(x, x[:, :1], verbose=0)

@tf.function
def doubled(a):
    return tf.cond(tf.reduce_sum(a) > 0, lambda: 2 * a, lambda: a)

def assert_unchanged():
    assert tf.executing_eagerly()
    assert tf.compat.v1.resource_variables_enabled() and tf.compat.v1.control_flow_v2_enabled()
    assert tf.__internal__.tf2.enabled()
    assert tf.TensorShape([2])[0] == 2 and isinstance(tf.TensorShape([2])[0], int)
    assert float(doubled(tf.constant(3.0))) == 6
    assert (tf.constant([1, 2]) == tf.constant([1, 3])).numpy().tolist() == [True, False]
    before = model.evaluate(x, x[:, :1], verbose=0)
    model.fit(x, x[:, :1], epochs=3, verbose=0)
    assert model.evaluate(x, x[:, :1], verbose=0) < before
    new = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    new.compile(optimizer="sgd", loss="mse")
    new.fit(x, x[:, :1], verbose=0)
    variable = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        loss = variable**2
    assert float(tape.gradient(loss, variable)) == 2

"""

DATA_AND_METRICS = """
from disentanglement_lib.data.ground_truth import named_data, util
from disentanglement_lib.evaluation.metrics import mig, utils
import vae_ortho_plugin

data = named_data.get_named_ground_truth_data("synth_linear")
import gin
gin.parse_config("discretizer.discretizer_fn = @histogram_discretizer\\ndiscretizer.num_bins = 20")
encode = lambda images: images.reshape(len(images), -1)[:, :2]
found = mig.compute_mig(data, encode, np.random.RandomState(0), num_train=200)
assert 0 <= found["discrete_mig"] <= 1
gin.clear_config()
factors, observations = data.sample(500, np.random.RandomState(0))
score = vae_ortho_plugin.disentanglement_score(
    encode(observations), factors, factor_kinds=["continuous"] * 2
)
assert 0 <= score.score <= 1
jacobians = np.tile(np.eye(3)[:, :2] * [2.0, 1.0], (5, 1, 1))
assert vae_ortho_plugin.distance_to_orthogonality(jacobians).mean < 1e-6

batches = util.tf_data_set_from_ground_truth_data(data, 0).batch(8, drop_remainder=True).take(2)
assert [batch.shape for batch in batches] == [(8, 3, 1, 1)] * 2
keras_input = tf.data.Dataset.zip((batches, batches)).map(
    lambda a, b: (tf.reshape(a, [8, 3]), tf.reshape(b, [8, 3])[:, :1])
)
model.fit(keras_input, verbose=0)
assert_unchanged()
"""

STEPS = """
from disentanglement_lib.evaluation import evaluate
from disentanglement_lib.methods.unsupervised import train

out = sys.argv[1]
bindings = ["model.training_steps = 5", "model.eval_steps = 1", "synth_linear.num_points = 200"]
train.train_with_gin(out + "/model", False, ["beta_vae.gin"], bindings)
evaluate.evaluate_with_gin(out + "/model", out + "/dto", False, ["metrics/dto.gin"])
assert_unchanged()
"""


def run(program, folder):
    process = run_python("-c", f"import sys\n{program}", folder)
    assert process.returncode == 0, process.stderr[-3000:]


def test_data_metrics_and_steps_leave_eager_mode_and_keras_models_as_they_are(tmp_path):
    run(BESIDE + DATA_AND_METRICS + STEPS, tmp_path)


TENSORFLOW_1 = """
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
from disentanglement_lib.methods.unsupervised import train
from disentanglement_lib.postprocessing import postprocess
out = sys.argv[1]
bindings = ["model.training_steps = 20", "model.eval_steps = 2", "synth_linear.num_points = 200"]
train.train_with_gin(out + "/model", False, ["beta_vae.gin"], bindings)
postprocess.postprocess_with_gin(out + "/model", out + "/post", False, ["postprocess/mean.gin"])
assert not tf.executing_eagerly()
assert not tf.resource_variables_enabled() and not tf.control_flow_v2_enabled()
assert tf.placeholder(tf.float32, [None, 2]).shape[1].value == 2
"""


@pytest.mark.long
def test_a_process_of_tensorflow_1_code_is_left_as_it_is(tmp_path):
    run(TENSORFLOW_1, tmp_path)


PICTURES = """
import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
import numpy as np
plt.rcParams["lines.linewidth"] = 7
mine = plt.figure()
from disentanglement_lib.visualize import visualize_irs, visualize_model, visualize_scores
visualize_scores.heat_square(np.eye(3), sys.argv[1], "square", "x", "y")
factors = np.random.RandomState(0).randint(3, size=(100, 2))
visualize_irs.vis_all_interventional_effects(factors, factors + 0.0, sys.argv[1])
assert matplotlib.get_backend() == "svg"
assert plt.get_fignums() == [mine.number] and plt.rcParams["lines.linewidth"] == 7
"""


@pytest.mark.long
def test_matplotlibs_backend_figures_and_settings_are_left_as_they_are(tmp_path):
    run(PICTURES, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
