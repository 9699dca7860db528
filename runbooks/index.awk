# SPDX-License-Identifier: MIT
#
# runbooks/README.md: the codes by priority, what to do first for each, and links. Used with
# heads.awk.

function section(priority, title,    i, code, n) {
	for (i = 1; i <= n_codes; i++) {
		code = codes[i]
		if (head[code, "priority"] != priority)
			continue
		if (!n++) {
			printf "\n## %s\n\n", title
			print "| Code | Meaning | Acknowledge within | Escalate to |"
			print "|---|---|---|---|"
		}
		printf "| [%s](%s.md) | %s | %s | %s |\n", code, tolower(code),
			head[code, "title"], head[code, "ack-within"], head[code, "escalate-to"]
	}
}

# The second step of First minutes in one line: the first one is the same for all.
function quick_action(code,    i, line, inside, taking, text) {
	for (i = 1; i <= n_body[code]; i++) {
		line = body[code, i]
		if (line ~ /^## /)
			inside = line == "## First minutes"
		else if (inside && line ~ /^[0-9]+\. /)
			taking = sub(/^2\. /, "", line)
		if (!inside || !taking)
			continue
		gsub(/^[ \t]+|[ \t]+$/, "", line)
		if (line ~ /^(tocsin|journalctl) /)
			line = "`" line "`"
		if (line != "")
			text = text (text == "" ? "" : " ") line
	}
	if (text == "") {
		printf "runbooks/%s.md: First minutes has no second step\n", tolower(code) > "/dev/stderr"
		failed = 1
	}
	return text
}

function quick_actions(    p, i, code) {
	print "\n## Quick actions\n"
	print "The first step is always the question: shadow or live? The second step of each runbook:\n"
	for (p = 1; p <= 3; p++)
		for (i = 1; i <= n_codes; i++) {
			code = codes[i]
			if (head[code, "priority"] == "P" p)
				printf "- [%s](%s.md): %s\n", code, tolower(code),
					quick_action(code)
		}
}

function finish() {
	print "# Runbooks"
	print ""
	print "Each alert code has one runbook: what the code means and what to do first. For a code that"
	print "is not listed here, [GENERAL](general.md) applies. A word such as {{role}} differs from site"
	print "to site: `tocsin runbook CODE` replaces it by its entry in `[contacts]` of the settings."
	section("P1", "P1: now")
	section("P2", "P2: today")
	section("P3", "P3: in working hours")
	quick_actions()
	print ""
	print "`make update-index` makes this page from the other runbooks."
}
