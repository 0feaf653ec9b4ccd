"""What of a module's text counts: what it does, and neither its words nor its place."""

import ast
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tokenize
from collections.abc import Callable, Iterator
from inspect import signature
from pathlib import Path
from types import FrameType

import pytest
from projects import Project

from benchmark.common import fingerprint
from benchmark.common.fingerprint import EXEMPT, code_of, digest, import_closure, sources_of
from benchmark.common.paths import PACKAGE
from benchmark.models.policy.answers import generate
from benchmark.objectives.scoring import score
from benchmark.scalarizers import Scalarizer
from benchmark.study import digests

FILES = sorted(path for path in PACKAGE.rglob("*.py"))
ALL = {path.relative_to(PACKAGE.parent).as_posix(): path for path in FILES}
NOT_REACHED = {"benchmark.testing", "benchmark.leaderboard"}  # by anything that makes a result
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def forget() -> None:
    """Have source files read again, as a new process would.

    What a text means is kept: it is the same in every process.
    """
    for cached in (*vars(fingerprint).values(), *vars(digests).values()):
        if hasattr(cached, "cache_clear") and "source" not in signature(cached).parameters:
            cached.cache_clear()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    forget()
    yield
    forget()


def module_of(path: Path) -> str:
    dotted = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    return dotted.removesuffix(".__init__")


# --- one module -------------------------------------------------------------------------------


def reworded(source: str) -> str:
    """Return a source with other docstrings, comments and blank lines."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = f"{lines[row - 1][:column].rstrip()}   # Other words."
    documented = [
        node.body[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None
    ]
    for node in sorted(documented, key=lambda node: -node.lineno):
        indent = lines[node.lineno - 1][: node.col_offset]
        words = [f'{indent}"""Other', "", f'{indent}words."""', ""]
        lines[node.lineno - 1 : node.end_lineno] = words
    return "\n\n# A comment.\n" + "\n".join(lines) + "\n\n\n"


def with_another_constant(source: str) -> Iterator[str]:
    """Yield a source with a number, then with a text, that is another one."""
    tree = ast.parse(source)
    words = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    parts = {id(p) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for p in ast.walk(n)}
    for kind, edit in ((int | float, "123456"), (str, "'edited'")):
        for node in ast.walk(tree):
            plain = isinstance(node, ast.Constant) and id(node) not in words | parts
            if plain and isinstance(node.value, kind) and not isinstance(node.value, bool):
                lines = source.splitlines()
                first, last = node.lineno - 1, node.end_lineno
                before = lines[first].encode()[: node.col_offset].decode()
                after = lines[last - 1].encode()[node.end_col_offset :].decode()
                lines[first:last] = [before + edit + after]
                yield "\n".join(lines)
                break


def determines_results(name: str) -> bool:
    """Whether a module's text enters a hash: the fast lane tests no other."""
    module = module_of(ALL[name])
    return module not in EXEMPT and not any(module.startswith(part) for part in NOT_REACHED)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[] if determines_results(n) else [pytest.mark.slow]) for n in ALL],
)
def test_words_do_not_count_and_constants_do(name: str) -> None:
    source = ALL[name].read_text(encoding="utf-8")
    code = code_of(source)
    assert code_of(reworded(source)) == code
    assert all(code_of(edited) != code for edited in with_another_constant(source))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('X = """a\n\nb"""\n', 'X = """a\nb"""\n'),  # a blank line within a text
        ('X = """a \nb"""\n', 'X = """a\nb"""\n'),
        ('X = f"""a{1}\n\nb"""\n', 'X = f"""a{1}\nb"""\n'),
        ('class A: "Words."\n', 'class B: "Words."\n'),
        ('def f(): "Words."; return 1\n', 'def f(): "Words."; return 2\n'),
        ('X = "# one"\n', 'X = "# two"\n'),
        ("if a:\n    x = 1\ny = 2\n", "if a:\n    x = 1\n    y = 2\n"),
    ],
)
def test_code_that_differs_is_told_apart(one: str, other: str) -> None:
    assert code_of(one) != code_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('class A: "Words."\n', 'class A: "Others."\n'),
        ('X = (\n    "a"\n    "b"\n)\n', 'X = (\n    "a"  # why\n\n    # so\n    "b"\n)\n'),
        ("x = 1\n", "\n\nx = 1   \n"),
        ("from benchmark.a import f\nx = f\n", "from benchmark.b import f\nx = f\n"),
        ("import benchmark.a as a\nx = a\n", "import benchmark.b as a\nx = a\n"),
    ],
)
def test_words_and_places_alone_are_not(one: str, other: str) -> None:
    assert code_of(one) == code_of(other)


