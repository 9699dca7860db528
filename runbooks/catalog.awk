# SPDX-License-Identifier: MIT
#
# The journal's message catalog: what `journalctl -x` shows below an entry. Used with heads.awk.
# The variable kinds names src/journal/entry_kinds.def, whose rows, one a line, are
#	ENTRY_KIND(NAME, "message id", "subject", "text")
#
# Only fields that every such entry has are substituted: an absent one would show as its name.

# A runbook's section as plain text: fences become indentation, since the catalog takes a line that
# begins with # or ; for a comment.
function section(code, title,    i, line, inside, fence, text, blank) {
	for (i = 1; i <= n_body[code]; i++) {
		line = body[code, i]
		if (line ~ /^[ \t]*```/) {
			fence = !fence
			continue
		}
		if (!fence && line ~ /^## /) {
			inside = line == "## " title
			continue
		}
		if (!inside)
			continue
		if (line ~ /^[ \t]*$/) {
			blank = text != ""
			continue
		}
		if (fence)
			line = "    " line
		sub(/^#+ */, "", line)
		sub(/^;/, " ;", line)
		gsub(/\*\*/, "", line)
		text = text (blank ? "\n" : "") line "\n"
		blank = 0
	}
	if (text == "") {
		printf "runbooks/%s.md: has no section \"## %s\"\n", tolower(code), title > "/dev/stderr"
		failed = 1
	}
	return text
}

function alert_entry(code) {
	printf "\n-- %s\n", head[code, "message-id"]
	printf "Subject: %s: %s\n", code, head[code, "title"]
	print "Defined-By: tocsin\n"
	print "Engine @TOCSIN_ENGINE@, incident @TOCSIN_KEY@, at @TOCSIN_TIME@."
	printf "Acknowledge within %s, then escalate to %s.\n", head[code, "ack-within"], head[code, "escalate-to"]
	print "Runbook: @DOCUMENTATION@\n"
	printf "%s\n", section(code, "Meaning")
	printf "First minutes:\n%s", section(code, "First minutes")
}

# Takes the next "string" off the front of rest; returns it without its escapes.
function next_string(    text, c) {
	if (!match(rest, /"/)) {
		failed = 1
		return ""
	}
	rest = substr(rest, RSTART + 1)
	while (rest != "" && (c = substr(rest, 1, 1)) != "\"") {
		rest = substr(rest, 2)
		if (c == "\\") {
			c = substr(rest, 1, 1)
			rest = substr(rest, 2)
			if (c == "n")
				c = "\n"
		}
		text = text c
	}
	rest = substr(rest, 2)
	return text
}

# Text in lines of at most 76 characters; its own line ends stay.
function wrapped(text,    lines, n, i, words, m, k, line, result) {
	n = split(text, lines, "\n")
	for (i = 1; i <= n; i++) {
		m = split(lines[i], words, " ")
		line = words[1]
		for (k = 2; k <= m; k++) {
			if (length(line) + 1 + length(words[k]) > 76) {
				result = result line "\n"
				line = words[k]
			} else {
				line = line " " words[k]
			}
		}
		result = result line "\n"
	}
	return result
}

function kind_entry(line, number,    id, subject, text) {
	file = kinds
	rest = line
	id = next_string()
	subject = next_string()
	text = next_string()
	if (!is_message_id(id) || subject == "" || text == "" || rest !~ /^[ \t]*\)/) {
		fail(number, "expected ENTRY_KIND(NAME, \"32 hex digits\", \"subject\", \"text\")")
		return
	}
	if (id in id_owner)
		fail(number, "message id: is " id_owner[id] "'s already")
	id_owner[id] = "line " number
	printf "\n-- %s\nSubject: %s\nDefined-By: tocsin\n\n%s", id, subject, wrapped(text)
}

function finish(    i, line, number) {
	print "# SPDX-License-Identifier: MIT"
	print "# Made from the runbooks and from the kinds of entries."
	for (i = 1; i <= n_codes; i++)
		alert_entry(codes[i])
	while ((getline line < kinds) > 0) {
		number++
		if (line ~ /^[ \t]*ENTRY_KIND\(/)
			kind_entry(line, number)
	}
	if (!number) {
		print kinds ": cannot be read, or is empty" > "/dev/stderr"
		failed = 1
	}
}
