# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What ``tools/ablate.py`` trains and reports.

:mod:`.variants` says what differs, :mod:`.campaign` plans the runs and keeps their records, :mod:`.training` makes
them, :mod:`.report` makes ``docs/ablations.md`` and ``.png`` of the records. :mod:`.history_actor` and
:mod:`.reference_ppo` are the variants that are no setting of the learner.
"""
