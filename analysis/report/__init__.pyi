from . import crossref, publication, reference, render

__all__ = ["crossref", "publication", "reference", "render"]
