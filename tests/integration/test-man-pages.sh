#!/bin/sh
# SPDX-License-Identifier: MIT
#
# groff has nothing to say about the manual pages. It exits 0 even when it warns.
set -eu
if ! command -v groff >/dev/null; then
	echo "skipped: groff is not installed"
	[ "${CI:-}" = true ] && exit 1
	exit 77
fi
said=$(groff -mandoc -Tutf8 -ww -z "$top_srcdir"/man/*.[1-8] 2>&1)
echo "$said"
[ -z "$said" ]
