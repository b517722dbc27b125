"""What all tests share: the option ``--update-golden``, the corpus, and a clean environment."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

ROOT = Path(__file__).resolve().parents[1]

# A shell that starts the suite in the background has it ignore Ctrl-C, and what the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# How long an example takes says how busy the machine is; what has to be quick has a test of its own.
hypothesis_settings.register_profile("zcheck", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("zcheck")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the files in tests/golden")


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten rather than compared."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Configuration files that nobody on this project wrote; kept beside the checkout, or where ZCHECK_CORPUS says."""
    folder = Path(CORPUS or ROOT.parent / "shared" / "corpus")
    if not folder.is_dir():
        pytest.skip(f"the corpus is not at {folder}; ZCHECK_CORPUS tells where it is")
    return folder


@pytest.fixture(scope="session")
def slow() -> None:
    """For tests that install other projects' packages, or take minutes; ZCHECK_SLOW=1 asks for them."""
    if not SLOW:
        pytest.skip("slow: ZCHECK_SLOW=1 runs it")


# Options of zcheck's own that happen to be set must not change what a test sees.
CORPUS = os.environ.get("ZCHECK_CORPUS")
SLOW = os.environ.get("ZCHECK_SLOW", "0") not in ("", "0")
# Those that are the tests' own stay, so that worker processes see them as well.
for _name in [name for name in os.environ if name.startswith("ZCHECK_")]:
    if _name not in ("ZCHECK_CORPUS", "ZCHECK_SLOW", "ZCHECK_PLONE", "ZCHECK_NETWORK", "ZCHECK_ANSIBLE"):
        del os.environ[_name]


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the state folder of the user who runs the tests."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
