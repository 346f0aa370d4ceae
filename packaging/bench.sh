#!/usr/bin/env bash
# Runs every benchmark, one after the other; each prints a table with its peer and writes JSON into the folder.
set -euo pipefail
bin=$1
out=$2
mkdir -p "$out"
export QT_QPA_PLATFORM=offscreen TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1
big=$out/million.secondlook
[[ -e $big/workspace.db ]] || "$bin/python" tests/benchmarks/generate_workspace.py "$big" --items "${ITEMS:-1000000}" --explanations 500
for benchmark in queues decisions desk; do
  "$bin/python" "tests/benchmarks/$benchmark.py" "$big" --out "$out/$benchmark.json"
done
for benchmark in scoring explanations; do
  "$bin/python" "tests/benchmarks/$benchmark.py" --out "$out/$benchmark.json"
done
"$bin/python" tests/benchmarks/report.py "$out"
