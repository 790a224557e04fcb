# SPDX-License-Identifier: Apache-2.0
"""Measures taken while a model trains."""
