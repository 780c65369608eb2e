package events

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"moot/events/people"
	"moot/protocol"
)

// Limits of a fact.
const (
	// MaxFact is the longest encoded fact in bytes.
	MaxFact = 1 << 20
	// MaxKeys is how many keys and people together a fact may have.
	MaxKeys = 32

	maxName = 64 // bytes of a kind, key or role
)

// The keys that every fact is indexed by. Neither a key nor a role of a Draft may be called so.
const (
	KeyPerson = "person" // the number of a person, whatever the role
	KeyScope  = "scope"
	KeyCause  = "cause" // see CauseValue
)

// Number stands for a person in the log.
type Number = people.Number

// TextID names a text that somebody wrote.
type TextID = people.TextID

// Fact is one entry of the log. Nobody changes what its maps and its payload hold.
type Fact struct {
	Seq     uint64 // its number, from 1; 0 as long as it has none, and always in Apply and Drop
	Time    time.Time
	Kind    string
	Version int // of the kind, when the fact was published
	Cause   protocol.Ref
	Scope   protocol.Scope
	People  map[string]Number // role → person
	Keys    map[string]string // what filters can match
	Payload json.RawMessage   // nil if there is none
}

// Decode decodes the payload into v. Without a payload v stays as it is.
func (f Fact) Decode(v any) error {
	if f.Payload == nil {
		return nil
	}
	if err := json.Unmarshal(f.Payload, v); err != nil {
		return fmt.Errorf("payload of a %s: %w", f.Kind, err)
	}
	return nil
}

// has reports whether a filter lets the fact through.
func (f Fact) has(key, value string) bool {
	switch key {
	case KeyScope:
		return value == string(f.Scope)
	case KeyCause:
		return value == CauseValue(f.Cause)
	case KeyPerson:
		for _, n := range f.People {
			if value == n.String() {
				return true
			}
		}
		return false
	}
	if n, ok := f.People[key]; ok {
		return value == n.String()
	}
	v, ok := f.Keys[key]
	return ok && value == v
}

// CauseValue returns the value under which facts with that cause are found by [KeyCause].
func CauseValue(cause protocol.Ref) string {
	return string(protocol.DeriveKey(string(cause.Room), string(cause.Event)))
}

// checkName returns what keeps s from being the name of a kind, a key or a role: something that can
// be typed in a filter.
func checkName(what, s string) error {
	if s == "" || len(s) > maxName {
		return fmt.Errorf("%w: the name of a %s has 1 to %d bytes, not %d", ErrIndex, what, maxName, len(s))
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.' {
			return fmt.Errorf("%w: the name of the %s %q has other characters than a-z, 0-9, _, . and -", ErrIndex, what, s)
		}
	}
	return nil
}

// checkValue returns what keeps s from being the value of a key. It is what an identifier may be.
func checkValue(key, s string) error {
	if err := protocol.CheckID(s); err != nil {
		return fmt.Errorf("%w: value %s of %q: %w", ErrIndex, protocol.Quoted(s, 40), key, err)
	}
	return nil
}

func reserved(key string) bool { return key == KeyPerson || key == KeyScope || key == KeyCause }

// sortedKeys returns the keys of m in order: what is done for each of them must not depend on
// chance.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
