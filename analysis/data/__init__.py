"""Where images come from, and how they become a manifest and a cube of aligned faces.

Reads zips, folders and buckets; writes ``data/NAME``. Start with `analysis.data.dataset.Dataset`, which all later
steps are given; `analysis.data.sources` and `analysis.data.ingest` make one.
"""
