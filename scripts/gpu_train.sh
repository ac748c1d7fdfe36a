#!/usr/bin/env bash
# What gpu_grader.sh and gpu_detector.sh do: train from a pack within MINUTES, on a machine
# that has nothing but this repository, the pack and torch.
#
#   scripts/gpu_train.sh grader|detector PACK MINUTES
#
# Called again, it resumes. The results lie in OUT (out/ when unset), from the first epoch on:
#   bundle.zip      the best network so far as a bundle, and validation.txt its validation figures
#   best.pt         the same in half precision, for --init or a configuration's start
#   metrics.jsonl, budget.json, log.txt
# Other settings: CONFIG (configs/TASK.toml), RUN (runs/gpu-TASK, where the check-points are),
# CACHE (cache), THREADS (0: all), PYTHON (python3).
set -euo pipefail

usage() {
  echo "usage: scripts/gpu_grader.sh PACK MINUTES (or gpu_detector.sh)${1:+: $1}" >&2
  exit 2
}

[ $# -eq 3 ] || usage "two arguments, please"
task=$1 pack=$2 minutes=$3
case $task in grader | detector) ;; *) usage "no task is called $task" ;; esac
[ -f "$pack" ] || usage "there is no pack $pack"
[[ $minutes =~ ^[0-9]+([.][0-9]+)?$ ]] || usage "$minutes is not a number of minutes"
pack=$(realpath "$pack")
out=$(realpath -m "${OUT:-$(dirname "$0")/../out}")
cd "$(dirname "$0")/.."

config=${CONFIG:-configs/$task.toml} run=${RUN:-runs/gpu-$task} cache=${CACHE:-cache}
python=${PYTHON:-python3} site=$cache/site
[ -f "$config" ] || usage "there is no configuration $config"
mkdir -p "$out" "$run" "$site"
source scripts/gpu_python.sh

# Half the size; so every file that comes back is small.
halve() {
  "$python" - "$1" "$2" <<'PYTHON'
import sys
from pathlib import Path
from fundoscope.train.run import loop, torch_files
best = loop.read_checkpoint(Path(sys.argv[1]))
best["network"] = torch_files.halved(best["network"])
Path(sys.argv[2]).write_bytes(torch_files.content(best))
PYTHON
}

# Put what there is into OUT, each file whole or not at all.
bring() {
  local name
  for name in bundle.zip validation.txt best.pt metrics.jsonl budget.json; do
    case $name in best.pt) from=$run/best-half.pt ;; *) from=$run/$name ;; esac
    [ ! -f "$from" ] || { cp "$from" "$out/.part" && mv "$out/.part" "$out/$name"; }
  done
}

# Export the best network if it is a better one than last time. After a failure the training
# continues, and the next call tries again with a later network.
export_best() {
  local mark
  [ -f "$run/best.pt" ] || return 0
  for mark in exported failed; do
    if [ -f "$run/$mark" ] && [ ! "$run/best.pt" -nt "$run/$mark" ]; then return 0; fi
  done
  touch -r "$run/best.pt" "$run/exporting"
  if nice -n 10 "$python" -m fundoscope train export "$run" "$run/bundle" --overwrite \
    --cache "$cache" >"$run/export.txt" 2>&1; then
    "$python" -m zipfile -c "$run/bundle.part" \
      "$run"/bundle/{bundle.json,bundle.sha256,card.md,model.onnx}
    halve "$run/best.pt" "$run/half.part"
    mv "$run/bundle.part" "$run/bundle.zip"
    mv "$run/half.part" "$run/best-half.pt"
    mv "$run/export.txt" "$run/validation.txt"
    mv "$run/exporting" "$run/exported"
    rm -f "$run/failed"
  else
    echo "an export failed: $(tail -n 1 "$run/export.txt")" >&2
    mv "$run/exporting" "$run/failed"
  fi
}

rm -f "$run/failed"
bring # of an earlier call
left=$(awk -v minutes="$minutes" -v seconds="$SECONDS" 'BEGIN { print minutes - seconds / 60 }')
"$python" -m fundoscope train "$task" "$config" --data "$pack" --out "$run" --cache "$cache" \
  --minutes "$left" --threads "${THREADS:-0}" > >(tee -a "$out/log.txt") 2>&1 &
trainer=$!
trap 'kill "$trainer" 2>/dev/null || true' EXIT

# Exports run beside the training, and at most half of the time.
while kill -0 "$trainer" 2>/dev/null; do
  began=$SECONDS
  export_best
  bring
  rest=$((SECONDS - began + 1))
  while [ $((rest--)) -gt 0 ] && kill -0 "$trainer" 2>/dev/null; do sleep 1; done
done
status=0
wait "$trainer" || status=$?
export_best
bring
if [ "$status" -ne 0 ]; then
  echo "the training ended with exit code $status" >&2
  exit "$status"
fi
[ ! -f "$run/validation.txt" ] || cat "$run/validation.txt"
ls -l "$out"
if [ -f "$run/failed" ]; then
  echo "the last export failed: $out holds an earlier bundle, or none" >&2
  exit 1
fi
