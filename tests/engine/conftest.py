# SPDX-License-Identifier: Apache-2.0
from training_fixtures import fresh_gin, session_calls  # noqa: F401
