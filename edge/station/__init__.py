"""Ties the rooms together: the pipeline, products, health, supervision."""
