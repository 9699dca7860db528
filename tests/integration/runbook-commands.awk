# SPDX-License-Identifier: MIT
#
# The commands of runbooks, one a line, "FILE<tab>COMMAND": the lines of code blocks, with what
# continues them; lines of the text that are a command alone, as in First minutes; and what stands
# between backquotes and begins like a command.

function tell(command) {
	sub(/[ \t]+#.*/, "", command)
	gsub(/[ \t]+/, " ", command)
	gsub(/^ | $/, "", command)
	if (command != "")
		print file "\t" command
}

function is_command(text) {
	return text ~ /^(tocsin (alerts|blackbox|check|export|page-test|pages|play|receive|rescue|runbook|sentinel|sessions|snapshot|status)|journalctl|systemctl|coredumpctl|systemd-cat|ls|ps|df|ss|cat|grep|kill|gdb|chronyc|openssl|curl)( |$)/
}

FNR == 1 {
	file = FILENAME
	sub(/.*\//, "", file)
	fence = 0
	held = ""
}

/^[ \t]*```/ {
	fence = !fence
	next
}

fence {
	line = held $0
	if (line ~ /\\$/ || line ~ /\|[ \t]*$/) {
		sub(/\\$/, "", line)
		held = line " "
		next
	}
	held = ""
	tell(line)
	next
}

/^ +[a-z]/ {
	line = $0
	sub(/^ +/, "", line)
	if (is_command(line)) {
		n = split(line, several, /; /)
		for (i = 1; i <= n; i++)
			tell(several[i])
		next
	}
}

# At the end of a step: "Stop it: systemctl stop UNIT".
match($0, /[:?] (systemctl|journalctl|tocsin) [^`.]*$/) {
	line = substr($0, RSTART + 2)
	if (is_command(line))
		tell(line)
}

{
	line = $0
	while (match(line, /`[^`]*`/)) {
		span = substr(line, RSTART + 1, RLENGTH - 2)
		line = substr(line, RSTART + RLENGTH)
		if (is_command(span)) {
			n = split(span, several, /; /)
			for (i = 1; i <= n; i++)
				tell(several[i])
		}
	}
}
