#!/usr/bin/env bash
# A model on a server gives the wrong replies of pairs and answers to a benchmark. Without S2H_URL, the bundled miniature is
# served by `transformers serve` (pip install 'transformers[serving]') and stopped at the end.
#
#     bash examples/servers/run.sh                                   # into servers/ (or $S2H_OUT)
#     S2H_URL=http://localhost:8000 S2H_MODEL=Qwen/Qwen2.5-VL-7B-Instruct bash examples/servers/run.sh
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
PATH="${S2H_VENV:-$root/.venv}/bin:$root/bin:$PATH"
n=${S2H_N:-20} out=${S2H_OUT:-servers} url=${S2H_URL:-} model=${S2H_MODEL:-$root/s2h/models/mini}
mkdir -p "$out"
cd "$out"
if [ -z "$url" ]; then
    url=http://127.0.0.1:${S2H_PORT:-8000}
    transformers serve "$model" --host 127.0.0.1 --port "${S2H_PORT:-8000}" --dtype float32 >serve.log 2>&1 &
    trap 'kill $!' EXIT
    until curl -sf "$url/health" >/dev/null; do
        kill -0 $! || { tail serve.log >&2; exit 1; }
        sleep 1
    done
fi
s2h-gen vqa -n "$n" --size 96 --model "$model" --base-url "$url" -o l1.jsonl
s2h-eval --model "$model" --base-url "$url" -n "$n" -o replies.jsonl --report report.md
echo "l1.jsonl, replies.jsonl, report.md" >&2
