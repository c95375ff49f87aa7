from . import reference, render

__all__ = ["reference", "render"]
