#!/usr/bin/env bash
# Train a grader elsewhere: scripts/gpu_grader.sh PACK MINUTES (see docs/how-to/train-in-limited-time.md).
exec "$(dirname "$0")/gpu_train.sh" grader "$@"
