# SPDX-License-Identifier: MIT
#
# The compiled-in table of codes (src/codes/runbook.h). Used with heads.awk.

# The roles that a runbook names as {{role}}, and the one it escalates to, each once.
function roles(code,    i, line, role, list) {
	list = head[code, "escalate-to"]
	for (i = 1; i <= n_body[code]; i++) {
		line = body[code, i]
		while (match(line, /[{][{][a-z][a-z0-9-]*[}][}]/)) {
			role = substr(line, RSTART + 2, RLENGTH - 4)
			line = substr(line, RSTART + RLENGTH)
			if (index(" " list " ", " " role " ") == 0)
				list = list " " role
		}
	}
	return list
}

function finish(    i, code) {
	print "/* SPDX-License-Identifier: MIT */"
	print "/* Made from the heads of the runbooks. */"
	print "#include \"config.h\""
	print "#include \"codes/runbook.h\"\n"
	print "const struct runbook runbook_table[] = {"
	for (i = 1; i <= n_codes; i++) {
		code = codes[i]
		print "\t{"
		printf "\t\t.code = \"%s\",\n", code
		printf "\t\t.priority = %d,\n", substr(head[code, "priority"], 2)
		printf "\t\t.message_id = \"%s\",\n", head[code, "message-id"]
		printf "\t\t.title = \"%s\",\n", head[code, "title"]
		printf "\t\t.ack_within = \"%s\",\n", head[code, "ack-within"]
		printf "\t\t.escalate_to = \"%s\",\n", head[code, "escalate-to"]
		printf "\t\t.roles = \"%s\",\n", roles(code)
		printf "\t\t.page_after_ns = UINT64_C(%.0f) * 1000000,\n",
			duration_ms(head[code, "page-after"])
		print "\t},"
	}
	print "};\n"
	print "const unsigned runbook_table_size = sizeof runbook_table / sizeof runbook_table[0];"
}
