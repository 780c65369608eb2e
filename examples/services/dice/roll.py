"""Rolls dice: reads one line of JSON, writes one."""

import json
import random
import re
import sys

job = json.loads(sys.stdin.readline())
asked = job.get("args", {}).get("dice", "1d6")
found = re.fullmatch(r"(\d{0,2})d(\d{1,4})", asked)

if found is None or int(found[1] or 1) < 1 or int(found[2]) < 2:
    answer = "Write how many dice, a d, and their sides: `roll 2d6`."
else:
    count, sides = int(found[1] or 1), int(found[2])
    rolls = [random.randint(1, sides) for _ in range(count)]
    answer = f"{job['name']} rolls {asked}: **{sum(rolls)}**"
    if count > 1:
        answer += f" ({' + '.join(map(str, rolls))})"

print(json.dumps({"answer": answer}))
