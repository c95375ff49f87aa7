"""What a trained model is worth: scores, calibration, curves, fairness, robustness, explanation, other sources.

Knows the serving file and data sets; imports no TensorFlow. Start with `model.evaluation.evaluate`.
"""
