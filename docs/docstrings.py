# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How the API reference reads docstrings: an extension of griffe, named in mkdocs.yml."""

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:mod|class|func|meth|attr|data|exc|obj):`~?\.?([^`]+)`")
_CODE = re.compile(r"(`+[^`]*`+)")


class PlainDocstrings(griffe.Extension):
    """Show Sphinx's roles as code, and keep shapes and units in brackets from being taken for links."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of an object before it is parsed."""
        if obj.docstring is None:
            return
        parts = _CODE.split(_ROLE.sub(r"`\1`", obj.docstring.value))
        obj.docstring.value = "".join(
            part if part.startswith("`") else re.sub(r"\](\s?)\[", r"]\1\\[", part) for part in parts
        )
