# SPDX-License-Identifier: MIT
#
# The compiled-in table of codes (src/runbook.h). Used with heads.awk.

function finish(    i, code) {
	print "/* SPDX-License-Identifier: MIT */"
	print "/* Made from the heads of the runbooks. */"
	print "#include \"config.h\""
	print "#include \"runbook.h\"\n"
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
		printf "\t\t.page_after_ns = UINT64_C(%.0f) * 1000000,\n",
			duration_ms(head[code, "page-after"])
		print "\t},"
	}
	print "};\n"
	print "const unsigned runbook_table_size = sizeof runbook_table / sizeof runbook_table[0];"
}
