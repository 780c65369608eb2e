//go:build goolm

package crypto

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"modernc.org/sqlite"
)

// watch sees each query of the database, and remembers the first that failed: the library only logs many of them.
type watch struct {
	mu  sync.Mutex
	err error // guarded by mu
}

// QueryTiming implements dbutil.DatabaseLogger.
func (w *watch) QueryTiming(_ context.Context, method, _ string, _ []any, _ int, _ time.Duration, err error) {
	// A transaction that was rolled back when its context ended, or after it was committed, tells nothing of the file.
	if err != nil && !errors.Is(err, sql.ErrNoRows) && !errors.Is(err, sql.ErrTxDone) && !errors.Is(err, context.Canceled) {
		w.fail(fmt.Errorf("%s: %w", method, err))
	}
}

func (w *watch) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

// check returns ErrBroken if a query has failed, and err otherwise.
func (w *watch) check(err error) error {
	var fault *sqlite.Error
	if errors.As(err, &fault) {
		w.fail(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return fmt.Errorf("%w: %w", ErrBroken, w.err)
	}
	return err
}

// WarnUnsupportedVersion implements dbutil.DatabaseLogger; Upgrade returns an error too.
func (*watch) WarnUnsupportedVersion(_, _, _ int) {}

// PrepareUpgrade implements dbutil.DatabaseLogger.
func (*watch) PrepareUpgrade(_, _, _ int) {}

// DoUpgrade implements dbutil.DatabaseLogger.
func (*watch) DoUpgrade(_, _ int, _ string, _ dbutil.TxnMode) {}

// Warn implements dbutil.DatabaseLogger.
func (*watch) Warn(string, ...any) {}

// logWriter takes the log of the library. Of each line only the message and the error are used: others of its fields
// describe sessions and ciphertexts.
type logWriter struct{ log *slog.Logger }

func newLog(log *slog.Logger) *zerolog.Logger {
	l := zerolog.New(logWriter{log}).Level(zerolog.WarnLevel)
	return &l
}

// Write implements io.Writer.
func (w logWriter) Write(line []byte) (int, error) {
	var said struct {
		Message string `json:"message"`
		Error   string `json:"error"`
	}
	if json.Unmarshal(line, &said) == nil {
		w.log.Debug("encryption", "network", "matrix", "detail", said.Message, "err", said.Error)
	}
	return len(line), nil
}
