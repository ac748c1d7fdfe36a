#!/usr/bin/env bash
# Train a grader on a lent machine: scripts/gpu_grader.sh PACK MINUTES (see docs/training.md).
exec "$(dirname "$0")/gpu_train.sh" grader "$@"
