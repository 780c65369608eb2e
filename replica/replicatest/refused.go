package replicatest

import (
	"errors"
	"strings"
	"testing"

	"moot/replica"
)

// Refuses fails where the server of a log does not refuse this machine in one line that says these parts, and no secret: a word of that
// name stands for each password.
func Refuses(t *testing.T, what string, log replica.Log, parts ...string) {
	t.Helper()
	_, err := log.Check(t.Context())
	if err == nil {
		_, err = log.Stand(t.Context())
	}
	if !errors.Is(err, replica.ErrRefused) || strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "secret") {
		t.Errorf("%s: %v", what, err)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%s: it does not say %q: %v", what, p, err)
		}
	}
}
