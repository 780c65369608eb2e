"""Announces an entry of a feed by its title and address."""

import json
import sys

entry = json.loads(sys.stdin.readline()).get("data") or {}
title = entry.get("title") or "Something new"
where = f" ({entry['feed']})" if entry.get("feed") else ""
print(json.dumps({"answer": f"**{title}**{where} {entry.get('link', '')}".strip()}))
