"""The report: a site rendered from the published run and nothing else.

Owns no number and draws nothing. Start with `analysis.report.render`.
"""
