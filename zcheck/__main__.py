"""``python -m zcheck``."""

from zcheck.cli import run

if __name__ == "__main__":
    run()
