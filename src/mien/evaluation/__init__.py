"""Honest figures: metrics, calibration, test-time augmentation, reports."""
