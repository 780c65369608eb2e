package bot

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// hurryTimeout is how long a stop that was hurried waits for what was told to end.
const hurryTimeout = time.Second

// ErrHangs is the error of a Run that returns although something of it runs on, since that ignores that it was told to end.
var ErrHangs = errors.New("the stop does not wait any longer")

// begin notes that something runs, until what it returns is called.
func (r *Runner) begin(u underWay) (end func()) {
	u.since = time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.underWay[&u] = struct{}{}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.underWay, &u)
	}
}

// hangs names what runs although it was told to end.
func (r *Runner) hangs() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	const named = 10
	var words []string
	for u := range r.underWay {
		if len(words) < named {
			r.Log.Error("something ignores that the bot ends, which no longer waits for it",
				"what", u.what, "network", u.network, "room", u.room, "key", u.key, "for", time.Since(u.since).Round(time.Millisecond))
		}
		words = append(words, u.String())
	}
	slices.Sort(words)
	if n := len(words) - named; n > 0 {
		words = append(words[:named], fmt.Sprintf("and %d more", n))
	}
	return fmt.Errorf("%w: these ignore that they were told to end: %s", ErrHangs, strings.Join(words, ", "))
}
