package matrix

import (
	"bufio"
	"bytes"
	"io"
)

// maxDepth is how deep the values of a response may lie within one another. A sync response holds the content of an event
// at depth 6, and no content that is used here needs more than 10 below it.
const maxDepth = 60

// shallow reads JSON and leaves out what lies too deep: an array or object below maxDepth reads as null. encoding/json
// refuses a whole document for one value that lies 10,000 deep, which fits into an event that anybody can send.
type shallow struct {
	src    *bufio.Reader
	out    bytes.Buffer
	depth  int
	inText bool // within a string
	escape bool // behind a backslash
}

func newShallow(src io.Reader) *shallow { return &shallow{src: bufio.NewReaderSize(src, 32<<10)} }

// Read implements io.Reader.
func (s *shallow) Read(p []byte) (int, error) {
	for s.out.Len() == 0 {
		chunk, err := s.src.Peek(1)
		if len(chunk) == 0 {
			return 0, err
		}
		chunk, _ = s.src.Peek(s.src.Buffered())
		for _, c := range chunk {
			s.take(c)
		}
		if _, err := s.src.Discard(len(chunk)); err != nil {
			return 0, err
		}
	}
	return s.out.Read(p)
}

func (s *shallow) take(c byte) {
	switch {
	case s.escape:
		s.escape = false
	case s.inText:
		switch c {
		case '\\':
			s.escape = true
		case '"':
			s.inText = false
		}
	case c == '"':
		s.inText = true
	case c == '{' || c == '[':
		if s.depth++; s.depth == maxDepth+1 {
			s.out.WriteString("null")
		}
	case c == '}' || c == ']':
		if s.depth--; s.depth >= maxDepth {
			return // the end of what was left out, or of something within it
		}
	}
	if s.depth <= maxDepth {
		s.out.WriteByte(c)
	}
}
