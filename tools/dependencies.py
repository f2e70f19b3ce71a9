# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``tools/dependencies.py``: docs/dependencies.md, the license of every locked package and what an audit found."""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from workspace import ROOT, markdown_table

from himloco_lab.errors import FAILURE, CliError, Parser, run_command

_LONGEST = 60
"""Characters of a license's name; what is longer is a license's text."""
_FAMILIES = (
    (r"\bAGPL|Affero", "AGPL"),
    (r"\bLGPL|Lesser General Public", "LGPL"),
    (r"\bGPL|GNU General Public", "GPL"),
    (r"\bMPL|Mozilla", "MPL"),
    (r"NVIDIA|Proprietary|LicenseRef", "proprietary"),
    (r"Apache", "Apache"),
    (r"\bBSD", "BSD"),
    (r"\bMIT\b|Expat", "MIT"),
    (r"\bPSF|Python Software|Python-2", "PSF"),
    (r"\bISC\b", "ISC"),
    (r"Unlicense|Public Domain|CC0|0BSD|Zlib|HPND|WTFPL|Boost|\bBSL-1", "other permissive"),
)
"""What a license's name says -> its family; the first that fits, so that the stricter of two counts."""
WATCHED = ("AGPL", "GPL", "LGPL", "MPL", "proprietary", "unknown")
"""Families whose terms somebody should read before passing the packages on."""


@dataclass(frozen=True)
class Package:
    """A package of the lock."""

    name: str
    version: str
    license: str
    """As its metadata name it, or why they do not."""
    asked_by: tuple[str, ...]
    """Packages that need it; empty for those of requirements.in."""

    @property
    def family(self) -> str:
        """The license's family, ``unknown`` where the name says nothing."""
        return next((family for pattern, family in _FAMILIES if re.search(pattern, self.license, re.I)), "unknown")


def main(argv: list[str] | None = None) -> int:
    """Write what *argv* asks for, and return the exit code."""
    return run_command(_write, argv)


def _write(argv: list[str]) -> None:
    parser = Parser(description="Write the licenses of all locked packages, and an audit's findings, to a page.")
    parser.add_argument("--out", default=str(ROOT / "docs/dependencies.md"), help="The page.")
    parser.add_argument("--lock", default=str(ROOT / "requirements.lock"), help="The lock.")
    parser.add_argument(
        "--audit", default=None, help="What pip-audit --format json wrote; without it the page says that none was made."
    )
    parser.add_argument(
        "--records", default=None, help="Stored advisories to compare the lock with; what is found goes to --audit."
    )
    parser.add_argument("--note", default="", help="A sentence to add to the audit.")
    args = parser.parse_args(argv)
    if args.records is not None and args.audit is None:
        raise CliError("--records needs --audit, the file for what is found")
    try:
        packages = read_lock(Path(args.lock).read_text())
        if args.records is not None:
            found = compare(packages, json.loads(Path(args.records).read_text()))
            Path(args.audit).write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        audit = None if args.audit is None else json.loads(Path(args.audit).read_text())
        Path(args.out).write_text(page(packages, audit, args.note))
    except (OSError, ValueError, KeyError) as error:
        raise CliError(f"cannot write the page: {error}", FAILURE) from None
    print(f"[INFO] {len(packages)} packages in {args.out}")


def read_lock(text: str) -> list[Package]:
    """Return the packages of a lock as ``uv pip compile`` writes it, with their installed licenses.

    Raises:
        ValueError: If a line is none of those it writes.
    """
    packages, name, asked = [], "", []
    for line in [*text.splitlines(), "end"]:
        if re.match(r"[a-z0-9]", line):
            if name:
                requirement = Requirement(name)
                version = str(requirement.specifier).removeprefix("==")
                packages.append(Package(requirement.name, version, license_of(requirement), tuple(asked)))
            name, asked = line.removesuffix("\\").strip(), []
        elif match := re.match(r"    #(?: via|  ) ([a-z0-9][\w.-]*)$", line):
            asked.append(match[1])
    return packages


