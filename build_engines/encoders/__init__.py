"""One module per encoder family: from a checkpoint to :class:`build_engines.vit.VitWeights`."""