VERSIONS = [f"python3.{minor}" for minor in (11, 12, 13, 14)]


@pytest.mark.slow
@pytest.mark.parametrize("python", VERSIONS)
def test_the_code_is_the_same_under_other_versions_of_python(python: str) -> None:
    script = (
        "import sys, types; from pathlib import Path;"
        "paths = types.ModuleType('paths'); paths.PACKAGE = Path(sys.argv[1]);"
        "names = ('benchmark', 'benchmark.common');"
        "sys.modules |= {name: types.ModuleType(name) for name in names};"
        "sys.modules['benchmark.common.paths'] = paths;"
        "source = Path(sys.argv[1]) / 'common' / 'fingerprint.py';"
        "space = {'__name__': 'fingerprint'};"
        "exec(compile(source.read_text(), 'fingerprint', 'exec'), space);"
        "print(space['digest']({}, sorted(Path(sys.argv[1]).rglob('*.py'))))"
    )
    command = [python, "-c", script, str(PACKAGE)]
    try:
        version = {"PYENV_VERSION": python.removeprefix("python")}  # where pyenv has several
        done = subprocess.run(
            command, env=os.environ | version, capture_output=True, text=True, timeout=300
        )
    except OSError:
        pytest.skip(f"{python} is not on this machine")
    if done.returncode == 127 or "not installed" in done.stderr:
        pytest.skip(f"{python} is not on this machine")
    assert done.stdout.strip() == digest({}, FILES), done.stderr


# --- modules together -------------------------------------------------------------------------


