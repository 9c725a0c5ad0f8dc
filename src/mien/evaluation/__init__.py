"""Evaluation: metrics, calibration, test-time augmentation, robustness, reports, comparison."""
