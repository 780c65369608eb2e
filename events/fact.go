package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"moot/protocol"
	"moot/store"
)

// Errors of this package. All are wrapped on their way out.
var (
	// ErrUnknownKind is the error of a Draft whose kind is not registered.
	ErrUnknownKind = errors.New("kind is not registered")
	// ErrIndex is the error of a name or value that cannot stand in the index.
	ErrIndex = errors.New("cannot be indexed")
	// ErrTooLarge is the error of a Draft that is larger than MaxFact.
	ErrTooLarge = errors.New("fact is too large")
	// ErrNested is the error of a Publish within Apply or Drop.
	ErrNested = errors.New("a projection publishes nothing")
	// ErrFact is the error of a record that is not a fact of a version known here.
	ErrFact = errors.New("record is not a readable fact")
	// ErrArchive is the error of an archive file that does not hold what was committed to it.
	ErrArchive = errors.New("the archive is damaged")
	// ErrReadOnly is the error of a change to a log that was opened for reading.
	ErrReadOnly = errors.New("the log was opened for reading only")
	// ErrClosed is the error of a closed subscription, and of every one when the log is closed.
	ErrClosed = errors.New("closed")
)

// Limits of a fact.
const (
	// MaxFact is the longest encoded fact in bytes.
	MaxFact = 1 << 20
	// MaxKeys is how many keys and people together a fact may have.
	MaxKeys = 32

	maxName = 64 // bytes of a kind, key, role or reactor
)

// The keys that every fact is indexed by. Neither a key nor a role of a Draft may be called so.
const (
	KeyPerson = "person" // the number of a person, whatever the role
	KeyScope  = "scope"
	KeyCause  = "cause" // see CauseValue
)

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

// CauseValue returns the value under which facts with that cause are found by [KeyCause].
func CauseValue(cause protocol.Ref) string {
	return string(protocol.DeriveKey(string(cause.Room), string(cause.Event)))
}

// encoding is the version of the form in which facts are written.
const encoding = 1

// written is a fact as it is written; doc.go shows it.
type written struct {
	Encoding int               `json:"v"`
	Time     time.Time         `json:"time"`
	Kind     string            `json:"kind"`
	Version  int               `json:"version"`
	Cause    []string          `json:"cause,omitempty"`
	Scope    protocol.Scope    `json:"scope,omitempty"`
	People   map[string]Number `json:"people,omitempty"`
	Keys     map[string]string `json:"keys,omitempty"`
	Payload  json.RawMessage   `json:"payload,omitempty"`
}

func encodeFact(f Fact) ([]byte, error) {
	w := written{encoding, f.Time, f.Kind, f.Version, nil, f.Scope, f.People, f.Keys, f.Payload}
	if f.Cause != (protocol.Ref{}) {
		w.Cause = []string{string(f.Cause.Room), string(f.Cause.Event)}
	}
	return json.Marshal(w)
}

func decodeFact(seq uint64, data []byte) (Fact, error) {
	f := Fact{Seq: seq}
	if decodeQuick(&f, data) {
		return f, nil
	}
	return decodeSlow(seq, data)
}

// decodeSlow reads a fact in any form that JSON allows, and says what is wrong with one that it cannot read.
func decodeSlow(seq uint64, data []byte) (Fact, error) {
	f := Fact{Seq: seq}
	var w written
	if err := json.Unmarshal(data, &w); err != nil {
		return f, fmt.Errorf("fact %d: %w: %w", seq, ErrFact, err)
	}
	switch {
	case w.Encoding != encoding:
		return f, fmt.Errorf("fact %d: %w: it has encoding %d, this version knows %d", seq, ErrFact, w.Encoding, encoding)
	case w.Kind == "":
		return f, fmt.Errorf("fact %d: %w: it has no kind", seq, ErrFact)
	case len(w.Cause) != 0 && len(w.Cause) != 2:
		return f, fmt.Errorf("fact %d: %w: its cause has %d parts", seq, ErrFact, len(w.Cause))
	}
	f.Time, f.Kind, f.Version, f.Scope, f.Payload = w.Time.UTC(), w.Kind, w.Version, w.Scope, w.Payload
	if len(w.Cause) == 2 {
		f.Cause = protocol.Ref{Room: protocol.RoomID(w.Cause[0]), Event: protocol.EventID(w.Cause[1])}
	}
	if len(w.People) > 0 {
		f.People = w.People
	}
	if len(w.Keys) > 0 {
		f.Keys = w.Keys
	}
	return f, nil
}

// indexed returns the prefixes of the fact's index entries, each once and in order.
func (f Fact) indexed() []string {
	prefixes := make([]string, 0, 3+len(f.Keys)+2*len(f.People))
	prefixes = append(prefixes, indexPrefix(f.Kind, "", ""))
	for key, value := range f.Keys {
		prefixes = append(prefixes, indexPrefix(f.Kind, key, value))
	}
	for role, n := range f.People {
		prefixes = append(prefixes, indexPrefix(f.Kind, role, n.String()), indexPrefix(f.Kind, KeyPerson, n.String()))
	}
	if f.Scope != "" {
		prefixes = append(prefixes, indexPrefix(f.Kind, KeyScope, string(f.Scope)))
	}
	if f.Cause != (protocol.Ref{}) {
		prefixes = append(prefixes, indexPrefix(f.Kind, KeyCause, CauseValue(f.Cause)))
	}
	slices.Sort(prefixes)
	return slices.Compact(prefixes)
}

// indexPrefix returns the prefix for a key and its value; for an empty key that of the kind itself. Names and values hold
// no separator, so that no prefix is the beginning of another.
func indexPrefix(kind, key, value string) string {
	if key == "" {
		return store.Key(kind, "")
	}
	return store.Key(kind, key, value)
}

// checkName tells whether s may name a kind, a key, a role or a reactor: something that can be typed in a filter.
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

// checkValue tells whether s may be the value of a key. It is what an identifier may be.
func checkValue(key, s string) error {
	if err := protocol.CheckID(s); err != nil {
		return fmt.Errorf("%w: value %s of %q: %w", ErrIndex, protocol.Quoted(s, 40), key, err)
	}
	return nil
}

func reserved(key string) bool { return key == KeyPerson || key == KeyScope || key == KeyCause }

// sortedKeys returns the keys of m in order: what is done for each of them must not depend on chance.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
