package gateway

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gorilla/websocket"
)

// maxPayload is the longest payload that is read, in bytes of JSON. The largest that Discord sends
// is GUILD_CREATE of a guild with many channels, under 10 MB.
const maxPayload = 64 << 20

// socket is what a connection needs of a WebSocket.
type socket interface {
	ReadMessage() (kind int, data []byte, err error)
	WriteMessage(kind int, data []byte) error
	WriteControl(kind int, data []byte, deadline time.Time) error
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	Close() error
}

// payload is one message of the gateway.
// https://discord.com/developers/docs/events/gateway-events#payload-structure
type payload struct {
	Op   *int            `json:"op"`
	Data json.RawMessage `json:"d"`
	Seq  int64           `json:"s"`
	Type string          `json:"t"`
}

// flushed is what a payload in a zlib stream ends with, which is where a message ends too, or the
// last of several.
// https://discord.com/developers/docs/events/gateway#transport-compression
var flushed = []byte{0, 0, 0xff, 0xff}

// stream reads payloads from a WebSocket. Binary messages are one zlib stream, which goes on
// through all of a connection; text is not compressed. zlib rather than zstd, because the standard
// library has it.
type stream struct {
	ws   socket
	in   bytes.Buffer // what has come and is not decoded
	text io.Reader    // the text of a binary message; nil before the first
}

// next reads one payload. Its error is a *websocket.CloseError, another of the network, or wraps
// errGarbage.
func (s *stream) next() (p payload, err error) {
	from := io.Reader(&s.in)
	for whole := false; !whole; {
		kind, data, err := s.ws.ReadMessage()
		if err != nil {
			return p, err
		}
		s.in.Write(data)
		if whole = true; kind == websocket.BinaryMessage {
			if s.text == nil {
				if s.text, err = zlib.NewReader(&s.in); err != nil {
					return p, fmt.Errorf("%w: %w", errGarbage, err)
				}
			}
			from, whole = s.text, bytes.HasSuffix(data, flushed) || s.in.Len() > maxPayload
		}
	}
	d := json.NewDecoder(&io.LimitedReader{R: from, N: maxPayload})
	if err = d.Decode(&p); err == nil {
		switch more, _ := io.ReadAll(d.Buffered()); {
		case len(bytes.TrimSpace(more)) > 0:
			err = errors.New("more than one payload in a message")
		case p.Op == nil:
			err = errors.New("no opcode")
		}
	}
	if err != nil {
		return p, fmt.Errorf("%w: %w", errGarbage, err)
	}
	return p, nil
}
