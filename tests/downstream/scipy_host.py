"""SciPy as a host: the public functions of some of its packages, dispatched in place.

A pytest plugin, so that it is there before any test is imported.
"""

import inspect
import os
import types

import scipy.ndimage
import scipy.stats

from backstack import BackendDispatcher
from backstack.testing import loopback

dispatcher = BackendDispatcher(entrypoint_group="scipy_host.backends", host_name="scipy_host")

#: These take names of parameters that their signatures do not show, for the sake of old callers.
#: The signature decides what a call on a backend may look like.
UNSHOWN = {"ks_1samp", "ks_2samp", "kstest", "moment", "wilcoxon"}

for package in (scipy.ndimage, scipy.stats):
    for name in package.__all__:
        function = getattr(package, name)
        if isinstance(function, types.FunctionType) and name not in UNSHOWN:
            parameters = inspect.signature(function).parameters
            assert "backend" not in parameters, name
            exported = f"{package.__name__.rpartition('.')[2]}_{name}"
            setattr(package, name, dispatcher.backend_dispatch(name=exported)(function))

if os.environ.get("SCIPY_HOST_UNSEEN"):  # with nobody looking on, calls take the shortest ways
    dispatcher.register(loopback(dispatcher))
    dispatcher.settings.backend = "loopback"
