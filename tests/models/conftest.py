# SPDX-License-Identifier: Apache-2.0
from models_support import graph  # noqa: F401
from training_fixtures import fresh_gin, session_calls  # noqa: F401
