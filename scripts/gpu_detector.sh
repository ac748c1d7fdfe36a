#!/usr/bin/env bash
# Train a detector elsewhere: scripts/gpu_detector.sh PACK MINUTES (see docs/how-to/train-in-limited-time.md).
exec "$(dirname "$0")/gpu_train.sh" detector "$@"
