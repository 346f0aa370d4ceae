#!/usr/bin/env bash
# Runs every benchmark, one after the other; each prints a table with its peer and writes JSON into the folder.
# The desk is measured while a long training run is under way. Benchmarks on real data take its folder and are run by hand.
set -euo pipefail
bin=$1
out=$2
mkdir -p "$out"
export QT_QPA_PLATFORM=offscreen TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1
big=$out/million.secondlook
trained=$out/trainer.secondlook
[[ -e $big/workspace.db ]] ||
  "$bin/python" tests/benchmarks/generate_workspace.py "$big" --items "${ITEMS:-1000000}" --explanations 500
"$bin/secondlook" demo "$trained"
run=$("$bin/python" - "$trained" <<'PY'
import sys

import resources
from engine.workspace import Workspace

recipe = resources.path("recipes", "starter.toml").read_text("utf-8")
with Workspace.open(sys.argv[1]) as workspace:
    print(workspace.runs.prepare(recipe.replace("epochs = 12", 'epochs = 1000\nstart = "scratch"')).path)
PY
)
"$bin/python" tests/benchmarks/desk.py "$big" --out "$out/desk.json" \
  --trainer "$bin/python -m engine train $run --models $trained/models"
for benchmark in queues decisions; do
  "$bin/python" "tests/benchmarks/$benchmark.py" "$big" --out "$out/$benchmark.json"
done
"$bin/python" tests/benchmarks/prefetch.py "$trained" --moves "${MOVES:-100}" --out "$out/prefetch.json"
"$bin/python" tests/benchmarks/explanations.py --captures "${CAPTURES:-5}" --texts "${TEXTS:-3}" --out "$out/explanations.json"
for benchmark in scoring refit training_speed planted shortcut capture gpu; do
  "$bin/python" "tests/benchmarks/$benchmark.py" --out "$out/$benchmark.json"
done
"$bin/python" tests/benchmarks/report.py "$out"
