#!/usr/bin/env bash
# Prints the path of a Python that Bihuan can run on, or says which to install.
set -u
for name in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python3.14 python; do
  [ -n "$name" ] || continue
  path=$(command -v "$name" 2>/dev/null) || continue
  if "$path" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
    # The real interpreter, so that a shim's working directory or settings do not matter later.
    "$path" -c 'import sys; print(sys.executable)'
    exit 0
  fi
done
found=$(python3 --version 2>/dev/null || echo "no python3")
{
  echo "✗ Bihuan needs Python 3.11, 3.12 or 3.13; here is: ${found}."
  echo "  Debian or Ubuntu: sudo apt-get install python3 python3-venv      another place: make run PYTHON=/path/to/python3.12"
  echo "✗ 需要 Python 3.11、3.12 或 3.13；这台机器上是：${found}。"
} >&2
exit 1
