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
	sqlite3 "modernc.org/sqlite/lib"
)

// watch sees each query of the database, and remembers the first that failed: the library only logs many of them.
type watch struct {
	mu  sync.Mutex
	err error // guarded by mu
}

// QueryTiming implements dbutil.DatabaseLogger.
func (w *watch) QueryTiming(ctx context.Context, method, _ string, _ []any, _ int, _ time.Duration, err error) {
	// What ended with its context, or after its transaction was committed, tells nothing of the file.
	if err != nil && ctx.Err() == nil && !errors.Is(err, sql.ErrNoRows) && !errors.Is(err, sql.ErrTxDone) && !isInterrupt(err) {
		w.fail(fmt.Errorf("%s: %w", method, err))
	}
}

// isInterrupt reports whether a query was ended with its context.
func isInterrupt(err error) bool {
	var fault *sqlite.Error
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &fault) && fault.Code() == sqlite3.SQLITE_INTERRUPT
}

func (w *watch) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = classified(err)
	}
}

// check returns ErrBroken if a query has failed, and err otherwise.
func (w *watch) check(err error) error {
	var fault *sqlite.Error
	if errors.As(err, &fault) && !isInterrupt(err) {
		w.fail(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case errors.Is(w.err, ErrDamaged), errors.Is(w.err, ErrFull):
		return marked{w.err, ErrBroken}
	case w.err != nil:
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
