#!/usr/bin/env bash
# One set of pairs from several processes, on one machine: GNU parallel, or xargs where it is missing. The shards put end to end
# are the same bytes as one run's.
#
#     bash examples/cluster/gen_parallel.sh search 100000 l3.jsonl --source photos/
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: gen_parallel.sh TASK N FILE.jsonl [OPTIONS of s2h-gen ...]" >&2; exit 2; }
task=$1 n=$2 out=$3
shift 3
shards=${SHARDS:-$(nproc)}
command -v s2h-gen > /dev/null || PATH="$(cd "$(dirname "$0")/../../bin" && pwd):$PATH"
parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT

one() { # SHARD: each into a file of its own, which --resume could go on with
    s2h-gen "${@:2}" --shard "$1/$shards" --quiet -o "$parts/$(printf %05d "$1").jsonl"
}
export -f one
export parts shards
if command -v parallel > /dev/null; then
    seq "$shards" | parallel --will-cite --halt now,fail=1 -j "$shards" "one {} $(printf '%q ' "$task" -n "$n" "$@")"
else
    seq "$shards" | xargs -P "$shards" -I{} bash -c 'one "$@"' - {} "$task" -n "$n" "$@"
fi
cat "$parts"/*.jsonl > "$out.part"
mv "$out.part" "$out"
