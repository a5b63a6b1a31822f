"""What an image, a mask and an array of features are, for the type checker: one definition for all rooms."""

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""uint8, (H, W) grey or (H, W, 3) BGR as OpenCV reads it."""

Mask = npt.NDArray[np.uint8]
"""uint8, (H, W): not 0 where something is."""

Array = npt.NDArray[np.float32]
"""float32 of any shape, as graphs take and give it."""
