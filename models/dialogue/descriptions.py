"""Descriptions of products, so that the dialogue learns to stand behind any of them."""

DESCRIPTIONS: tuple[str, ...] = (
    "",
    "a rough stone surface",
    "a metal washer seen from above",
    "an amber glass bottle seen from above, round",
    "a sheet of paper",
    "a woven fabric, grey",
    "a solar cell with thin dark lines",
    "a wooden board with a fine grain",
    "a printed circuit board, green",
    "a white plastic cap, round",
    "a brushed steel plate",
    "a ceramic tile, beige",
    "a gear wheel, steel",
    "a leather surface, brown",
    "a tablet, white with a red imprint",
    "a rubber seal, black, ring-shaped",
    "a concrete floor",
    "a bolt with a hexagonal head",
    "a tin lid, golden",
    "a cable end with three wires",
)
