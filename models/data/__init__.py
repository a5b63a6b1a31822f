"""What is trained on: free photographs, parts made of them, and defects simulated on those."""

__all__ = ["folder_products", "free_images", "preview", "products", "rendered", "sheets", "training_parts"]
