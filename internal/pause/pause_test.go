package pause

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestPausesDoubleUpToTheLongest(t *testing.T) {
	b := Backoff{time.Second, 5 * time.Minute}
	want := []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300}
	for n, s := range want {
		if least, most := b.Part(n, 0), b.Part(n, 1); least != s*time.Second/2 || most != s*time.Second {
			t.Errorf("after %d failures: %v to %v, want %v to %v", n, least, most, s*time.Second/2, s*time.Second)
		}
	}
	if d := b.Part(1<<40, 1); d != b.Most {
		t.Errorf("after very many failures: %v", d)
	}
	for range 100 {
		if d := b.After(3); d < 4*time.Second || d > 8*time.Second {
			t.Fatalf("by chance: %v", d)
		}
	}
}

func TestASleepEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := Sleep(t.Context(), 0); err != nil {
		t.Error(err)
	}
}
