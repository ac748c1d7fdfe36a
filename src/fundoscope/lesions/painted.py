"""The former name of :mod:`fundoscope.lesions.segmentation`; remove when no module imports it."""

from fundoscope.lesions.segmentation import Segmentation as Painted
from fundoscope.lesions.segmentation import lesions, on_photograph

__all__ = ["Painted", "lesions", "on_photograph"]
