"""The first stage of a Faster R-CNN that may learn from tiles with unannotated lesions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn


def create(parts: dict[str, Any]) -> nn.Module:
    """Torchvision's ``RegionProposalNetwork``, which ignores background that is not known.

    Args:
        parts: the arguments of ``RegionProposalNetwork``, by name.
    """
    import torch
    from torchvision.models.detection.rpn import RegionProposalNetwork

    class FirstStage(RegionProposalNetwork):  # type: ignore[misc] # torchvision has no types
        """In evaluation ``RegionProposalNetwork`` itself."""

        def assign_targets_to_anchors(
            self, anchors: list[Tensor], targets: list[dict[str, Any]]
        ) -> tuple[list[Tensor], list[Tensor]]:
            """Labels and boxes of the anchors; see :func:`known`."""
            labels, boxes = super().assign_targets_to_anchors(anchors, targets)
            return known(labels, [target["background"] for target in targets]), boxes

        def compute_loss(
            self,
            objectness: Tensor,
            pred_bbox_deltas: Tensor,
            labels: list[Tensor],
            regression_targets: list[Tensor],
        ) -> tuple[Tensor, Tensor]:
            """Both losses, which are 0 where no anchor of the batch has a label."""
            if not (torch.cat(labels) >= 0).any():
                return 0 * objectness.sum(), 0 * pred_bbox_deltas.sum()
            losses: tuple[Tensor, Tensor] = super().compute_loss(
                objectness, pred_bbox_deltas, labels, regression_targets
            )
            return losses

    return FirstStage(**parts)


def known(labels: Sequence[Tensor], background: Sequence[bool]) -> list[Tensor]:
    """The labels of the anchors: 1 for a box, 0 for background, -1 for what is not learnt from.

    Args:
        labels: of the anchors of each tile, float ``(A,)``, where all background is known.
        background: whether what has no box on the tile is background. Else it may be a lesion, and
            the first stage does not know kinds: none of it is learnt from.
    """
    return [
        of_tile if sure else of_tile.masked_fill(of_tile == 0, -1.0)
        for of_tile, sure in zip(labels, background, strict=True)
    ]
