"""`make` finds a suitable Python, or says exactly what is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

MAKE_VENV = Path(__file__).parent.parent / "requirements/make-venv"
TOO_OLD = "#!/bin/sh\nexit 1\n"
NOT_ROOT = "#!/bin/sh\necho 1000\n"
# Answers as a Python 3.12 that was installed without its venv module.
WITHOUT_VENV = """#!/bin/sh
case "$2" in
    *ensurepip*) exit 1 ;;
    *venv*) echo python3.12-venv ;;
esac
"""


@pytest.fixture
def make_venv(tmp_path):
    """Runs make-venv in an empty folder, with programs of our own before all others."""

    def run(python, **programs):
        for name, text in programs.items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHON": python}
        return subprocess.run([MAKE_VENV], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


def test_a_python_that_is_too_old_is_refused_with_a_remedy(make_venv):
    done = make_venv("oldpython", oldpython=TOO_OLD)
    assert done.returncode == 1
    assert "Clew needs Python 3.11 or newer; looked for: oldpython." in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr


def test_without_root_a_missing_venv_module_is_named(make_venv):
    done = make_venv("newpython", newpython=WITHOUT_VENV, id=NOT_ROOT)
    assert done.returncode == 1
    assert "newpython cannot make a virtual environment. As root: apt-get install python3.12-venv" in done.stderr


def test_as_root_a_missing_venv_module_is_installed(make_venv, tmp_path):
    installs = f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n'
    root = "#!/bin/sh\necho 0\n"
    make_venv("newpython", newpython=WITHOUT_VENV, id=root, **{"apt-get": installs})
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == ["-qq update", "-qq -y --no-install-recommends install python3.12-venv"]


def test_the_first_suitable_python_makes_the_environment_once(make_venv, tmp_path):
    assert make_venv(f"oldpython no-such-python {sys.executable}", oldpython=TOO_OLD).returncode == 0
    made = (tmp_path / ".venv/pyvenv.cfg").stat().st_mtime_ns
    assert make_venv(sys.executable).returncode == 0
    assert (tmp_path / ".venv/pyvenv.cfg").stat().st_mtime_ns == made
