# SPDX-License-Identifier: Apache-2.0
"""The command line of a study and the making of its runs."""
