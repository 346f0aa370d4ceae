#!/usr/bin/env bash
# Opens the desk on the demo workspace, which is made first. Without a display the same work is done off screen.
set -euo pipefail
bin=$1
workspace=$2
mkdir -p "$(dirname "$workspace")"
if [[ -e $workspace/workspace.db ]]; then
  "$bin/secondlook" upgrade "$workspace"
else
  "$bin/secondlook" demo "$workspace"
fi

if [[ -n ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]]; then
  exec "$bin/secondlook" open "$workspace"
fi
echo "There is no display, so the desk runs off screen."
listed=$("$bin/secondlook" items "$workspace" --queue to-review --limit 1 --json)
item=$("$bin/python" -c 'import json, sys; print(json.loads(sys.argv[1])[0]["id"])' "$listed")
echo "Why the model says what it says of $item:"
"$bin/secondlook" explain "$workspace" "$item" --png build/explanation.png
echo "Three decisions through the real window:"
"$bin/python" -m desktop.tour "$workspace" build/review-desk.png
"$bin/secondlook" doctor "$workspace" | grep -E 'database integrity|decision chain'
