"""Serves a Python function: one JSON text a line comes in, one goes out.

Started as: function.py FILE FUNCTION MEMORY_BYTES. What the function prints goes
to the log, not between the answers.
"""
import importlib.util
import json
import os
import sys
import traceback

answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
sys.stdout = sys.stderr


def plain(value):
    for way in ("to_dict", "tolist", "item"):
        if hasattr(value, way):
            return value.to_dict("records") if way == "to_dict" and hasattr(value, "columns") else getattr(value, way)()
    raise TypeError(f"the function returned a {type(value).__name__}, which JSON cannot say")


def answer(message):
    answers.write(json.dumps(message, default=plain) + "\n")
    answers.flush()


def failure(error):
    return {"error": "".join(traceback.format_exception_only(type(error), error)).strip(), "trace": traceback.format_exc()}


def main():
    path, name, memory = sys.argv[1], sys.argv[2], int(sys.argv[3])
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    except (ImportError, ValueError, OSError) as error:
        print(f"the memory limit cannot be set: {error}", file=sys.stderr)
    try:
        sys.path.insert(0, os.path.dirname(path))
        spec = importlib.util.spec_from_file_location("served", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules["served"] = module
        spec.loader.exec_module(module)
        function = getattr(module, name, None)
        if not callable(function):
            raise AttributeError(f"there is no function {name!r} in the file")
    except BaseException as error:
        answer({"ready": False, **failure(error)})
        sys.exit(1)
    answer({"ready": True})
    for line in sys.stdin:
        try:
            request = json.loads(line)
            answer({"id": request["id"], "predictions": json.loads(json.dumps(function(request["input"]), default=plain))})
        except Exception as error:
            print(traceback.format_exc(), file=sys.stderr)
            answer({"id": request["id"], **failure(error)})


main()
