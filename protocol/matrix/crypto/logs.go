//go:build goolm

package crypto

import (
	"encoding/json"
	"log/slog"

	"github.com/rs/zerolog"
)

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
