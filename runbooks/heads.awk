# SPDX-License-Identifier: MIT
#
# Reads the runbooks named on the command line and checks their heads. The program given beside this
# one defines finish(), called when all are right. It finds the codes in order in codes[1..n_codes],
# head[code, key], and the lines below the head in body[code, 1..n_body[code]]. What is right and what
# is reported of a wrong head is the same as in src/codes/runbook_file.c, which reads a site's own.
# An error is reported with file and line, and the exit status is 1.

BEGIN {
	n_keys = split("code priority message-id title ack-within escalate-to page-after", keys, " ")
	for (i = 1; i <= n_keys; i++)
		is_key[keys[i]] = 1
}

function fail(line, text) {
	printf "%s:%d: %s\n", file, line, text > "/dev/stderr"
	failed = 1
}

# Milliseconds of 0, 500ms, 5s, 10m, 1h; -1 when it is none of these.
function duration_ms(text,    number, unit) {
	if (text == "0")
		return 0
	number = unit = text
	sub(/[a-z]+$/, "", number)
	sub(/^[0-9]+/, "", unit)
	if (number !~ /^[0-9]+$/ || length(number) > 9)
		return -1
	if (unit == "ms") return number + 0
	if (unit == "s") return number * 1000
	if (unit == "m") return number * 60000
	if (unit == "h") return number * 3600000
	return -1
}

function is_message_id(text) {
	return length(text) == 32 && text ~ /^[0-9a-f]+$/ && text !~ /^0+$/
}

# What is wrong with a value, or "".
function complaint(key, value) {
	if (value == "")
		return key ": has no value"
	if (key == "code" && (value !~ /^[A-Z][A-Z0-9_]*$/ || length(value) > 64))
		return "code: expected capitals, digits and _, at most 64, found " value
	if (key == "priority" && value !~ /^P[123]$/)
		return "priority: expected P1, P2 or P3, found " value
	if (key == "message-id" && !is_message_id(value))
		return "message-id: expected 32 hex digits in lower case, found " value
	if (key == "title" && (length(value) > 100 || value ~ /[\\"|\t]/))
		return "title: expected at most 100 characters without \\, \" and |"
	if ((key == "ack-within" || key == "page-after") && duration_ms(value) < 0)
		return key ": expected a duration such as 0, 500ms, 5s or 10m, found " value
	if (key == "page-after" && duration_ms(value) > 86400000)
		return "page-after: expected at most a day, found " value
	if (key == "escalate-to" && (value !~ /^[a-z][a-z0-9-]*$/ || length(value) > 64))
		return "escalate-to: expected a role in lower case, found " value
	return ""
}

function head_line(line, text,    colon, key, value, wrong) {
	colon = index(text, ":")
	key = substr(text, 1, colon - 1)
	value = substr(text, colon + 1)
	gsub(/^[ \t]+|[ \t]+$/, "", value)
	if (!colon || !(key in is_key)) {
		fail(line, "expected one of: " key_list() ", found " text)
		return
	}
	if (key in current) {
		fail(line, key ": given twice")
		return
	}
	current[key] = value
	where[key] = line
	wrong = complaint(key, value)
	if (wrong != "")
		fail(line, wrong)
}

function key_list(    i, list) {
	for (i = 1; i <= n_keys; i++)
		list = list (i > 1 ? ", " : "") keys[i]
	return list
}

# The head's closing line has been read: is all there, and does it fit the others?
function head_end(line,    i, code, name, id) {
	for (i = 1; i <= n_keys; i++)
		if (!(keys[i] in current))
			fail(line, "the head lacks " keys[i])
	code = current["code"]
	id = current["message-id"]
	name = file
	sub(/^.*\//, "", name)
	if (code != "" && name != tolower(code) ".md")
		fail(where["code"], "the file of " code " must be named " tolower(code) ".md")
	if (id in id_owner)
		fail(where["message-id"], "message-id: is " id_owner[id] "'s already")
	id_owner[id] = code
	for (i = 1; i <= n_keys; i++)
		head[code, keys[i]] = current[keys[i]]
	insert(code)
	current_code = code
}

# Keeps codes[] ordered; run with LC_ALL=C this is the order of bytes.
function insert(code,    i) {
	for (i = n_codes; i > 0 && codes[i] > code; i--)
		codes[i + 1] = codes[i]
	codes[i + 1] = code
	n_codes++
}

function file_end() {
	if (state == "head")
		fail(last_line, "the head has no closing ---")
}

FNR == 1 {
	file_end()
	file = FILENAME
	seen[file] = 1
	split("", current)
	split("", where)
	state = $0 == "---" ? "head" : "broken"
	if (state == "broken")
		fail(1, "expected --- , the first line of the head")
	last_line = 1
	next
}

{ last_line = FNR }

state == "head" && $0 == "---" {
	head_end(FNR)
	state = "body"
	next
}

state == "head" { head_line(FNR, $0); next }

state == "body" { body[current_code, ++n_body[current_code]] = $0 }

END {
	file_end()
	for (i = 1; i < ARGC; i++) {
		file = ARGV[i]
		if (!(file in seen))
			fail(1, "the runbook is empty")
	}
	if (!failed && !(("GENERAL", "code") in head)) {
		print "runbooks: there is none for GENERAL" > "/dev/stderr"
		failed = 1
	}
	if (failed)
		exit 1
	finish()
	if (failed)
		exit 1
}
