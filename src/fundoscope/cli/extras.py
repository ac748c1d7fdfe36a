"""The optional parts of fundoscope, as ``pyproject.toml`` declares them."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Final

from fundoscope.errors import MissingExtraError

EXTRAS: Final = {
    "evaluate": {
        "faster-coco-eval": "faster_coco_eval",
        "matplotlib": "matplotlib",
        "polars": "polars",
        "scikit-learn": "sklearn",
    },
    "train": {
        "torch": "torch",
        "torchvision": "torchvision",
        "timm": "timm",
        "lightning": "lightning",
        "onnx": "onnx",
        "onnxscript": "onnxscript",
    },
    "keras": {"keras": "keras", "h5py": "h5py"},
    "excel": {"XlsxWriter": "xlsxwriter", "openpyxl": "openpyxl"},
    "serve": {
        "alembic": "alembic",
        "fastapi": "fastapi",
        "prometheus-client": "prometheus_client",
        "python-multipart": "python_multipart",
        "sqlalchemy": "sqlalchemy",
        "starlette": "starlette",
        "uvicorn": "uvicorn",
    },
    "postgresql": {"psycopg": "psycopg"},
    "report": {"reportlab": "reportlab"},
    "ray": {"ray": "ray"},
    "remote": {"fsspec": "fsspec", "s3fs": "s3fs"},
    "openvino": {"openvino": "openvino"},
}
"""For each extra: its packages by their name for pip, and the module that each is imported as."""

EVALUATE_GRADING: Final = ("evaluate", ("sklearn", "matplotlib"))
EVALUATE_LESIONS: Final = ("evaluate", ("faster_coco_eval", "matplotlib"))
CALIBRATE_JUDGE: Final = ("evaluate", ("sklearn",))
DATA_CHECK: Final = ("evaluate", ("sklearn",))
DATA_SPLIT: Final = ("evaluate", ("sklearn",))
DATA_STATS: Final = ("evaluate", ("matplotlib",))
TRAIN: Final = ("train", ("torch", "timm", "lightning", "onnx", "onnxscript"))
EXCEL: Final = ("excel", ("xlsxwriter",))
SERVE: Final = (
    "serve",
    ("alembic", "fastapi", "prometheus_client", "python_multipart", "sqlalchemy", "uvicorn"),
)
REPORT: Final = ("report", ("reportlab",))
RAY: Final = ("ray", ("ray",))
KERAS: Final = ("keras", ("keras", "h5py", "torch", "onnx", "onnxscript"))
"""What a command needs: the extra, and the modules that it imports.

A command asks for no more than it uses: training a grader works without torchvision, for instance.
"""


def extra_of(module: str) -> str | None:
    """The extra that installs a module; ``None`` if no extra does."""
    return next((extra for extra, packages in EXTRAS.items() if module in packages.values()), None)


def require(command: str, needs: tuple[str, Sequence[str]]) -> None:
    """Check that the optional part that a command needs is installed, without importing it.

    Args:
        command: its name as the user types it, e.g. ``"fundoscope data check"``.
        needs: the extra, and the modules that the command imports.

    Raises:
        MissingExtraError: one of the modules is not installed.
    """
    extra, modules = needs
    if any(importlib.util.find_spec(module) is None for module in modules):
        raise MissingExtraError(command, extra)
