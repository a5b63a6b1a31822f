"""The vision graph, written node by node as ONNX: encoder, matching head, text decoder, prompt learner."""

__all__ = [
    "cut",
    "encoder_parts",
    "graph_shapes",
    "head",
    "learned",
    "numpy_vit",
    "onnx_writer",
    "own_text",
    "prompt_head",
    "text_tower",
    "vit",
]
