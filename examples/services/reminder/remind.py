"""Says the text of the job with the day before it, and opens a poll on who comes."""

import datetime
import json
import sys

job = json.loads(sys.stdin.readline())
day = datetime.datetime.fromisoformat(job["time"].replace("Z", "+00:00"))
print(json.dumps({
    "answer": f"**{day:%A}.** {job['text'] or 'Nothing to remind you of.'}",
    "command": f'vote poll "Who comes on {day:%A}?" "I come" "I do not" --for 1h',
}))
