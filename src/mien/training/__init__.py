"""Training: the loop, its configuration, objective, optimizers, schedules, augmentation and checkpoints."""
