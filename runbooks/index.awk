# SPDX-License-Identifier: MIT
#
# runbooks/README.md: the codes by priority. Used with heads.awk.

function section(priority, title,    i, code, n) {
	for (i = 1; i <= n_codes; i++) {
		code = codes[i]
		if (head[code, "priority"] != priority)
			continue
		if (!n++) {
			printf "\n## %s\n\n", title
			print "| Code | What it says | Take it within | Then to |"
			print "|---|---|---|---|"
		}
		printf "| [%s](%s.md) | %s | %s | %s |\n", code, tolower(code),
			head[code, "title"], head[code, "ack-within"], head[code, "escalate-to"]
	}
}

function finish() {
	print "# Runbooks"
	print ""
	print "One page for each alert code: what it means and what to do first. A code that is not"
	print "listed here has [GENERAL](general.md)'s."
	section("P1", "P1: now")
	section("P2", "P2: today")
	section("P3", "P3: in working hours")
	print ""
	print "This page is made from the heads of the others; `make update-index` makes it again."
}
