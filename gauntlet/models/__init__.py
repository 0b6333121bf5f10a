"""Models: (*, classes, ...) -> a module that takes pixels in [0, 1]."""
