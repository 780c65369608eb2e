"""Says the text of the job with the day before it."""

import datetime
import json
import sys

job = json.loads(sys.stdin.readline())
day = datetime.datetime.fromisoformat(job["time"].replace("Z", "+00:00"))
print(f"**{day:%A}.** {job['text'] or 'Nothing to remind you of.'}")
