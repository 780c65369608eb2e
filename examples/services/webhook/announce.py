"""Announces pushes, issues and pull requests; says nothing about the rest."""

import json
import sys


def announce(event, data):
    where = data.get("repository", {}).get("full_name", "?")
    who = data.get("sender", {}).get("login", "somebody")
    if event == "push":
        commits = data.get("commits", [])
        if not commits:
            return None
        branch = data.get("ref", "").removeprefix("refs/heads/")
        first = commits[-1]["message"].splitlines()[0]
        more = f" and {len(commits) - 1} more" if len(commits) > 1 else ""
        return f"**{where}**: {who} pushed to `{branch}`: {first}{more}"
    for kind, name in (("issues", "issue"), ("pull_request", "pull_request")):
        if event == kind and data.get("action") in ("opened", "closed", "reopened"):
            it = data[name]
            return f"**{where}**: {who} {data['action']} #{it['number']} {it['title']} {it['html_url']}"
    return None


job = json.loads(sys.stdin.readline())
answer = announce(job.get("event"), job.get("data") or {})
print(json.dumps({"answer": answer} if answer else {}))
