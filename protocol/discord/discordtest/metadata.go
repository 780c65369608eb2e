package discordtest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"unicode/utf8"
)

var metadataKey = regexp.MustCompile(`^[a-z0-9_]{1,50}$`)

// Metadata returns the role connection metadata records of the application: the description of each by its key.
func (s *Server) Metadata() map[string]string {
	return lockedValue(s, func() map[string]string {
		all := map[string]string{}
		for _, r := range s.metadata {
			all[r["key"].(string)] = r["description"].(string)
		}
		return all
	})
}

// SetMetadata has the application have such a record, as another program with the same token may leave one. An empty description
// removes it.
func (s *Server) SetMetadata(key, description string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metadata = slices.DeleteFunc(s.metadata, func(r obj) bool { return r["key"] == key })
	if description != "" {
		s.metadata = append(s.metadata, obj{"type": 1, "key": key, "name": key, "description": description})
	}
	s.touchLocked()
}

func (c *call) listMetadata() (int, any) {
	if c.v("app") != c.s.AppID {
		return refuse(404, 10002, "Unknown Application")
	}
	return 200, append([]obj{}, c.s.metadata...)
}

// putMetadata replaces all records.
// https://discord.com/developers/docs/resources/application-role-connection-metadata
func (c *call) putMetadata() (int, any) {
	if c.v("app") != c.s.AppID {
		return refuse(404, 10002, "Unknown Application")
	}
	list, _ := c.body[""].([]any)
	if len(list) > 5 {
		return invalid("%d records, and an application has at most 5", len(list))
	}
	fresh, seen := []obj{}, map[any]bool{}
	for i, each := range list {
		r, _ := each.(map[string]any)
		key, _ := r["key"].(string)
		if !metadataKey.MatchString(key) || seen[key] {
			return invalid("record %d: the key is %q", i, key)
		}
		seen[key] = true
		for what, most := range map[string]int{"name": 100, "description": 200} {
			if n := utf8.RuneCountInString(fmt.Sprint(r[what])); r[what] == nil || n < 1 || n > most {
				return invalid("record %d: the %s has %d characters", i, what, n)
			}
		}
		if kind, ok := r["type"].(float64); !ok || kind < 1 || kind > 8 {
			return invalid("record %d: the type is %v", i, r["type"])
		}
		fresh = append(fresh, maps.Clone(r))
	}
	c.s.metadata = fresh
	c.s.touchLocked()
	return 200, fresh
}
