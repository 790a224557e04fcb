# SPDX-License-Identifier: Apache-2.0
"""What the data sets share about files: where they are, how they are fetched, read and known.

Whatever reads a file raises InputError where it is missing, damaged or of other content than expected.
"""
