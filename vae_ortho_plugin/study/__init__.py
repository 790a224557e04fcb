# SPDX-License-Identifier: Apache-2.0
"""The paper's study: which runs it has, running them, and the report."""
