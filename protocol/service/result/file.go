package result

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/gif"  // what is shown
	_ "image/jpeg" // and how large
	_ "image/png"  // it is
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"moot/protocol"
)

// MaxFile is how many bytes a file may have that a task gives back: with the signs in which JSON has it, it fits into MaxOutput.
const MaxFile = 700 << 10

// given is a file as a task writes it, under "file": by its path, or by what is in it.
type given struct {
	Path *string `json:"path"`
	Data *string `json:"data"` // base64
	Name string  `json:"name"`
	Type string  `json:"type"`
}

// File is a file as it stands in the results of tasks.
type File struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Data   []byte `json:"data"`
	Width  int    `json:"width,omitempty"` // of a picture
	Height int    `json:"height,omitempty"`
}

// take puts what is in the file that a task gives back in the place of its path, so that it stays what it was. The path lies in the
// folder in which the task ran; nothing outside is read, by whatever way a path leads there.
func take(all map[string]json.RawMessage, folder string) error {
	raw, ok := all["file"]
	if !ok || string(raw) == "null" {
		return nil
	}
	var g given
	if err := json.Unmarshal(raw, &g); err != nil || (g.Path == nil) == (g.Data == nil) {
		return fmt.Errorf(`%w: its file is no object with a "path", or with "data" in base64`, ErrFailed)
	}
	f, err := g.read(folder)
	if err != nil {
		return fmt.Errorf("%w: its file: %w", ErrFailed, err)
	}
	all["file"], err = json.Marshal(f)
	return err
}

func (g given) read(folder string) (f File, err error) {
	if g.Path != nil {
		f.Data, err = readWithin(folder, *g.Path)
		if g.Name == "" {
			g.Name = filepath.Base(*g.Path)
		}
	} else {
		f.Data, err = base64.StdEncoding.DecodeString(*g.Data)
	}
	switch {
	case err != nil:
		return f, err
	case len(f.Data) == 0:
		return f, errors.New("it is empty")
	case len(f.Data) > MaxFile:
		return f, fmt.Errorf("it has more than %d KiB", MaxFile>>10)
	}
	f.Name = nameOf(g.Name)
	f.Type = typeOf(f.Name, g.Type, f.Data)
	if strings.HasPrefix(f.Type, "image/") {
		if c, _, err := image.DecodeConfig(bytes.NewReader(f.Data)); err == nil {
			f.Width, f.Height = c.Width, c.Height
		} else {
			f.Type = "application/octet-stream" // nobody could show it
		}
	}
	return f, nil
}

// readWithin reads a file within a folder.
func readWithin(folder, path string) ([]byte, error) {
	if folder == "" {
		return nil, errors.New(`a task that is no program has no folder: it writes "data"`)
	}
	if filepath.IsAbs(path) {
		// The folder may be named by another way than its program knows it by.
		real, err := filepath.EvalSymlinks(folder)
		if err != nil {
			return nil, err
		}
		within, err := filepath.Rel(real, path)
		if err != nil || !filepath.IsLocal(within) {
			if within, err = filepath.Rel(folder, path); err != nil {
				return nil, err
			}
		}
		path = within
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // it was only read
	file, err := root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err // without the path: its words may come from people
		}
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	switch info, err := file.Stat(); {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no file")
	}
	return io.ReadAll(io.LimitReader(file, MaxFile+1))
}

// nameOf returns a name under which people can save a file.
func nameOf(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '-' || r == '.' || '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z') {
			return r
		}
		return '-'
	}, name)
	if name = strings.TrimLeft(name, ".-"); len(name) > 100 {
		name = name[len(name)-100:]
		name = strings.TrimLeft(name, ".-")
	}
	if name == "" {
		return "file"
	}
	return name
}

// typeOf returns the media type of a file: as it is given, by its name, or by what is in it.
func typeOf(name, given string, data []byte) string {
	for _, t := range []string{given, mime.TypeByExtension(filepath.Ext(name))} {
		if _, _, err := mime.ParseMediaType(t); err == nil && len(t) <= 100 {
			return protocol.OneLine(t)
		}
	}
	return http.DetectContentType(data)
}
