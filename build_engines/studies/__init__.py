"""What pieces of the method are worth, measured on labelled parts."""

__all__ = ["ablation", "bank_sizes"]
