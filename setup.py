"""Packaging of zcheck.

The distribution is ``zodb-zcheck`` (another tool owns the name ``zcheck`` on the index); command and package are
``zcheck``.  The catalogue's files live in the top-level folder ``checks`` and are imported as ``zcheck.checks``: an
installed top-level package named ``checks`` would clash with every project that has one.  Packages are listed by hand,
since a file left over in a build folder must not become a check.
"""

import re
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build import build

here = Path(__file__).parent
version = re.search(r'__version__ = "([^"]+)"', (here / "zcheck" / "__init__.py").read_text())
assert version is not None

demo = ["Zope[wsgi]>=5.8", "Paste"]
test = [
    "edn_format",
    "Products.ZODBMountPoint",
    "pytest",
    "pytest-xdist",
    "hypothesis",
    "jsonschema",
    "setuptools>=70.1",
]
lint = ["import-linter>=2.17", "mypy", "ruff", "types-requests", "types-beautifulsoup4", "types-PyYAML"]
docs = ["sphinx", "furo"]
# What reads the files of contrib/, as far as it is a package.
contrib = ["check-jsonschema", "pre-commit"]


class CleanBuild(build):
    """Build from nothing: a file that an earlier build left in the build folder must not get into a wheel."""

    def run(self) -> None:
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


setup(
    name="zodb-zcheck",
    version=version.group(1),
    description="Prove that the Zope clients of a ZODB/ZEO cluster can be load balanced, before anyone balances them",
    # An index shows no picture that lies beside the README.
    long_description=re.sub(
        r"^\.\. begin of the pictures$.*?^\.\. end of the pictures$\n*",
        "",
        (here / "README.rst").read_text(encoding="utf-8"),
        flags=re.DOTALL | re.MULTILINE,
    ),
    long_description_content_type="text/x-rst",
    license="ZPL-2.1",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    packages=[
        "zcheck",
        "zcheck.checks",
        "zcheck.checks.balancer",
        "zcheck.checks.config",
        "zcheck.checks.consistency",
        "zcheck.checks.identity",
        "zcheck.checks.inventory",
        "zcheck.checks.reach",
        "zcheck.cli",
        "zcheck.commands",
        "zcheck.commands.demo",
        "zcheck.commands.haproxy",
        "zcheck.commands.init",
        "zcheck.consistency",
        "zcheck.consistency.http",
        "zcheck.consistency.judge",
        "zcheck.consistency.recording",
        "zcheck.consistency.storage",
        "zcheck.facts",
        "zcheck.gather",
        "zcheck.gather.waves",
        "zcheck.parsers",
        "zcheck.probes",
        "zcheck.probes.remote",
        "zcheck.report",
        "zcheck.report.formats",
        "zcheck.report.formats.html",
        "zcheck.rules",
        "zcheck.system",
        "zcheck.testing",
    ],
    package_dir={"zcheck.checks": "checks"},
    package_data={
        "zcheck": ["py.typed"],
        "zcheck.commands.haproxy": ["haproxy.cfg.jinja"],
        "zcheck.report.formats.html": ["*.html", "page.css", "page.js"],
    },
    install_requires=[
        "PyYAML>=6.0",
        "ZConfig>=3.6",
        "ZEO>=5.4",
        "ZODB>=5.8",
        "click>=8.1",
        "iniconfig>=2.0",
        "jinja2>=3.1",
        "junitparser>=3.1",
        "mechanicalsoup>=1.3",
        # A ZEO server that speaks msgpack can be spoken to in no other way.
        "msgpack>=1.0",
        "msgspec>=0.18",
        "prometheus-client>=0.19",
        "requests>=2.31",
        "rich>=13",
    ],
    extras_require={"demo": demo, "test": test + demo, "lint": lint, "docs": docs, "contrib": contrib},
    cmdclass={"build": CleanBuild},
    entry_points={"console_scripts": ["zcheck = zcheck.cli:run"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Framework :: Zope",
        "Intended Audience :: System Administrators",
        "License :: OSI Approved :: Zope Public License",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: System :: Monitoring",
    ],
)
