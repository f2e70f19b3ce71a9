# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whether a container does what it is there for: exit code 0 if so, else 1 and the reason. Standard library only.

``healthy.py progress FOLDER MINUTES``: a training has written below FOLDER (a pattern such as logs/*_seed1, too) within
so many minutes.
``healthy.py port NUMBER``: a page of this container answers on that port.
"""

from __future__ import annotations

import glob
import http.client
import os
import sys
import time


def newest_write(folder: str) -> float | None:
    """Return when the newest file below the folders of a pattern was written [s since 1970]; None if there is none."""
    newest = None
    for root, _, names in (entry for found in glob.glob(folder) for entry in os.walk(found)):
        for name in names:
            try:
                written = os.stat(os.path.join(root, name)).st_mtime
            except OSError:  # renamed or removed since it was listed
                continue
            newest = written if newest is None else max(newest, written)
    return newest


def progress_problem(folder: str, minutes: float) -> str | None:
    """Return why training in *folder* seems to stand still, or None."""
    newest = newest_write(folder)
    if newest is None:
        return f"nothing below {folder} yet"
    age = (time.time() - newest) / 60.0
    return f"nothing written below {folder} for {age:.0f} minutes" if age > minutes else None


def port_problem(port: int) -> str | None:
    """Return why the page on *port* of this machine does not answer, or None."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5.0)
    try:
        connection.request("GET", "/")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"port {port} does not answer: {error}"
    finally:
        connection.close()
    return f"port {port} answers {status}" if status >= 500 else None


def main(argv: list[str]) -> int:
    """Check what *argv* names, say what is wrong, and return the exit code."""
    try:
        if argv[:1] == ["progress"]:
            problem = progress_problem(argv[1], float(argv[2]))
        elif argv[:1] == ["port"]:
            problem = port_problem(int(argv[1]))
        else:
            raise ValueError(f"unknown check {' '.join(argv[:1])!r}")
    except (IndexError, ValueError) as error:
        print(f"error: {error}; {__doc__}", file=sys.stderr)
        return 2
    if problem:
        print(problem)
    return 1 if problem else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
