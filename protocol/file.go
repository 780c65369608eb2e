package protocol

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxFile is how many bytes a [File] may have. It waits within its Outgoing, so that what is sent after a restart is what was made;
// and it is far below what networks take.
const MaxFile = 1 << 20

// File is a file that goes with a message. The text of the message stands beside it; of a picture it says all that the picture
// shows, for those who do not see it.
type File struct {
	Name string // under which people save it: letters, digits, hyphens and dots
	Type string // media type
	Data []byte
	// Width and Height are those of a picture in pixels, zero otherwise.
	Width, Height int `json:",omitempty"`
}

// IsPicture reports whether the file is shown rather than saved.
func (f *File) IsPicture() bool { return strings.HasPrefix(f.Type, "image/") }

// FileOf returns the file that goes with what is sent; nil where there is none.
func FileOf(a Act) *File {
	switch a := a.(type) {
	case Say:
		return a.File
	case Whisper:
		return a.File
	}
	return nil
}

// Check returns what is wrong with the file.
func (f *File) Check() error {
	switch {
	case f.Name == "" || len(f.Name) > 100 || strings.HasPrefix(f.Name, ".") || strings.Trim(f.Name, fileName) != "":
		return fmt.Errorf("%.100q is no name for a file", f.Name)
	case len(f.Data) == 0:
		return errors.New("the file is empty")
	case len(f.Data) > MaxFile:
		return fmt.Errorf("the file has %d bytes, and may have %d", len(f.Data), MaxFile)
	case f.Type == "" || !utf8.ValidString(f.Type):
		return errors.New("the file has no media type")
	}
	return nil
}

const fileName = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."
