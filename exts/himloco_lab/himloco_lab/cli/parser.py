# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The argument parser of all commands."""

from __future__ import annotations

import argparse
from typing import NoReturn

from himloco_lab.cli.errors import CliError


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line and name the way out."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print with a usage of thirty lines before it."""
        raise CliError(f"{message}; {self.prog} --help shows what there is")
