// Package hide takes out of JSON, and out of texts about it, what nobody is to see: the values of some names, and those values wherever
// else they stand.
package hide

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"moot/protocol"
)

// Hidden stands for what nobody is to see.
const Hidden = "(hidden)"

// least is how many bytes a value has at least that is hidden wherever it stands. Shorter ones are in many words.
const least = 4

// Secrets are the values of names.
type Secrets struct {
	names  map[string]bool
	found  bool
	values map[string]bool // as they may stand elsewhere
	clean  *strings.Replacer
}

// Read returns a value of JSON as it is looked through here: a long number in it stays as it is.
func Read(data []byte) (v any, err error) {
	in := json.NewDecoder(bytes.NewReader(data))
	in.UseNumber()
	if err := in.Decode(&v); err != nil {
		return nil, err
	}
	if in.More() {
		return nil, errors.New("there is more than one value")
	}
	return v, nil
}

// Find finds the values of the names, whatever case these are written in, in values that Read has returned, and all that is within
// them.
func Find(names []string, in ...any) *Secrets {
	s := &Secrets{names: map[string]bool{}, values: map[string]bool{}}
	for _, n := range names {
		s.names[strings.ToLower(n)] = true
	}
	for _, v := range in {
		s.find(v, false)
	}
	// Of two that begin alike the longer one counts.
	values := slices.SortedFunc(maps.Keys(s.values), func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(values))
	for _, v := range values {
		pairs = append(pairs, v, Hidden)
	}
	s.clean = strings.NewReplacer(pairs...)
	return s
}

// Found reports whether one of the names was there.
func (s *Secrets) Found() bool { return s.found }

func (s *Secrets) find(v any, secret bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			named := s.names[strings.ToLower(k)]
			s.found = s.found || named
			s.find(inner, secret || named)
		}
	case []any:
		for _, inner := range v {
			s.find(inner, secret)
		}
	case string:
		if secret {
			s.note(v)
		}
	case json.Number:
		if secret {
			s.note(v.String())
		}
	}
}

// note notes a value in the forms in which it may stand in a text: as it is, on one line, and as JSON writes it.
func (s *Secrets) note(value string) {
	forms := []string{value, protocol.OneLine(value)}
	for _, html := range []bool{true, false} {
		var out bytes.Buffer
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(html)
		if e.Encode(value) == nil {
			forms = append(forms, strings.Trim(strings.TrimSuffix(out.String(), "\n"), `"`))
		}
	}
	for _, f := range forms {
		if len(f) >= least {
			s.values[f] = true
		}
	}
}

// Text returns a text without the values. One that was shortened may end within a value, which is hidden, too.
func (s *Secrets) Text(text string) string {
	head, short := strings.CutSuffix(text, "…")
	if !short {
		return s.clean.Replace(text)
	}
	longest := 0
	for v := range s.values {
		longest = max(longest, overlap(head, v))
	}
	if longest >= least {
		return s.clean.Replace(head[:len(head)-longest]) + Hidden + "…"
	}
	return s.clean.Replace(text)
}

// overlap returns how many bytes at the end of a text are those at the beginning of a value. It takes a time in proportion to their
// length, whatever somebody has written: it is the prefix function of Knuth, Morris and Pratt.
func overlap(text, value string) int {
	text = text[max(0, len(text)-len(value)):]
	fits := make([]int, len(value)) // of each beginning of the value, how much of its end is a shorter beginning
	n := 0
	step := func(c byte) {
		for n > 0 && (n == len(value) || value[n] != c) {
			n = fits[n-1]
		}
		if value[n] == c {
			n++
		}
	}
	for i := 1; i < len(value); i++ {
		step(value[i])
		fits[i] = n
	}
	n = 0
	for i := range len(text) {
		step(text[i])
	}
	return n
}

// Value returns what is left of a value that Read has returned. Texts are cleaned before they are JSON, which writes some signs
// otherwise.
func (s *Secrets) Value(v any) any {
	switch v := v.(type) {
	case map[string]any:
		left := map[string]any{}
		for k, inner := range v {
			if s.names[strings.ToLower(k)] {
				left[k] = Hidden
			} else {
				left[s.Text(k)] = s.Value(inner)
			}
		}
		return left
	case []any:
		left := make([]any, len(v))
		for i, inner := range v {
			left[i] = s.Value(inner)
		}
		return left
	case string:
		return s.Text(v)
	case json.Number:
		if s.values[v.String()] {
			return Hidden
		}
	}
	return v
}
