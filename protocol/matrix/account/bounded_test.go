package account

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
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
			_, err := bounded{stuck{}}.RoundTrip(httptest.NewRequestWithContext(ctx, http.MethodGet, "https://example.org"+path, nil))
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
	resp, err := (&http.Client{Transport: bounded{http.DefaultTransport}}).Get(server.URL)
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
