package events

import (
	"encoding/json"
	"math"
	"strings"
	"unicode/utf8"

	"moot/protocol"
)

// decodeQuick reads a fact in exactly the form in which encodeFact writes it, several times as fast as encoding/json does.
// It returns false for anything else, be it right or wrong: decodeFact then has the last word. What both read, they read
// alike; a fuzz target holds them to it.
func decodeQuick(f *Fact, data []byte) bool {
	// One copy of the bytes, of which all strings of the fact are parts.
	s := scanner{rest: string(data)}
	if !s.skip(`{"v":1,"time":"`) || encoding != 1 {
		return false
	}
	at, ok := s.plain()
	if !ok || f.Time.UnmarshalText([]byte(at)) != nil {
		return false
	}
	f.Time = f.Time.UTC()
	if !s.skip(`,"kind":"`) {
		return false
	}
	if f.Kind, ok = s.plain(); !ok || f.Kind == "" || !s.skip(`,"version":`) {
		return false
	}
	version, ok := s.number()
	if !ok || version > math.MaxInt32 {
		return false
	}
	f.Version = int(version)
	if s.skip(`,"cause":["`) {
		room, ok1 := s.plain()
		between := s.skip(`,"`)
		event, ok2 := s.plain()
		if !ok1 || !between || !ok2 || !s.skip(`]`) {
			return false
		}
		f.Cause = protocol.Ref{Room: protocol.RoomID(room), Event: protocol.EventID(event)}
	}
	if s.skip(`,"scope":"`) {
		scope, ok := s.plain()
		if !ok {
			return false
		}
		f.Scope = protocol.Scope(scope)
	}
	if s.skip(`,"people":{`) {
		f.People = map[string]Number{}
		if !s.members(func(role string) bool {
			n, ok := s.number()
			f.People[role] = Number(n)
			return ok
		}) {
			return false
		}
	}
	if s.skip(`,"keys":{`) {
		f.Keys = map[string]string{}
		if !s.members(func(key string) bool {
			if !s.skip(`"`) {
				return false
			}
			value, ok := s.plain()
			f.Keys[key] = value
			return ok
		}) {
			return false
		}
	}
	if s.skip(`,"payload":`) {
		n := len(s.rest) - 1 // but for the brace that ends the fact
		if n < 1 || s.rest[0] == ' ' || s.rest[n-1] == ' ' || s.rest[:n] == "null" {
			return false
		}
		f.Payload = json.RawMessage(s.rest[:n])
		s.rest = s.rest[n:]
		if !json.Valid(f.Payload) {
			return false
		}
	}
	return s.rest == "}"
}

// scanner reads pieces from the beginning of a text.
type scanner struct{ rest string }

// skip goes past a text that is to stand here, and tells whether it does.
func (s *scanner) skip(text string) bool {
	rest, ok := strings.CutPrefix(s.rest, text)
	s.rest = rest
	return ok
}

// plain reads a string behind its opening quote, and goes past the closing one. It must hold nothing that JSON writes in
// another way.
func (s *scanner) plain() (string, bool) {
	foreign := false
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			text := s.rest[:i]
			s.rest = s.rest[i+1:]
			return text, !foreign || utf8.ValidString(text)
		case c == '\\' || c < ' ':
			return "", false
		case c >= utf8.RuneSelf:
			foreign = true
		}
	}
	return "", false
}

// number reads a number without a sign. One that does not fit is not read.
func (s *scanner) number() (n uint64, ok bool) {
	i := 0
	for ; i < len(s.rest) && s.rest[i] >= '0' && s.rest[i] <= '9'; i++ {
		if i == 18 { // more may not fit
			return 0, false
		}
		n = 10*n + uint64(s.rest[i]-'0')
	}
	ok = i > 0 && (i == 1 || s.rest[0] != '0')
	s.rest = s.rest[i:]
	return n, ok
}

// members reads the members of an object behind its opening brace, and goes past the closing one. There is at least one.
func (s *scanner) members(value func(name string) bool) bool {
	for {
		if !s.skip(`"`) {
			return false
		}
		name, ok := s.plain()
		if !ok || !s.skip(`:`) || !value(name) {
			return false
		}
		switch {
		case s.skip(`,`):
		case s.skip(`}`):
			return true
		default:
			return false
		}
	}
}
