"""The second stage of a Faster R-CNN that may learn from tiles on which some kinds are unmarked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from fundoscope.train.detection.boxes.target import Target


def create(parts: dict[str, Any], *, hardest: bool) -> nn.Module:
    """Torchvision's ``RoIHeads`` with a loss that ignores what nobody annotated.

    Args:
        parts: the arguments of ``RoIHeads``, by name.
        hardest: on a tile without a box take the first proposals, which the first stage is most
            certain of, in place of random ones.
    """
    import torch
    from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss

    class SecondStage(RoIHeads):  # type: ignore[misc] # torchvision has no types
        """In evaluation ``RoIHeads`` itself."""

        def forward(
            self,
            features: dict[str, Tensor],
            proposals: list[Tensor],
            image_shapes: list[tuple[int, int]],
            targets: Sequence[Target] | None = None,
        ) -> Any:
            """Detections and losses, as of ``RoIHeads``."""
            if not self.training or targets is None:
                return super().forward(features, proposals, image_shapes)
            wanted = [{"boxes": target.boxes, "labels": target.labels} for target in targets]
            if hardest:
                most = self.fg_bg_sampler.batch_size_per_image
                proposals = [
                    every if len(target.labels) else every[:most]
                    for every, target in zip(proposals, targets, strict=True)
                ]
            chosen, _, labels, differences = self.select_training_samples(proposals, wanted)
            pooled = self.box_roi_pool(features, chosen, image_shapes)
            logits, moves = self.box_predictor(self.box_head(pooled))
            _, box_loss = fastrcnn_loss(logits, moves, labels, differences)
            possible = torch.cat(
                [
                    possible_classes(of_tile, target.unassessed, logits.shape[1])
                    for of_tile, target in zip(labels, targets, strict=True)
                ]
            )
            return [], {
                "loss_classifier": class_loss(logits, possible),
                "loss_box_reg": box_loss,
            }

    return SecondStage(**parts)


def possible_classes(labels: Tensor, unassessed: Tensor | None, classes: int) -> Tensor:
    """What each proposal of a tile may be: its class; for the background also what is unassessed.

    Args:
        labels: int64 ``(P,)``, 0 for the background.
        unassessed: labels of the kinds that nobody annotated on the tile.
        classes: number of classes with the background.

    Returns:
        bool ``(P, classes)``.
    """
    import torch

    possible = torch.nn.functional.one_hot(labels, classes).bool()
    if unassessed is not None and len(unassessed):
        background = (labels == 0).nonzero().squeeze(1)
        possible[background[:, None], unassessed[None]] = True
    return possible


def class_loss(logits: Tensor, possible: Tensor) -> Tensor:
    """The mean negative log-probability that a proposal is one of what it may be.

    Where one class is possible this is the cross-entropy.

    Args:
        logits: ``(P, classes)``.
        possible: bool ``(P, classes)``, at least one class of each.
    """
    likely = logits.masked_fill(~possible, float("-inf")).logsumexp(dim=1)
    return (logits.logsumexp(dim=1) - likely).mean()
