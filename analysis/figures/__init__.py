"""Every figure, as functions: results in, HoloViews object out. The report and the explorer share them.

Each figure has a companion ``<figure>_reading`` that says in one sentence, computed from the same numbers, what is to
be seen. Figures know tables; they know nothing of files, pages or servers.
"""