def package(folder: Path, **files: str) -> Path:
    """Write modules of one folder and return the first."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    forget()
    return folder / f"{next(iter(files))}.py"


def test_names_swapped_between_two_functions_count(tmp_path: Path) -> None:
    parts = {"one": "def f(): return 1\n", "two": "def f(): return 2\n"}
    body = "\n    from {} import f\n    return f\n"
    text = f"def g():{body}def h():{body}"
    found = []
    for names in (("one", "two"), ("two", "one")):
        root = package(tmp_path, root=text.format(*names), **parts)
        found.append(digest({}, import_closure(root)))
    assert found[0] != found[1]


def test_modules_of_one_text_that_import_others_are_told_apart(tmp_path: Path) -> None:
    same = "from {} import f\n\ndef g(): return f()\n"
    parts = {"one": "def f(): return 1\n", "two": "def f(): return 2\n"}
    parts |= {"a": same.format("one"), "b": same.format("two")}
    found = []
    for first, second in (("a", "b"), ("b", "a")):
        text = f"from {first} import g\nfrom {second} import g as h\n"
        found.append(digest({}, import_closure(package(tmp_path, root=text, **parts))))
    assert found[0] != found[1]


@pytest.mark.parametrize(
    "text",
    [
        "from .helper import f\n",
        "from . import helper\n",
        "from mine.helper import f\n",
        "import mine.helper\n",
        "def late():\n    from mine.helper import f\n",
        "from ..mine.helper import f\n",
    ],
)
def test_every_form_of_import_is_followed(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    root = package(folder, root=text, helper="def f(): return 1\n")
    assert folder / "helper.py" in import_closure(root)


def test_a_plug_ins_libraries_are_not_followed(tmp_path: Path) -> None:
    installed = tmp_path / "site-packages"
    for name in ("plugin", "library"):
        (installed / name).mkdir(parents=True)
        (installed / name / "__init__.py").write_text("")
    (installed / "library" / "part.py").write_text("")
    text = "from library.part import f\nfrom plugin.helper import g\n"
    root = package(installed / "plugin", root=text, helper="")
    assert import_closure(root) == {root, installed / "plugin" / "helper.py"}


def digest_in(folder: Path) -> str:
    """Return the digest of training in a copy of the package."""
    script = (
        "from benchmark.common.fingerprint import digest, import_closure, modules;"
        "roots = modules('training.trainer', 'commands.jobs.trainer', 'objectives.accuracy');"
        "print(digest({}, import_closure(*roots)))"
    )
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return copy_to(tmp_path / "copy")


def copy_to(folder: Path) -> Path:
    """Return the folder, with a copy of the package in it."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, folder / "benchmark", ignore=ignored)
    return folder


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of training in a copy of the package that nobody has changed."""
    return digest_in(copy_to(tmp_path_factory.mktemp("unchanged")))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "moved"),
    [
        ("benchmark.covariance", "benchmark.training.laws"),
        ("benchmark.models.policy.logps", "benchmark.training.logps"),
        ("benchmark.common.randomness", "benchmark.streams"),
        ("benchmark.objectives.base", "benchmark.objectives.contract"),
    ],
)
def test_a_moved_module_leaves_the_digest(
    copied: Path, before: str, module: str, moved: str
) -> None:
    paths = [copied / f"{name.replace('.', '/')}.py" for name in (module, moved)]
    paths[0].rename(paths[1])
    for file in copied.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        file.write_text(re.sub(rf"\b{re.escape(module)}\b", moved, text), encoding="utf-8")
    assert digest_in(copied) == before
    paths[1].write_text(paths[1].read_text(encoding="utf-8") + "EDITED = True\n", encoding="utf-8")
    assert digest_in(copied) != before


def test_forked_jobs_read_no_code_again(monkeypatch: pytest.MonkeyPatch) -> None:
    digests.preload()
    monkeypatch.setattr(fingerprint, "_source", lambda path: pytest.fail(f"{path} is read again"))
    nothing: frozenset[Path] = frozenset()
    training, evaluation = (
        digests.training({}, Scalarizer, nothing),
        digests.evaluation({}, nothing),
    )
    others = digests.diagnosis("", "", None), digests.probe("", None), digests.result("", "")
    assert len({training, evaluation, digests.calibration({}, nothing), *others}) == 6


# --- what is left out -------------------------------------------------------------------------


def test_every_exempt_module_exists() -> None:
    assert {module_of(path) for path in FILES} >= EXEMPT
    assert all(importlib.util.find_spec(name) is not None for name in EXEMPT)


@pytest.mark.slow
def test_a_module_that_only_shares_an_exempt_name_counts(copied: Path, before: str) -> None:
    twin = copied / "benchmark" / "training" / "files.py"
    trainer = copied / "benchmark" / "training" / "trainer.py"
    twin.write_text("LIMIT = 1\n")
    text = trainer.read_text(encoding="utf-8")
    trainer.write_text(f"{text}\nfrom benchmark.training.files import LIMIT\n", encoding="utf-8")
    one = digest_in(copied)
    twin.write_text("LIMIT = 2\n")
    assert len({before, one, digest_in(copied)}) == 3


@pytest.mark.parametrize("path", [p for p in FILES if p.name == "__init__.py"], ids=module_of)
def test_the_face_of_a_package_does_nothing_unless_it_is_exempt(path: Path) -> None:
    """A name is followed past the face that hands it on, so that a face must not do anything."""
    if module_of(path) not in EXEMPT | NOT_REACHED:
        body = ast.parse(code_of(path.read_text(encoding="utf-8"))).body
        left = [each for each in body if not isinstance(each, ast.ImportFrom)]  # of other libraries
        assert all(isinstance(each, ast.Assign) for each in left)
        assert {ast.unparse(each.targets[0]) for each in left} <= {"__all__"}


# --- what runs ------------------------------------------------------------------------------------


def executed(run: Callable[[], object]) -> set[Path]:
    """Return the package's files of which a function was called."""
    found: set[str] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_name != "<module>":
            found.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
    return {path for path in map(Path, found) if path in FILES}


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["linear", "ctwa", "mgda"])
def test_all_that_training_runs_is_in_its_hash(project: Project, algorithm: str) -> None:
    parameters = {"step_size": 0.1} if algorithm == "ctwa" else None
    cell = project.cell(algorithm, parameters)
    ran = executed(lambda: project.trainer(cell).train())
    code = import_closure(*digests.TRAINING, *sources_of(cell.scalarizer_class, Scalarizer))
    missed = {module_of(path) for path in ran - code - cell.study.scoring_code("math3")}
    assert PACKAGE / "training" / "trainer.py" in ran
    assert missed <= EXEMPT


def test_all_that_an_evaluation_runs_is_in_its_hash(project: Project) -> None:
    study = project.study()
    problems = study.task.split("test", 6)
    objectives = study.make_objectives("math3")

    def evaluate() -> None:
        drawn = generate(project.model, problems, study.file.sampling, study.file.evaluation)
        score(drawn, [objective.for_evaluation(3.0) for objective in objectives])

    code = import_closure(*digests.EVALUATION) | study.scoring_code("math3")
    ran = executed(evaluate)
    assert PACKAGE / "models" / "policy" / "answers.py" in ran
    assert {module_of(path) for path in ran - code} <= EXEMPT
