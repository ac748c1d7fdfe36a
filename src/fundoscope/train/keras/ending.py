"""The ending of a Keras classifier, and the head of :mod:`fundoscope.grading.heads` that fits it.

===========================  =========================================  =====================
last activation, outputs     what the user has to state                 head
===========================  =========================================  =====================
softmax, any                 classes                                    softmax
linear (logits), 2 or more   classes, and head softmax                  softmax
sigmoid, 1                   nothing (or classes 0,1): the raw grade    sigmoid
sigmoid, 1                   two other classes, "not" and "is"          softmax
sigmoid or linear, 4         head cumulative or corn                    cumulative, corn
sigmoid, 5                   nothing (or head cumulative)               cumulative
linear, 5                    head cumulative                            cumulative
linear, 1                    nothing                                    regression
===========================  =========================================  =====================

Five outputs of ``cumulative`` mean "grade 0 or more", "1 or more" and so on, the form of most
public networks for APTOS 2019. The first is always true and is not used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import UsageError
from fundoscope.grading import heads

if TYPE_CHECKING:
    from torch import Tensor

SOFTMAX, SIGMOID, LINEAR = "softmax", "sigmoid", "linear"
ACTIVATIONS: Final = (SOFTMAX, SIGMOID, LINEAR)
POOLING, MEAN = "Global", "GlobalAveragePooling2D"
"""The beginning of the names of layers that pool whole maps, and the one that takes their mean."""
RAW: Final = (0, 1)
"""The classes of a single sigmoid in the student project of 2019: the grade itself, 0 or 1."""
ORDINAL: Final = (heads.CUMULATIVE, heads.CORN)
FLOOR: Final = -30.0
"""Log-probability of a grade without an output, and lowest one of the others: 1e-13."""
EDGE: Final = 1e-7
"""Smallest distance of a sigmoid from 0 and 1 before its log-odds are taken; the resolution of
float32."""
REFERABLE: Final = 0.5
"""The operating point on the probability of a referable grade, for lack of a fitted one."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The ending of a network.

    Attributes:
        activation: the last activation, of :data:`ACTIVATIONS`.
        head: the head that is put after it, of :mod:`fundoscope.grading.heads`.
        grades: the grade of each class, in order; empty if the outputs are not classes.
        unused: the number of leading outputs that are not used, because they are always true.
    """

    activation: str
    head: str
    grades: tuple[int, ...] = ()
    unused: int = 0


def find(model: Any, classes: tuple[int, ...] | None, head: str | None, title: str) -> Ending:
    """The ending of a Keras network, from its layers and what the user states.

    Args:
        model: ``keras.Model`` with one output.
        classes: the grade of each output.
        head: needed if activation and number of outputs fit several heads.
        title: the file's name in error messages.

    Raises:
        UsageError: the ending is not a grader's, or does not fit what the user states.
    """
    activation, count = _activation(model.outputs[0]), _outputs_of(model, title)
    if activation not in ACTIVATIONS:
        remedy = f"give a network that ends in one of {', '.join(ACTIVATIONS)}"
        raise UsageError(title, f"ends in {activation}", remedy)
    ending = _ending(activation, count, classes, head)
    if ending is None:
        outputs = "1 output" if count == 1 else f"{count} outputs"
        why = f"ends in {outputs} with {activation}"
        raise UsageError(title, why, _remedy(activation, count, classes, head))
    if ending.grades:
        _check_grades(ending.grades, 2 if count == 1 else count, title)
    return ending


def _ending(
    activation: str, count: int, classes: tuple[int, ...] | None, head: str | None
) -> Ending | None:
    always_true = count == heads.OUTPUTS[heads.CUMULATIVE] + 1 and classes is None
    if always_true and (head == heads.CUMULATIVE or (head is None and activation == SIGMOID)):
        return None if activation == SOFTMAX else Ending(activation, heads.CUMULATIVE, unused=1)
    if head in ORDINAL:
        fits = count == heads.OUTPUTS[head] and activation != SOFTMAX and classes is None
        return Ending(activation, head) if fits else None
    if activation == SIGMOID and count == 1:
        raw = classes in (None, RAW) and head in (None, heads.SIGMOID)
        if raw:
            return Ending(SIGMOID, heads.SIGMOID)
        fits = classes is not None and head in (None, heads.SOFTMAX)
        return Ending(SIGMOID, heads.SOFTMAX, classes or ()) if fits else None
    if activation == LINEAR and count == 1:
        fits = classes is None and head in (None, heads.REGRESSION)
        return Ending(LINEAR, heads.REGRESSION) if fits else None
    asked = head == heads.SOFTMAX or (activation == SOFTMAX and head is None)
    if activation != SIGMOID and count > 1 and asked and classes is not None:
        return Ending(activation, heads.SOFTMAX, classes)
    return None


def _remedy(activation: str, count: int, classes: tuple[int, ...] | None, head: str | None) -> str:
    if activation == SOFTMAX and classes is None and head in (None, heads.SOFTMAX):
        return "state the grade of each output with --classes, e.g. --classes 0,1,2,3,4"
    if activation != SOFTMAX and count == heads.OUTPUTS[heads.CUMULATIVE]:
        return "write --head cumulative (above 0, 1, 2, 3) or --head corn, without --classes" + (
            "" if activation == SIGMOID else ", or --head softmax with --classes"
        )
    if activation == SIGMOID and count == heads.OUTPUTS[heads.CUMULATIVE] + 1:
        return "five sigmoids mean `grade 0 or more` to `4 or more`: omit --classes and --head"
    if activation == LINEAR and count > 1:
        return "if these are logits of classes, write --head softmax and --classes"
    stated = f"--classes {','.join(map(str, classes or ()))}" if classes else f"--head {head}"
    return f"change or leave out {stated}" if classes or head else "give a network that grades"


def _check_grades(grades: tuple[int, ...], count: int, title: str) -> None:
    text = ",".join(map(str, grades))
    if len(grades) != count:
        raise UsageError(
            f"--classes {text}",
            f"names {len(grades)} grades, and {title} has {count} classes",
            "name the grade of each class, in their order (Keras sorts class folders by name)",
        )
    if len(set(grades)) != count or not set(grades) <= set(range(heads.GRADE_COUNT)):
        raise UsageError(f"--classes {text}", "is wrong", "name grades of 0 to 4, each once")


def _activation(tensor: Any) -> str:
    """The name of the last activation, or of the last layer if it has no activation.

    Args:
        tensor: ``keras.KerasTensor``, the output of a network or of a layer in it.
    """
    last, node, _ = tensor._keras_history
    if hasattr(last, "layers"):
        return _activation(last.outputs[0])
    name = type(last).__name__
    if name == "Softmax":
        return SOFTMAX
    activation = getattr(last, "activation", None)
    if activation is not None:
        return str(getattr(activation, "__name__", type(activation).__name__))
    if not name.startswith(POOLING):
        return name
    (pooled,) = last._inbound_nodes[node].input_tensors
    before = _activation(pooled)
    # The mean of probabilities is one; the largest ones of several classes do not sum to 1.
    if before == SOFTMAX and name != MEAN:
        return name
    return before if before in (SOFTMAX, SIGMOID) else LINEAR


def _outputs_of(model: Any, title: str) -> int:
    shape = model.outputs[0].shape
    if len(shape) != 2 or shape[1] is None:
        raise UsageError(
            title,
            f"gives {'x'.join(map(str, shape[1:]))} numbers a picture",
            "a grader gives one row of numbers a picture",
        )
    return int(shape[1])


def outputs(values: Tensor, ending: Ending) -> Tensor:
    """Convert a Keras network's outputs to those of the head, ``float (N, outputs)``."""
    import torch

    values = values[:, ending.unused :]
    if ending.activation == SIGMOID:
        p = values.clamp(EDGE, 1 - EDGE)
        no, yes = torch.log(1 - p), torch.log(p)
        if not ending.grades:
            return yes - no
        return _spread(torch.cat([no, yes], dim=1), ending.grades)
    if not ending.grades:
        return values
    if ending.activation == LINEAR:
        return _spread(values.log_softmax(dim=1).clamp_min(FLOOR), ending.grades)
    return _spread(values.clamp_min(math.exp(FLOOR)).log(), ending.grades)


