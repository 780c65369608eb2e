package powerloss_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"moot/internal/powerloss"
)

// story is a recorded life, and what is known after each of its steps.
type story struct {
	*powerloss.Trace
	from  int      // the step that was durable before it began
	id    string   // of the store; zero where the life began with none
	knows []string // after each step

	recording powerloss.Recording
	keep      sync.Once // for those who want to try it again
	kept      string    // a copy of the recording
}

// reference lives without a failure and returns what is known after each step.
func reference(t testing.TB) (knows []string) {
	t.Helper()
	dir := filepath.Join(scratch(t), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w, err := openWorld(dir)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n <= lifeSteps; n++ {
		if n > 0 {
			if err := w.step(n); err != nil {
				t.Fatal(err)
			}
		}
		text, err := w.knows(t.Context())
		if err != nil {
			t.Fatalf("after step %d: %v", n, err)
		}
		knows = append(knows, text)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	return knows
}

// record records a life that begins with what is on the disk, behind the given step.
func record(t testing.TB, state powerloss.State, from int, id string, knows []string) *story {
	t.Helper()
	dir := scratch(t)
	data := filepath.Join(dir, "data")
	if err := errors.Join(os.Mkdir(data, 0o700), state.Write(data)); err != nil {
		t.Fatal(err)
	}
	rec := powerloss.Recording{Folder: filepath.Join(dir, "recording")}
	err := powerloss.Record(t.Context(), rec, data, "env", fmt.Sprintf("%s=%d %s", lifeVar, from, data), os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(rec.Folder, "from"), fmt.Appendf(nil, "%d %s", from, id), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := reread(rec.Folder, knows)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// reread reads what record has recorded.
func reread(dir string, knows []string) (*story, error) {
	s := &story{recording: powerloss.Recording{Folder: dir}, knows: knows}
	from, err := os.ReadFile(filepath.Join(dir, "from"))
	if err != nil {
		return nil, err
	}
	number, id, _ := strings.Cut(string(from), " ")
	if s.from, err = strconv.Atoi(number); err != nil {
		return nil, err
	}
	s.id = id
	s.Trace, err = s.recording.Trace()
	return s, err
}

// afterFailure records the life that follows a failure in this one.
func (s *story) afterFailure(t testing.TB, seed uint64) *story {
	t.Helper()
	f := s.Choose(seed, nil)
	n, err := s.try(t.Context(), filepath.Join(scratch(t), "data"), f)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.again(t, seed))
	}
	_, _, id := s.progress(f.At)
	return record(t, s.After(f), n, id, s.knows)
}

// tryAll tries so many histories, and returns how many.
func (s *story) tryAll(t testing.TB, seed uint64, n int) int {
	t.Helper()
	var failed atomic.Int64
	next := make(chan uint64)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		dir := filepath.Join(scratch(t), "data")
		wg.Go(func() {
			for seed := range next {
				f := s.Choose(seed, nil)
				if _, err := s.try(t.Context(), dir, f); err != nil {
					failed.Add(1)
					t.Errorf("history %d: the power fails %s: %v\n%s%s", seed, f, err, s.Around(f.At, 8), s.again(t, seed))
				}
			}
		})
	}
	for i := range n {
		if failed.Load() > 2 {
			break
		}
		next <- seed + uint64(i)
	}
	close(next)
	wg.Wait()
	return n
}

// again keeps the recording, and returns how a history is tried again.
func (s *story) again(t testing.TB, seed uint64) string {
	s.keep.Do(func() {
		dir, err := os.MkdirTemp("", "moot-power-recording-*")
		if err == nil {
			err = os.CopyFS(dir, os.DirFS(s.recording.Folder))
		}
		if err != nil {
			t.Error(err)
		}
		s.kept = dir
	})
	return fmt.Sprintf("try it again: go test ./internal/powerloss -run TestPowerLoss -v -recording %s -seed %d -histories 1", s.kept, seed)
}

// progress returns the last step that was said to be done, and the last that was begun.
func (s *story) progress(at int) (done, begun int, id string) {
	done, begun, id = s.from, s.from, s.id
	if s.id == "" {
		done = -1
	}
	for _, text := range s.Said(at) {
		word, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
		number, named, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(number)
		switch {
		case err != nil:
		case word == "done":
			done = n
			if named != "" {
				id = named
			}
		case word == "begin":
			begun = n
		}
	}
	return done, begun, id
}

// try lets the power fail, starts again, and returns what is wrong then, nil if nothing is. It returns the step up to which the
// world got as well.
func (s *story) try(ctx context.Context, dir string, f powerloss.Failure) (n int, err error) {
	if err := os.RemoveAll(dir); err != nil {
		return 0, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	if err := s.After(f).Write(dir); err != nil {
		return 0, err
	}
	done, begun, id := s.progress(f.At)
	defer func() {
		if err != nil {
			err = fmt.Errorf("%d was done and %d begun: %w", done, begun, err)
		}
	}()
	w, err := openWorld(dir)
	if err != nil {
		return 0, fmt.Errorf("it does not open: %w", err)
	}
	defer func() {
		if w.store != nil {
			_ = w.close()
		}
	}()
	switch got, _, err := w.store.Instance(); {
	case err != nil:
		return 0, err
	case id != "" && got != id:
		return 0, fmt.Errorf("it is another store: %s, and not %s", got, id)
	}
	got, err := w.knows(ctx)
	if err != nil {
		return 0, err
	}
	first := max(done, 0)
	for n = begun; n >= first && got != s.knows[n]; n-- {
	}
	if n < first {
		return 0, fmt.Errorf("something is lost or half there; beside step %d:\n%s", first, apart(got, s.knows[first]))
	}
	// Life goes on.
	until := min(n+3, lifeSteps)
	if f.Seed%16 == 0 {
		until = lifeSteps
	}
	for next := n + 1; next <= until; next++ {
		if err := w.step(next); err != nil {
			return n, fmt.Errorf("it goes on from %d, but not with step %d: %w", n, next, err)
		}
	}
	if err := w.reopen(); err != nil {
		return n, fmt.Errorf("after going on from %d to %d: %w", n, until, err)
	}
	if got, err = w.knows(ctx); err != nil {
		return n, fmt.Errorf("after going on from %d to %d: %w", n, until, err)
	}
	if got != s.knows[until] {
		return n, fmt.Errorf("it went on from %d to %d, and ends otherwise:\n%s", n, until, apart(got, s.knows[until]))
	}
	return n, nil
}
