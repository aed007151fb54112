"""The project's own files agree with each other, and with what is installed."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from kit import doctor
from kit.backends import BACKENDS
from kit.studies import machine

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCKS = {
    "requirements.lock": ("tensorflow", "jax", "jupyter", "dev"),
    "requirements-gpu.lock": ("gpu", "jax", "jupyter", "dev"),
}
PYTHONS = ("3.11", "3.12", "3.13")
MACHINES = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
SHIPPED = ("exercises", "notebooks", "results", "solutions")
REGISTRIES = ("pypi.", "pythonhosted.", "download.pytorch.", "npmjs.")


def tracked():
    """Every text file under version control."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git clone")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and path.suffix not in {".png", ".npz", ".keras", ".h5"}:
            yield path


def pins(lock, **environment):
    """Name -> version of what the lock installs in an environment."""
    lines = (ROOT / lock).read_text().splitlines()
    required = [Requirement(line.split("#")[0]) for line in lines if line[0] != "#"]
    wanted = [r for r in required if not r.marker or r.marker.evaluate(environment)]
    names = [canonicalize_name(r.name) for r in wanted]
    assert len(names) == len(set(names)), "two versions of one package"
    return {n: str(r.specifier)[2:] for n, r in zip(names, wanted, strict=True)}


def make_targets(text):
    return re.findall(r"(?:^|\s)make ([a-z-]+)", text)


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system, machine", MACHINES)
def test_a_lock_covers_what_the_project_needs(lock, python, system, machine):
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": system,
        "platform_machine": machine,
        "os_name": "posix",
    }
    pinned = pins(lock, **environment)
    needed = PROJECT["dependencies"] + [n for e in LOCKS[lock] for n in EXTRAS[e]]
    for requirement in map(Requirement, needed):
        if requirement.marker and not requirement.marker.evaluate(environment):
            continue
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement
    assert (
        not {"tensorflow", "tensorflow-cpu"} <= pinned.keys()
    )  # one folder, one owner
    assert "torch" not in pinned  # only `make bench` needs it


@pytest.mark.slow
def test_every_import_of_the_package_is_declared():
    from importlib.metadata import packages_distributions

    owners = packages_distributions()
    lines = PROJECT["dependencies"] + [n for extra in EXTRAS.values() for n in extra]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    for path in (ROOT / "kit").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            for top in {name.split(".")[0] for name in names}:
                if top != "kit" and top not in sys.stdlib_module_names:
                    found = {canonicalize_name(o) for o in owners.get(top, [top])}
                    assert found & declared, f"{path.name} imports {top}"


def test_the_tested_pythons_are_the_declared_ones():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    matrix = workflow["jobs"]["check"]["strategy"]["matrix"]["python"]
    declared = [c.split()[-1] for c in PROJECT["classifiers"] if " 3." in c]
    supported = Requirement(f"kit{PROJECT['requires-python']}").specifier
    minors = [f"3.{minor}" for minor in range(8, 20)]
    assert matrix == declared == list(PYTHONS)
    assert [m for m in minors if supported.contains(Version(m))] == matrix
    assert doctor.OLDEST == (3, int(matrix[0][2:]))
    assert doctor.NEWEST == (3, int(matrix[-1][2:]))


def test_every_backend_can_be_installed_by_its_name_and_asked_for_a_gpu():
    assert set(BACKENDS) <= EXTRAS.keys()
    assert set(BACKENDS) == machine.PROBES.keys()


def test_the_workflow_and_the_local_check_run_the_same_commands():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    steps = [step.get("run", "") for step in workflow["jobs"]["check"]["steps"]]
    local = (ROOT / ".ci/run").read_text()
    assert set(make_targets(local)) == {"lint", "test"}
    assert set(make_targets("\n".join(steps))) - {"setup"} == {"lint", "test"}
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_make_help_lists_every_target():
    shown = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.M)[1].split()
    assert make_targets(shown.stdout) == phony


def test_targets_that_texts_name_exist():
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.M)[1]
    for name in ("README.md", "CONTRIBUTING.md", "pyproject.toml"):
        for target in re.findall(r"`make ([a-z-]+)", (ROOT / name).read_text()):
            assert target in phony.split(), f"{name} names make {target}"


def test_hooks_run_the_tools_of_the_lock():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]  # so nothing is pinned twice
    makefile = (ROOT / "Makefile").read_text()
    for hook in hooks[0]["hooks"]:
        assert hook["language"] == "system"
        command = hook["entry"].removeprefix(".venv/bin/")
        assert f"$(BIN)/{command}" in makefile


@pytest.mark.slow
def test_nothing_tracked_names_a_machine_or_a_registry():
    machine = re.compile(r"(?<![\w.<])/(?:work|root|farm|home/\w|Users/\w)[/\w]")
    for path in tracked():
        if path == Path(__file__):
            continue
        text = path.read_text(errors="ignore")
        assert not machine.search(text), f"{path}: {machine.search(text)}"
        assert not [host for host in REGISTRIES if host in text], path


def test_no_module_is_too_long_to_read():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in (ROOT / "kit").rglob("*.py")
    }
    assert not {name: n for name, n in lengths.items() if n > 300}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The built wheel, unpacked; the clone it came from is out of reach."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    zipfile.ZipFile(next(folder.glob("*.whl"))).extractall(folder / "site")
    return folder / "site"


@pytest.mark.slow
def test_the_wheel_ships_what_the_package_reads(wheel):
    for name in SHIPPED:
        here = tracked_below(name)
        assert here, f"{name} is empty"
        packed = wheel / "kit/shipped" / name
        assert here <= {p.relative_to(packed) for p in packed.rglob("*")}, name
    packed = {p.relative_to(wheel) for p in (wheel / "kit").rglob("*.py")}
    assert {p.relative_to(ROOT) for p in (ROOT / "kit").rglob("*.py")} <= packed
    own = {p.name for p in (ROOT / "kit/pretrained/own").iterdir()}
    assert own and own == {p.name for p in (wheel / "kit/pretrained/own").iterdir()}
    assert not list(wheel.glob("tests"))


def tracked_below(name):
    folder = ROOT / name
    return {p.relative_to(folder) for p in tracked() if p.is_relative_to(folder)}


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """An empty folder, far from the clone, in which one command after another runs."""
    return tmp_path_factory.mktemp("bare")


@pytest.mark.slow
@pytest.mark.parametrize(
    "command, code, told",
    [
        ("doctor", None, "{wheel}/kit/shipped/results"),
        ("list", 0, "causal_mask"),
        ("start", 0, "work"),
        ("check causal_mask", 1, "not done yet"),
        ("hint causal_mask", 0, "hint"),
        ("studies", 0, "quick"),
        ("fetch", 0, "ships with the kit"),
        ("report symmetry --json", 0, '"verdict"'),
        ("reproduce symetry", 2, "Did you mean 'symmetry'"),
    ],
)
def test_the_wheel_works_without_the_clone(wheel, bare, command, code, told):
    elsewhere = {k: v for k, v in os.environ.items() if k != "KIT_DATA"}
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "kit", *command.split()],
        cwd=bare,
        env={**elsewhere, "PYTHONPATH": str(wheel), "KIT_CACHE": str(bare / "cache")},
        capture_output=True,
        text=True,
    )
    assert code is None or ran.returncode == code, ran.stdout + ran.stderr
    assert told.format(wheel=wheel) in ran.stdout + ran.stderr
    told_of = (ran.stdout + ran.stderr).replace(sys.executable, "python")
    assert str(ROOT) not in told_of  # but for a virtual environment in the clone
    assert code == 2 or ran.stderr == ""
