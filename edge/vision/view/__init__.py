"""What of an image the graph sees, and the way back to the camera's pixels.

Nothing outside of this room knows how a part is cut out: enrollment sees through a view, the inspector
gives its results back through the same one, and it is part of what a product has learned.
"""

from edge.vision.view.areas import Box, Polygon, box_of, polygon_of, polygons_of_mask
from edge.vision.view.asked import AskedView
from edge.vision.view.placement import COVER, Placement
from edge.vision.view.sheet import MOST_SHOWN, view_sheet
from edge.vision.view.tiles import Tiles, cut, mosaic, mosaic_size, reduced
from edge.vision.view.view import WHOLE_FRAME, View, check_view

__all__ = [
    "COVER",
    "MOST_SHOWN",
    "WHOLE_FRAME",
    "AskedView",
    "Box",
    "Placement",
    "Polygon",
    "Tiles",
    "View",
    "box_of",
    "check_view",
    "cut",
    "mosaic",
    "mosaic_size",
    "polygon_of",
    "polygons_of_mask",
    "reduced",
    "view_sheet",
]
