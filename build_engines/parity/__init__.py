"""Proof that every precision is still right."""

__all__ = ["gate", "labelled", "limits"]
