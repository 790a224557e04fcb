# SPDX-License-Identifier: Apache-2.0
"""The paper's measures as metrics of disentanglement_lib. The import of this package registers them with gin.

`evaluated` holds what they share. A further metric is a function with the decorator `evaluated.metric`, in a file here or
in one of your own that a gin file imports (`import my_metric`). The import starts no TensorFlow.
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
