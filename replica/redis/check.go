package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"moot/internal/finding"
	"moot/replica"
)

// Check looks at the settings of the server, and sees whether it can be asked to wait for its own disk.
func (l *Log) Check(ctx context.Context) ([]finding.Finding, error) {
	info, err := l.client.Info(ctx, "server", "persistence", "replication", "memory").Result()
	if err != nil {
		return nil, l.refused(err)
	}
	is := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			is[name] = value
		}
	}
	var set map[string]string
	for _, name := range []string{"maxmemory-policy", "appendfsync", "min-replicas-to-write"} {
		one, err := l.client.ConfigGet(ctx, name).Result()
		if err != nil {
			set = nil // a server that is rented may not say
			break
		}
		if set == nil {
			set = map[string]string{}
		}
		set[name] = one[name]
	}
	version := is["redis_version"]
	major, minor := numbers(version)
	unfit := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", replica.ErrUnfit, fmt.Sprintf(format, args...))
	}
	switch {
	case is["loading"] == "1": // meanwhile it also says that it has no append-only file (7.0.15)
		return nil, errors.New("it still reads what it has on its disk")
	case is["role"] != "master" && l.bySentinel:
		return nil, errors.New("the server that was the primary is none any more, and Sentinel still names it")
	case is["server_name"] != "valkey" && (major < 6 || major == 6 && minor < 2):
		return nil, unfit("Redis %s is too old; use 6.2 or newer", version)
	case is["role"] != "master":
		return nil, unfit("it is a replica; name the primary, or Sentinel")
	case is["aof_enabled"] == "0":
		return nil, unfit("it keeps nothing on its disk that is not in its last snapshot; set appendonly yes")
	case set != nil && set["maxmemory-policy"] != "noeviction":
		return nil, unfit("it throws keys away where memory is short; set maxmemory-policy noeviction, not %s", set["maxmemory-policy"])
	}
	always := set["appendfsync"] == "always"
	l.ownDisk = !always && (major > 7 || major == 7 && minor >= 2)
	warn := func(text, do string) []finding.Finding {
		return []finding.Finding{finding.New(finding.Warn, "replica", "Redis "+version+" "+text, do)}
	}
	replicas, _ := strconv.Atoi(is["connected_slaves"])
	used, limit := is["used_memory_human"], is["maxmemory_human"]
	have, _ := strconv.ParseFloat(is["used_memory"], 64)
	may, _ := strconv.ParseFloat(is["maxmemory"], 64)
	switch {
	case may > 0 && have > fullFrom*may:
		return warn(fmt.Sprintf("uses %s of the %s of memory that it may: when they are full it takes no more changes, and the bot stands still", used, limit), "raise maxmemory"), nil
	case set == nil:
		return warn("does not say its settings", "see to it that it has appendonly yes and maxmemory-policy noeviction"), nil
	case !always && !l.ownDisk:
		return warn("loses up to a second in a power cut", "set appendfsync always, or use 7.2 or newer"), nil
	case replicas > 0 && l.replicas == 0:
		return warn(fmt.Sprintf("has %d replicas, and changes wait for none of them: a fail-over may lose some", replicas), "add ?replicas=1 to the address"), nil
	case l.replicas > 0 && (set["min-replicas-to-write"] == "" || set["min-replicas-to-write"] == "0"):
		return warn("takes writes while no replica has them, also when another one was made the primary", "set min-replicas-to-write 1"), nil
	}
	memory := ", which uses " + used + " of memory"
	if may > 0 {
		memory += " of " + limit
	}
	return []finding.Finding{finding.New(finding.OK, "replica", "Redis "+version+memory, "")}, nil
}

// fullFrom is the part of its memory from which on a server is said to be nearly full. A base needs room beside the one before it.
const fullFrom = 0.8

func numbers(version string) (major, minor int) {
	parts := strings.SplitN(version+"..", ".", 3)
	major, _ = strconv.Atoi(parts[0])
	minor, _ = strconv.Atoi(parts[1])
	return major, minor
}
