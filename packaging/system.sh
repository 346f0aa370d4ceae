#!/usr/bin/env bash
# Installs the Debian packages of packaging/apt.txt that are missing, where apt may be used; else names them.
set -euo pipefail
python=${1:-python3}
here=$(cd "$(dirname "$0")" && pwd)

"$python" - <<'PY' || { echo "Second Look needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11 run" >&2; exit 2; }
import sys
sys.exit(sys.version_info < (3, 11))
PY

command -v dpkg-query >/dev/null || exit 0
missing=()
while read -r package; do
  [[ -z $package || $package == \#* ]] && continue
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done <"$here/apt.txt"
[[ ${#missing[@]} -eq 0 ]] && exit 0

if [[ $(id -u) -eq 0 ]]; then as_root=(); elif sudo -n true 2>/dev/null; then as_root=(sudo -n); else
  echo "These system packages are missing and this user may not install them: ${missing[*]}" >&2
  echo "Going on without them. To install them: sudo apt-get install ${missing[*]}" >&2
  exit 0
fi
echo "Installing system packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
