"""What the user limits stays limited, and a command lists only options that it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from zcheck import cli

HEALTHY = Path(__file__).resolve().parents[2] / "sample-confs" / "healthy"


@pytest.mark.parametrize(
    ("expected", "options", "stated"),
    [
        pytest.param("20", [], "", id="by default"),
        pytest.param("50", ["--rate", "50"], "", id="a rate alone"),
        pytest.param("1", ["--max-rate", "1"], "", id="a ceiling"),
        pytest.param("10", ["--rate", "50", "--max-rate", "10"], "", id="a ceiling below the rate"),
        pytest.param("5", ["--rate", "5", "--max-rate", "10"], "", id="a rate below the ceiling"),
        pytest.param("2", ["--rate", "50"], "max-rate = 2", id="a ceiling in clients.ini"),
    ],
)
def test_the_test_of_isolation_keeps_to_the_ceiling(
    expected: str, options: list[str], stated: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (HEALTHY / "clients.ini").read_text().replace("zope-conf = ", f"zope-conf = {HEALTHY}/")
    ini = tmp_path / "clients.ini"
    ini.write_text(f"{text}\n[zcheck]\n{stated}\n")
    assert 0 == cli.main(["isolation", "--plan", *options, str(ini)])
    assert f"at most {expected} commits a second" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["haproxy enable", "rolling-restart", "export"])
def test_what_acts_on_a_proof_offers_no_half_of_one(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = command.split()
    assert 0 == cli.main([*words, "--help"])
    shown = capsys.readouterr().out
    assert [] == [option for option in ("--offline", "--read-only", "--only ") if option in shown]
    more = ["--command", "true"] if command == "rolling-restart" else []
    for name in ("ZCHECK_READ_ONLY", "ZCHECK_OFFLINE"):
        monkeypatch.setenv(name, "1")
        assert 3 == cli.main([*words, str(HEALTHY / "clients.ini"), *more])
        assert "proves too little to open a server by" in capsys.readouterr().err
        monkeypatch.delenv(name)
