#!/usr/bin/env bash
# Runs every test: the window's under Qt's offscreen platform, the end-to-end ones under a virtual display.
set -euo pipefail
bin=$1
export QT_QPA_PLATFORM=offscreen OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1
"$bin/pytest" -n 2 --dist loadfile -q
