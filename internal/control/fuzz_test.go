package control

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// FuzzCall: whatever somebody of this machine writes to the socket has an answer in words, and the next one too.
func FuzzCall(f *testing.F) {
	for _, line := range []string{
		`{"do":"status"}`, `{"do":"why","with":{"event":"$1"}}`, `{"do":"log","with":{"keys":{"a":"b"},"ago":-1,"since":"x"}}`, `{"do":"outbox","with":{"limit":-5}}`,
		`{"do":"letter","with":18446744073709551615}`, `{"do":"check","with":{"full":true}}`, `{"do":"verify"}`, `{"do":"follow","with":{}}`, `{}`, `[`, "\xff",
	} {
		f.Add(line)
	}
	h := newHouse(f)
	h.serve(func(s *Server) { s.slow = 50 * time.Millisecond })
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "follow") { // its answer comes with the next fact
			return
		}
		here := *h
		here.t = t
		back := here.raw(line + "\n")
		var a answer
		if err := json.Unmarshal([]byte(back), &a); err != nil || a.Row == nil && !a.End && a.Error == nil || a.Error != nil && strings.Contains(a.Error.Text, "panic") {
			t.Errorf("%q is answered by %q, %v", line, back, err)
		}
	})
}
