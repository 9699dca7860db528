# SPDX-License-Identifier: MIT
#
# The public header one minor version later, as it may grow: at the end of each struct and table
# that grows a member, and a kind. What it cannot place is an error.
function appended(struct, member) {
	if ($0 != "} " struct ";")
		return
	print "\t" member
	placed++
}

/^#define TOCSIN_ABI_MINOR [0-9]+u$/ {
	minor = $3 + 0
	print "#define TOCSIN_NEXT_MINOR " (minor + 1) "u"
	$0 = "#define TOCSIN_ABI_MINOR " (minor + 1) "u"
	placed++
}
$1 == "TOCSIN_HEALTH_METADATA" {
	sub(/= [0-9]+/, "&,\n\tTOCSIN_HEALTH_NEXT = " $3 + 1)
	placed++
}
{
	appended("tocsin_session_event", "tocsin_str next_owner;")
	appended("tocsin_health_event", "double next_weight;")
	appended("tocsin_alert_event", "uint64_t next_deadline_ns;")
	appended("tocsin_stats", "uint64_t next_count;")
	appended("tocsin_host", "const void *next_place;\n\tsize_t next_size;")
	appended("tocsin_plugin", "tocsin_rc (*next_seen)(tocsin_instance *, uint64_t *ret_seen);")
	print
}
END {
	if (placed != 8) {
		print "next-minor.awk: the header has another shape" > "/dev/stderr"
		exit 1
	}
}
