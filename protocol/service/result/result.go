// Package result is what tasks give back, however they are run: one JSON object of at most [MaxOutput] bytes, or an error that
// says whether it is known what they have done.
package result

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"moot/protocol"
)

// MaxOutput is how many bytes a task may write for one job.
const MaxOutput = 1 << 20

// Errors of tasks. The first three leave open what the task has done.
var (
	ErrTimeout = errors.New("it took too long, and was ended")
	ErrDied    = errors.New("it ended before it had answered")
	ErrOutput  = errors.New("it wrote more than 1 MiB")
	// ErrFailed is the error of a task that says itself that it has failed.
	ErrFailed = errors.New("it failed")
	// ErrRefused is the error of a task that would fail again however often it is tried.
	ErrRefused = errors.New("it was refused")
)

// Open reports whether an error leaves open what the task has done.
func Open(err error) bool {
	return errors.Is(err, ErrTimeout) || errors.Is(err, ErrDied) || errors.Is(err, ErrOutput)
}

// Read makes one object of what a task has written: of JSON objects, one a line, or of the answer as it stands, where it is text. A
// file in it is read from the folder in which the task ran; zero means that it has none.
func Read(out []byte, text bool, folder string) (json.RawMessage, error) {
	if text {
		return json.Marshal(map[string]string{"answer": strings.TrimSpace(strings.ToValidUTF8(string(out), "\uFFFD"))})
	}
	all := map[string]json.RawMessage{}
	for line := range bytes.Lines(out) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		var one map[string]json.RawMessage
		if err := json.Unmarshal(line, &one); err != nil {
			return nil, fmt.Errorf("%w: it wrote %s, which is no line with a JSON object (output = \"text\" takes words as they are)", ErrFailed,
				protocol.Quoted(strings.ToValidUTF8(string(line), "\uFFFD"), 80))
		}
		for k, v := range one {
			all[k] = v
		}
	}
	var fault string
	if raw, ok := all["error"]; ok && (json.Unmarshal(raw, &fault) != nil || fault != "") {
		if fault == "" {
			fault = string(raw)
		}
		return nil, fmt.Errorf("%w: %s", ErrFailed, protocol.Shorten(protocol.OneLine(fault), 300))
	}
	if err := take(all, folder); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}
