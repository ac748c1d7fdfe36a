#!/usr/bin/env bash
# Train several graders side by side on a lent machine, within MINUTES.
#
#   scripts/gpu_short_list.sh PACK MINUTES CONFIG[,SOURCE]...
#
# "configs/x.toml,idrid" trains configs/x.toml without the source idrid. Several fill a GPU that one
# leaves idle between its steps. What comes back lies in OUT (out/ when unset): of each, NAME.tar
# holds its run folder (scripts/gpu_bring.py) as if it had been trained where the photographs are:
# unpack it into runs/, and average, export or measure it there. NAME.txt is what was printed.
# Runs that the minutes end come back with the best network so far, and the exit code is 1.
# Other settings: RUNS (runs/short-list), CACHE (cache), SIDE (4 at a time), PYTHON (python3).
set -euo pipefail

usage() {
  echo "usage: scripts/gpu_short_list.sh PACK MINUTES CONFIG[,SOURCE]...: $1" >&2
  exit 2
}

[ $# -ge 3 ] || usage "three arguments or more, please"
pack=$1 minutes=$2
shift 2
[ -f "$pack" ] || usage "there is no pack $pack"
[[ $minutes =~ ^[0-9]+([.][0-9]+)?$ ]] || usage "$minutes is not a number of minutes"
pack=$(realpath "$pack")
out=$(realpath -m "${OUT:-$(dirname "$0")/../out}")
cd "$(dirname "$0")/.."
runs=${RUNS:-runs/short-list} cache=${CACHE:-cache} python=${PYTHON:-python3} side=${SIDE:-4}
site=$cache/site
for job in "$@"; do
  [ -f "${job%,*}" ] || usage "there is no configuration ${job%,*}"
done
mkdir -p "$out" "$runs" "$site"
source scripts/gpu_python.sh

of_job() { # CONFIG[,SOURCE]: sets config, name and without
  config=${1%,*} name=$(basename "${1%,*}" .toml) without=()
  case $1 in *,*) name=$name-without-${1#*,} without=(--without "${1#*,}") ;; esac
}

train() {
  of_job "$1"
  local left=$((deadline - SECONDS)) # of 0 seconds, timeout would never end it
  timeout --signal KILL "$((left > 0 ? left : 1))" \
    "$python" -m fundoscope train grader "$config" "${without[@]}" --data "$pack" \
    --cache "$cache" --out "$runs/$name" >"$out/$name.txt" 2>&1
}

bring() {
  of_job "$1"
  [ -f "$runs/$name/best.pt" ] || return 0
  "$python" scripts/gpu_bring.py "$config" "$runs/$name" "$out/$name.part" "${without[@]}"
  mv "$out/$name.part" "$out/$name.tar"
}

# The pictures are made once, before several want them.
"$python" -m fundoscope train grader "${1%,*}" --data "$pack" --cache "$cache" \
  --preview "$out/preview.png"
echo "$SECONDS s: the pictures are made"
deadline=$(awk -v minutes="$minutes" 'BEGIN { print int(60 * minutes) }')
status=0 trained=()
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
for job in "$@"; do
  while [ "$(jobs -rp | wc -l)" -ge "$side" ]; do sleep 0.5; done
  [ "$SECONDS" -lt "$deadline" ] || break
  train "$job" &
  trained+=("$!,$job")
done
for each in "${trained[@]}"; do
  wait "${each%%,*}" || { echo "${each#*,} did not end: exit code $?" >&2; status=1; }
done
[ ${#trained[@]} -eq $# ] || { echo "no time for all of them" >&2; status=1; }
echo "$SECONDS s: trained"
brought=()
for job in "$@"; do
  bring "$job" &
  brought+=("$!,$job")
done
for each in "${brought[@]}"; do
  wait "${each%%,*}" || { echo "${each#*,} cannot be brought back: exit code $?" >&2; status=1; }
done
ls -l "$out"
exit "$status"
