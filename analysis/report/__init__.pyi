from . import publication, reference, render

__all__ = ["publication", "reference", "render"]
