from . import crossref, freeze, publication, reference, render

__all__ = ["crossref", "freeze", "publication", "reference", "render"]
