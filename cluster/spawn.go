package cluster

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/joho/godotenv"

	"moot/cluster/fleet"
	"moot/cluster/settings"
)

// GenerationVariable tells a cluster which generation it belongs to: a reshard runs the next beside the former one.
const GenerationVariable = "MOOT_GENERATION"

// argv are the program and the arguments of a cluster: the six of mewld, or the six that end with the channel.
func argv(s settings.Settings, folder string, p fleet.Spawn) []string {
	program := []string{s.Module}
	if s.Interp != "" {
		program = []string{s.Interp, filepath.Join(folder, s.Module)}
	}
	args := []string{shardList(p.Shards), strconv.Itoa(p.Total), strconv.Itoa(p.Key.ID), p.Name, "0", folder}
	if s.Moot.Args == "channel" {
		args = []string{shardList(p.Shards), strconv.Itoa(p.Total), strconv.Itoa(p.Key.ID), p.Name, strconv.Itoa(p.Clusters), s.Channel}
	}
	return append(program, args...)
}

// shardList writes shards as Python and JSON have them.
func shardList(shards []int) string {
	all := make([]string, len(shards))
	for i, s := range shards {
		all[i] = strconv.Itoa(s)
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// environment is what each cluster has: that of the launcher, then what the files of the settings add, then what tells it of the launcher.
func environment(s settings.Settings, environ []string) ([]string, error) {
	all := map[string]string{}
	for _, one := range environ {
		name, value, _ := strings.Cut(one, "=")
		all[name] = value
	}
	for _, file := range s.Env {
		more, err := godotenv.Read(file)
		if err != nil {
			return nil, fmt.Errorf("read the variables of %s: %w", file, err)
		}
		for name, value := range more {
			if _, has := all[name]; !has {
				all[name] = value
			}
		}
	}
	all["MTOKEN"], all["MEWLD_CHANNEL"] = s.Token, s.Channel
	if all["REDIS_URL"] == "" { // a bot may have one of its own
		all["REDIS_URL"] = s.RedisURL()
	}
	env := make([]string, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		env = append(env, name+"="+all[name])
	}
	return env, nil
}
