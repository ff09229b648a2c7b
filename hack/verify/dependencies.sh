#!/usr/bin/env bash
# Compares docs/dependencies.md with the modules that the go.mod files of this repository ask for: direct requirements
# and the modules of tools.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# A tool directive names a package; its module is the longest requirement that begins it.
# shellcheck disable=SC2016 # the $1 are awk's
asked_for() {
	git ls-files --cached --others --exclude-standard -- '*go.mod' | sort -u | xargs awk '
		FNR == 1            { attribute(); block = "" }
		/^[a-z]+ \($/       { block = $1; next }
		/^\)/               { block = ""; next }
		                    { kind = block; name = $1 }
		/^(require|tool) /  { kind = $1; name = $2 }
		kind == "require"   { required[name]; if (!/\/\/ indirect/) print name }
		kind == "tool"      { tools[name] }
		END { attribute() }

		function attribute(    tool, module, found) {
			for (tool in tools) {
				found = ""
				for (module in required)
					if (index(tool "/", module "/") == 1 && length(module) > length(found)) found = module
				print found
			}
			delete tools
			delete required
		}' | sort -u
}

# shellcheck disable=SC2016 # the backquotes are Markdown's
listed() {
	sed -n 's/^| `\([^`]*\)` |.*/\1/p' docs/dependencies.md | sort
}

differences=$(diff <(listed) <(asked_for) || true)
if [[ -z $differences ]]; then
	exit 0
fi
{
	sed -n 's/^< /docs\/dependencies.md lists what no go.mod asks for: /p' <<<"$differences"
	sed -n 's/^> /docs\/dependencies.md has no line for: /p' <<<"$differences"
} >&2
exit 1
