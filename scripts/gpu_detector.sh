#!/usr/bin/env bash
# Train a detector on a lent machine: scripts/gpu_detector.sh PACK MINUTES (see docs/training.md).
exec "$(dirname "$0")/gpu_train.sh" detector "$@"
