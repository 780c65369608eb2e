package account

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"context"
)

// stuck is a server that never answers.
type stuck struct{}

func (stuck) RoundTrip(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

func TestRequestsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		get := func(ctx context.Context, path string) error {
			_, err := (&bounded{next: stuck{}, log: slog.New(slog.DiscardHandler)}).RoundTrip(httptest.NewRequestWithContext(ctx, http.MethodGet, "https://example.org"+path, nil))
			return err
		}
		if err := get(t.Context(), "/_matrix/client/v3/keys/query"); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != requestTime {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began = time.Now()
		if err := get(ctx, "/_matrix/client/v3/sync"); err == nil || time.Since(began) != time.Hour {
			t.Errorf("a sync ended after %s: %v", time.Since(began), err)
		}
	})
}

// The answer can be read to its end after the round trip.
func TestAnswersAreWhole(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 1<<20))
	}))
	defer server.Close()
	resp, err := (&http.Client{Transport: &bounded{next: http.DefaultTransport, log: slog.New(slog.DiscardHandler)}}).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(resp.Body); err != nil || len(data) != 1<<20 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	server.CloseClientConnections()
}

// TestAServerThatHangsIsSaidToHang within five seconds, once, and a sync in which it waits for news is none that hangs.
func TestAServerThatHangsIsSaidToHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		b := &bounded{next: stuck{}, log: slog.New(slog.NewTextHandler(&said, nil))}
		get := func(path string, at time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), at)
			defer cancel()
			_, _ = b.RoundTrip(httptest.NewRequestWithContext(ctx, http.MethodGet, "https://example.org"+path, nil))
		}
		get("/_matrix/client/v3/sync?since=s1&timeout=30000", 34*time.Second)
		get("/_matrix/client/versions", 4*time.Second)
		synctest.Wait()
		if said.Len() > 0 {
			t.Errorf("too early it says %s", said.String())
		}
		get("/_matrix/client/versions", 6*time.Second)
		get("/_matrix/client/v3/sync?since=s1&timeout=30000", 36*time.Second)
		synctest.Wait()
		if n := strings.Count(said.String(), "does not answer"); n != 1 {
			t.Errorf("it says so %d times: %s", n, said.String())
		}
		b.next = answers{}
		get("/_matrix/client/versions", time.Second)
		if !strings.Contains(said.String(), "answers again") {
			t.Errorf("when it answers, it says %s", said.String())
		}
	})
}

// answers is a server that does.
type answers struct{}

func (answers) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}