def _spread(logs: Tensor, grades: tuple[int, ...]) -> Tensor:
    """Log-probabilities in the order of the grades; a grade without a class gets the floor."""
    import torch

    floor = torch.full_like(logs[:, :1], FLOOR)
    columns = [
        logs[:, grades.index(grade)].unsqueeze(1) if grade in grades else floor
        for grade in range(heads.GRADE_COUNT)
    ]
    return torch.cat(columns, dim=1)


def keras_probabilities(raw: NDArray[np.float32], ending: Ending) -> NDArray[np.float64]:
    """Probabilities (for regression, grades) from a Keras network's outputs, in its own order."""
    values = raw[:, ending.unused :].astype(np.float64)
    if ending.activation != LINEAR or ending.head == heads.REGRESSION:
        return values
    if ending.head in ORDINAL:
        return _sigmoid(values)
    return heads.probabilities(values, head=heads.SOFTMAX)


def bundle_probabilities(outputs: NDArray[np.float32], ending: Ending) -> NDArray[np.float64]:
    """The same from the bundle's outputs; it inverts :func:`outputs`."""
    values = outputs.astype(np.float64)
    if ending.grades:
        p = heads.probabilities(values, head=heads.SOFTMAX)[:, list(ending.grades)]
        return p[:, 1:] if ending.activation == SIGMOID else p
    return values if ending.head == heads.REGRESSION else _sigmoid(values)


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-values))


def cut_points(ending: Ending) -> tuple[float, float, float, float]:
    """The cut-points on the expected grade: half-way between neighbouring grades of the classes.

    With all five grades this is rounding. With 0 and 2 alone, the first two cut-points are both 1.
    """
    grades = sorted(ending.grades) or list(range(heads.GRADE_COUNT))
    cuts = []
    for grade in range(heads.GRADE_COUNT - 1):
        below = max((g for g in grades if g <= grade), default=grade)
        above = min((g for g in grades if g > grade), default=grade + 1)
        cuts.append((below + above) / 2)
    first, second, third, fourth = cuts
    return first, second, third, fourth


def referable_threshold(ending: Ending) -> float:
    """The operating point on the probability of grade 2 or more.

    It is one half. A raw sigmoid never predicts grade 2, only "not 0": its operating point is the
    probability that belongs to an output of one half.
    """
    if ending.head != heads.SIGMOID:
        return REFERABLE
    return float(heads.referable(heads.probabilities([[0.0]], head=heads.SIGMOID))[0])