def compare(packages: Iterable[Package], stored: dict[str, Any]) -> dict[str, Any]:
    """Return what stored advisories say of the packages, in pip-audit's format with ``tool`` and ``about`` besides.

    Args:
        packages: Of the lock.
        stored: ``looked_for``, names of the packages whose advisories were looked for; ``records``, each with
            ``package``, ``id``, ``aliases``, ``affected`` (sets of versions as in a requirement, any of which counts),
            ``date`` and ``source``; what the ``sources`` are; and sentences for the page: ``note``, ``findings`` by the
            advisory, ``online``.

    Raises:
        ValueError: If a version is none.
        KeyError: If something is missing.
    """
    packages = list(packages)
    names = {package.name for package in packages}
    records = [record for record in stored["records"] if record["package"] in names]
    dependencies: list[dict[str, Any]] = []
    for package in packages:
        if package.name not in stored["looked_for"]:
            dependencies.append({"name": package.name, "skip_reason": "its advisories were not looked for"})
            continue
        vulnerabilities = []
        for record in records:
            affected = map(SpecifierSet, record["affected"] if record["package"] == package.name else ())
            met = [versions for versions in affected if versions.contains(Version(package.version), prereleases=True)]
            if met:
                ends = [end.version for versions in met for end in versions if end.operator == "<"]
                vulnerabilities.append({"id": record["id"], "fix_versions": ends, "aliases": record["aliases"]})
        dependencies.append({"name": package.name, "version": package.version, "vulns": vulnerabilities})
    known = {record["package"] for record in records}
    numbers = {"records": len(records), "with": len(known), "packages": len(names), "without": len(names - known)}
    about = [sentence.format_map(numbers) for sentence in stored["note"]]
    for source, text in stored["sources"].items():
        its = [record for record in records if record["source"] == source]
        if its:
            newest = max(record["date"] for record in its)
            of = len({record["package"] for record in its})
            about.append(f"- {len(its)} records of {of} packages, the newest of {newest}: {text}.")
    found = {vulnerability["id"] for entry in dependencies for vulnerability in entry.get("vulns", [])}
    said = [f"- {sentence}" for advisory, sentence in stored["findings"].items() if advisory in found]
    about += [*(["What was found:", *said] if said else []), stored["online"]]
    tool = "A comparison with stored advisories"
    return {"dependencies": dependencies, "fixes": [], "tool": tool, "about": about}


def license_of(requirement: Requirement) -> str:
    """Return the license that the installed package names, shortened to a name."""
    if requirement.marker is not None and not requirement.marker.evaluate():
        return "not installed on this platform"
    try:
        metadata = importlib.metadata.metadata(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed here"
    classifiers = metadata.get_all("Classifier", [])
    classifiers = [text.rpartition(" :: ")[2] for text in classifiers if text.startswith("License ::")]
    classifiers = [text for text in classifiers if text != "OSI Approved"]
    expression = (metadata.get("License-Expression") or "").strip()
    free = " ".join((metadata.get("License") or "").split())
    if len(free) > _LONGEST:
        free = free[:_LONGEST].rpartition(" ")[0] + " ..."
    return expression or "; ".join(classifiers) or free or _from_files(requirement.name)


def _from_files(name: str) -> str:
    """Return the first line of the package's license file: some packages name it nowhere else."""
    for entry in importlib.metadata.files(name) or []:
        if re.search(r"(?i)(^|/)(licen[cs]e|copying)[^/]*$", str(entry)):
            try:
                text = entry.read_text()
            except (OSError, UnicodeDecodeError):
                continue
            first = next((line.strip(" #*=") for line in text.splitlines() if line.strip(" #*=")), "")
            if first:
                return f"{first[:_LONGEST]} (its file)"
    return "not stated"


def page(packages: Iterable[Package], audit: dict[str, Any] | None, note: str = "") -> str:
    """Return the page as Markdown, with the *note* behind what pip-audit wrote."""
    packages = sorted(packages, key=lambda package: package.name)
    families = Counter(package.family for package in packages)
    audit_text = "\n".join([*_audit_lines(audit), *(["", note] if note else [])])
    return f"""# Dependencies

Written by `./himloco.sh -p tools/dependencies.py` from `requirements.lock` and what the installed packages
say of themselves. It is no legal advice.

{len(packages)} packages: {", ".join(f"{family} {count}" for family, count in families.most_common())}.

## Audit

{audit_text}

## Licenses to read before passing packages on

{_table([package for package in packages if package.family in WATCHED])}
## All

{_table(packages)}"""


def _table(packages: list[Package]) -> str:
    rows = []
    for package in packages:
        asked = ", ".join(package.asked_by[:3])
        if len(package.asked_by) > 3:
            asked += f" and {len(package.asked_by) - 3} more"
        rows.append([package.name, package.version, package.license.replace("|", "/"), asked or "requirements.in"])
    return markdown_table(["package", "version", "license", "for"], rows, numbers=False)


def _audit_lines(audit: dict[str, Any] | None) -> list[str]:
    if audit is None:
        return ["No audit was given (`--audit`, a file of `pip-audit --format json`)."]
    entries = audit["dependencies"]
    checked = [entry for entry in entries if "vulns" in entry]
    found = [(entry, vulnerability) for entry in checked for vulnerability in entry["vulns"]]
    lines = [
        f"{audit.get('tool', 'pip-audit')} looked up {len(checked)} of {len(entries)} packages and found {len(found)} "
        "known vulnerabilities."
    ]
    rows = [
        [
            entry["name"],
            entry["version"],
            ", ".join([vulnerability["id"], *vulnerability.get("aliases", [])]),
            ", ".join(vulnerability.get("fix_versions", [])) or "no version yet",
        ]
        for entry, vulnerability in found
    ]
    if rows:
        lines += ["", *markdown_table(["package", "version", "vulnerability", "fixed in"], rows, False).splitlines()]
    before = ""
    for sentence in audit.get("about", []):
        # the entries of a list stand together, everything else by itself
        lines += [sentence] if sentence.startswith("- ") and before.startswith("- ") else ["", sentence]
        before = sentence
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
