"""TensorRT plans: built, held against the graph, and accepted on the machine that runs them."""

__all__ = ["acceptance", "acceptance_report", "plans"]
