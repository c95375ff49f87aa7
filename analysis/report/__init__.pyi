from . import citations, crossref, freeze, publication, reference, render

__all__ = ["citations", "crossref", "freeze", "publication", "reference", "render"]
