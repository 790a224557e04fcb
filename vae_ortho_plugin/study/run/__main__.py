# SPDX-License-Identifier: Apache-2.0
"""`python -m vae_ortho_plugin.study.run` is `vae_ortho_study`."""

import sys

from vae_ortho_plugin.study.run.command import main

if __name__ == "__main__":
    sys.exit(main())
