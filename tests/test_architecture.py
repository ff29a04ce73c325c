"""Rules of the architecture: imports between packages, and the files of each method."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from processes import run_python

import keras_ssl

ROOT = Path(keras_ssl.__file__).parent
PROJECT = Path(__file__).parent.parent

# Packages of keras_ssl that each package may import, in addition to itself.
ALLOWED = {
    "__init__": None,  # everything
    "_types": set(),
    "_internals": set(),
    "_tensorflow": set(),
    "numerics": set(),
    "distribute": set(),
    "schedules": {"validation"},
    "images": {"numerics"},
    "validation": {"numerics"},
    "export": {"images"},
    "losses": {"numerics", "validation"},
    "layers": {"numerics", "validation"},
    "encoders": {"images", "layers", "numerics", "validation"},
    "optimizers": {"numerics", "validation"},
    "views": {"validation"},
    "data": {"validation", "views"},
    "training": {"data", "distribute", "encoders", "export", "images", "layers", "numerics"}
    | {"validation", "views"},
    "models": {"data", "distribute", "encoders", "export", "images", "layers", "losses", "numerics"}
    | {"optimizers", "training", "validation", "views"},
    "evaluation": {"distribute", "images", "numerics", "validation"},
    "callbacks": {"distribute", "evaluation", "validation"},
    "recipes": {"callbacks", "data", "distribute", "encoders", "evaluation", "models"}
    | {"optimizers", "schedules", "validation", "views"},
}
BACKENDS = {
    "tensorflow": ("data", "views", "distribute", "export", "training/step"),
    "jax": ("distribute", "training/step", "views"),
}

# Private modules of keras_ssl, and private names of its classes that other modules use.
PRIVATE_MODULES = ("_internals", "_options", "_allocator", "_types")
OWN_PRIVATE = ("other._serialized",)


def sources():
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT).with_suffix("").as_posix(), ast.parse(path.read_text())


def imports(tree):
    """Yields the full names of all imports of a file, including `lazy_loader.load`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy_loader.load":
            yield node.args[0].value


def test_packages_import_only_allowed_packages():
    for name, tree in sources():
        room = name.split("/")[0]
        allowed = ALLOWED[room]
        for imported in imports(tree):
            parts = imported.split(".")
            assert parts[0] not in ("recipes", "tests", "benchmarks"), (name, imported)
            if parts[0] == "keras_ssl" and len(parts) > 1 and allowed is not None:
                assert parts[1] in allowed | {room, "_types", "_internals", "_tensorflow"}, (
                    f"{name} imports {imported}"
                )


def test_backends_are_imported_only_in_allowed_packages():
    for name, tree in sources():
        for imported in imports(tree):
            is_tensorflow = imported.startswith("keras_ssl._tensorflow")
            rooms = BACKENDS.get("tensorflow" if is_tensorflow else imported.split(".")[0])
            if rooms and name != "_tensorflow":
                assert any(name == r or name.startswith(r + "/") for r in rooms), (name, imported)


def test_importing_the_package_loads_no_heavy_library():
    script = (
        "import sys, keras\n"
        "before = set(sys.modules)\n"
        "import keras_ssl\n"
        "heavy = {'sklearn', 'matplotlib', 'keras_cv', 'tensorflow_datasets', 'scipy'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))\n"
    )
    assert run_python(script).strip() == "[]"


WITHOUT_TENSORFLOW = """
import runpy, sys
sys.modules["tensorflow"] = None
runpy.run_path(sys.argv[1])
"""


@pytest.mark.slow  # `.ci/run` runs the same program in an environment without TensorFlow
def test_images_train_on_jax_without_tensorflow(tmp_path):
    program = Path(__file__).parent / "without_tensorflow.py"
    output = run_python(WITHOUT_TENSORFLOW, program, cwd=tmp_path, KERAS_BACKEND="jax")
    assert "knn_accuracy" in output
    assert "pip install 'keras_ssl[tensorflow]'" in output


def public_objects(package):
    """Yields the full name and the object of each public name, nested modules included."""
    for name in package.__all__:
        value = getattr(package, name)
        if inspect.ismodule(value):
            yield from public_objects(value)
        else:
            yield f"{package.__name__}.{name}", value


def test_every_public_name_is_documented():
    for room in ("losses", "encoders", "views", "data", "evaluation", "callbacks", "optimizers"):
        for name, value in public_objects(getattr(keras_ssl, room)):
            doc = inspect.getdoc(value)
            assert doc, f"{name} has no docstring"
            assert "Args:" in doc, f"{name} does not document its arguments"


def test_every_method_has_a_recipe_a_test_line_and_a_source():
    import method_checks

    bases = (keras_ssl.SelfSupervisedModel, keras_ssl.SemiSupervisedModel)
    for name, method in vars(keras_ssl.models).items():
        if not inspect.isclass(method) or method in bases or not issubclass(method, bases):
            continue
        file = Path(inspect.getfile(method)).stem
        assert getattr(keras_ssl, name) is method
        assert name in method_checks.specs(), f"the test file of {name} has no SPEC"
        assert (PROJECT / "recipes" / f"{file}.py").exists(), f"recipes/{file}.py is missing"
        assert "Source:" in inspect.getdoc(method), f"{name} does not name its paper"


def test_every_loss_names_its_source():
    for name in keras_ssl.losses.__all__:
        assert "Source:" in inspect.getdoc(getattr(keras_ssl.losses, name)), name


def test_nothing_runs_code_that_lies_in_a_file():
    unsafe = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
    for name, tree in sources():
        assert not {full.split(".")[0] for full in imports(tree)} & unsafe, name
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "safe_mode"):
                is_safe = ast.unparse(node.value) == (
                    "True" if node.arg == "safe_mode" else "False"
                )
                assert is_safe, f"{name}: {ast.unparse(node)}"
        assert "enable_unsafe_deserialization" not in ast.unparse(tree), name


def test_private_names_are_used_in_internals_only():
    for name, tree in sources():
        if name == "_internals":
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute) or not node.attr.startswith("_"):
                continue
            owner = ast.unparse(node.value)
            is_ours = owner in ("self", "cls") or owner.startswith(("self.", "keras_ssl"))
            is_module = owner in PRIVATE_MODULES or node.attr in ("__name__", "__doc__", "__all__")
            is_dunder = node.attr.startswith("__") and node.attr.endswith("__")
            is_public = node.attr in ("_replace", "_asdict")  # of named tuples
            if not (is_ours or is_module or is_dunder or is_public or owner == "super()"):
                private = f"{owner}.{node.attr}"
                assert private in OWN_PRIVATE, f"{name} uses the private name {private}"


@pytest.mark.slow
def test_everything_but_keras_cv_layers_works_without_keras_cv():
    script = (
        "import sys\n"
        "sys.modules['keras_cv'] = None\n"
        "import keras_ssl, numpy as np\n"
        "for package in ('views', 'data', 'evaluation', 'encoders', 'losses', 'models'):\n"
        "    module = getattr(keras_ssl, package)\n"
        "    [getattr(module, name) for name in module.__all__]\n"
        "images = np.zeros((8, 8, 8, 3), 'uint8')\n"
        "model = keras_ssl.SimCLR(keras_ssl.encoders.small_resnet((8, 8, 3), 4), projector=(4,))\n"
        "model.compile('sgd')\n"
        "model.fit(images, batch_size=4, verbose=0)\n"
        "print('fine')\n"
    )
    assert run_python(script).strip().endswith("fine")


def test_exports_and_readme_tables_are_generated():
    command = [sys.executable, str(PROJECT / "docs" / "generate.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
