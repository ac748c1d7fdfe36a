"""The version of fundoscope, read by the build and by every module that reports it."""

__version__ = "0.1.0"
