"""Calls an entry point of an installed package, as `python_wheel_task` wants.

The first argument is the package, the second the entry point; the rest is what
the function finds in `sys.argv`. An entry point that the package does not
declare is taken for a function of it.
"""

import importlib
import importlib.metadata
import sys


def entry_point(package, name):
    try:
        declared = importlib.metadata.distribution(package).entry_points
    except importlib.metadata.PackageNotFoundError:
        declared = []
    for one in declared:
        if one.name == name:
            return one.load()
    module = package.replace("-", "_")
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        sys.exit(f'there is no package "{package}": name its wheel in "libraries" or in "dependencies"')
    function = getattr(loaded, name, None)
    if function is None:
        sys.exit(f'package "{package}" has neither an entry point nor a function "{name}"')
    return function


package, name, *arguments = sys.argv[1:]
sys.path.pop(0)
sys.argv = [package, *arguments]
entry_point(package, name)()
