# The examples of a document: each indented block becomes a file DIR/NNN.LINE.KIND.
#
#   awk -v dir=DIR -f examples.awk doc/API.md
#
# Blocks end at blank lines. KIND is what the comment before the block says, which holds
# until the next line of text: <!-- example: KIND -->, or <!-- not run: WHY -->, kind "no".
# Without one it is told by the first word:
#   sh      commands            answer  what the block before answers
#   sql     statements          unknown neither: the comment is missing
# The document's section stands in DIR/NNN.LINE.KIND.section.

function kind_of(line) {
	if (line ~ /^(HTTP\/|\{)/)
		return "answer"
	if (line ~ /^(--|SELECT|WITH|CREATE|BEGIN|INSERT|UPDATE|DELETE|LISTEN|ALTER)/)
		return "sql"
	if (line ~ /^(#|\.|[A-Z]+=|curl|df|forebay|gzip|journalctl|ls|make|nginx|openssl|psql|sleep|sudo|systemctl|tail) ?/)
		return "sh"
	return "unknown"
}

function end_block() {
	if (file != "")
		close(file)
	file = ""
}

/^#+ / { section = $0; sub(/^#+ /, "", section) }
/^<!-- example: / { end_block(); kind = $3; next }
/^<!-- not run: / { end_block(); kind = "no"; next }
/^[ \t]*$/ { end_block(); blank = 1; next }
/^    / && (blank || file != "") {
	if (file == "") {
		line = $0
		sub(/^ +/, "", line)
		file = sprintf("%s/%03d.%d.%s", dir, ++n, FNR, kind == "" ? kind_of(line) : kind)
		print section >(file ".section")
		close(file ".section")
		match($0, /^ */)
		indent = RLENGTH
	}
	print substr($0, indent + 1) >file
	next
}
{ end_block(); kind = ""; blank = /^-->/ }
END { end_block() }
