"""What a data set holds, counted and stored: labels, attributes, quality, people, repeats, doubtful labels, samples.

Writes the study part of a run; draws nothing. Start with `analysis.study.study`.
"""
