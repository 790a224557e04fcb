# SPDX-License-Identifier: Apache-2.0
"""The paper's measures as metrics of disentanglement_lib, one file each.

Importing this package registers every metric in it with gin. `evaluated` holds what they share. A further metric
is one more file here, or a function in a file of your own that is decorated with `gin.configurable` and imported by
a gin file (`import my_metric`).
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
