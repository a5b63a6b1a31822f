"""Learning a product from its references: one to a few good parts, nothing else.

A pipe, each step a function of what came before::

    images ─► References ─► Looks ─► EncodedLooks ─► Bank ─► Evidence ─► Calibration ─► Memory

``references`` is where images become what the graph sees, ``views`` what else is looked at (references
turned, moved a little, with simulated defects), ``encodings`` the only step that encodes, and ``matching``
the only one that scores. ``choosing`` stands before all of it: through which view the images are seen, where
nobody says.
"""

from edge.vision.enrollment.banks import BANK_ROWS
from edge.vision.enrollment.choosing import choose_view
from edge.vision.enrollment.pipe import enroll

__all__ = ["BANK_ROWS", "choose_view", "enroll"]
