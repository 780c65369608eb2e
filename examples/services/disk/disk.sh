# Says so where a disk is fuller than it should be: disk.sh FOLDER PERCENT. Where all is well it says nothing.
read -r _job
used=$(df -P "$1" | awk 'NR == 2 { sub("%", "", $5); print $5 }')
if [ "$used" -ge "$2" ]; then
	printf '{"answer": "The disk of `%s` is **%s %%** full."}\n' "$1" "$used"
fi
