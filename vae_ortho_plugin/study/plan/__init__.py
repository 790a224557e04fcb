# SPDX-License-Identifier: Apache-2.0
"""What a study consists of: experiments, variants of data sets, studies, and the layout of a results folder."""
