package result_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"moot/protocol"
	"moot/protocol/service/result"
)

// pixel is a picture of one pixel.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// reads reads what a task in the folder has written as its file.
func reads(t *testing.T, folder string, file any) (result.File, error) {
	t.Helper()
	line, err := json.Marshal(map[string]any{"file": file, "answer": "x"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := result.Read(line, false, folder)
	if err != nil {
		return result.File{}, err
	}
	var all struct {
		Answer string
		File   result.File
	}
	if err := json.Unmarshal(out, &all); err != nil || all.Answer != "x" {
		t.Fatalf("%s: %v", out, err)
	}
	return all.File, nil
}

func TestFilesOfTasks(t *testing.T) {
	folder := t.TempDir()
	picture, err := base64.StdEncoding.DecodeString(pixel)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(folder, "out"), 0o700))
	must(os.WriteFile(filepath.Join(folder, "out", "my report.csv"), []byte("a,b\n"), 0o600))
	must(os.WriteFile(filepath.Join(folder, "full"), make([]byte, result.MaxFile), 0o600))
	must(os.Symlink("out/my report.csv", filepath.Join(folder, "link")))
	for name, c := range map[string]struct {
		file any
		want string
	}{
		"by its path":          {map[string]any{"path": "out/my report.csv"}, "my-report.csv text/csv; charset=utf-8 4 0"},
		"by its whole path":    {map[string]any{"path": filepath.Join(folder, "out/my report.csv")}, "my-report.csv text/csv; charset=utf-8 4 0"},
		"by a link within":     {map[string]any{"path": "link", "name": "r.txt", "type": "text/plain"}, "r.txt text/plain 4 0"},
		"as large as it may":   {map[string]any{"path": "full"}, fmt.Sprintf("full application/octet-stream %d 0", result.MaxFile)},
		"by what is in it":     {map[string]any{"data": "aGVsbG8=", "name": "h"}, "h text/plain; charset=utf-8 5 0"},
		"a picture":            {map[string]any{"data": pixel, "name": "p.png"}, fmt.Sprintf("p.png image/png %d 1", len(picture))},
		"no picture":           {map[string]any{"data": "aGVsbG8=", "name": "p.png", "type": "image/png"}, "p.png application/octet-stream 5 0"},
		"a drawing":            {map[string]any{"data": "PHN2Zy8+", "name": "p.svg"}, "p.svg application/octet-stream 6 0"},
		"hidden, and upwards":  {map[string]any{"data": "aGVsbG8=", "name": "../.bashrc"}, "bashrc text/plain; charset=utf-8 5 0"},
		"without a good name":  {map[string]any{"data": "aGVsbG8=", "name": "日本"}, "file text/plain; charset=utf-8 5 0"},
		"a type that is none":  {map[string]any{"data": "aGVsbG8=", "type": "a b\nc"}, "file text/plain; charset=utf-8 5 0"},
		"with a very long one": {map[string]any{"data": "aGVsbG8=", "name": strings.Repeat("x", 300) + ".txt"}, strings.Repeat("x", 96) + ".txt text/plain; charset=utf-8 5 0"},
	} {
		f, err := reads(t, folder, c.file)
		if got := fmt.Sprintf("%s %s %d %d", f.Name, f.Type, len(f.Data), f.Width); err != nil || got != c.want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, c.want)
			continue
		}
		if err := (&protocol.File{Name: f.Name, Type: f.Type, Data: f.Data}).Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFilesOutside: a task hands over nothing that is not a file in its folder.
func TestFilesOutside(t *testing.T) {
	above := t.TempDir()
	folder := filepath.Join(above, "task")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(folder, 0o700))
	must(os.WriteFile(filepath.Join(above, "secret"), []byte("pelican"), 0o600))
	must(os.Symlink("../secret", filepath.Join(folder, "up")))
	must(os.Symlink(filepath.Join(above, "secret"), filepath.Join(folder, "absolute")))
	must(os.Symlink("..", filepath.Join(folder, "parent")))
	must(os.Symlink("loop", filepath.Join(folder, "loop")))
	must(syscall.Mkfifo(filepath.Join(folder, "pipe"), 0o600))
	must(os.WriteFile(filepath.Join(folder, "large"), make([]byte, result.MaxFile+1), 0o600))
	must(os.WriteFile(filepath.Join(folder, "empty"), nil, 0o600))
	sparse, err := os.Create(filepath.Join(folder, "endless"))
	must(err)
	must(sparse.Truncate(1 << 40))
	must(sparse.Close())
	for _, path := range []string{
		"", ".", "..", "../secret", "up", "absolute", "parent/secret", "parent", "loop", "pipe", "large", "empty", "endless", "gone",
		"/etc/passwd", "/proc/self/environ", filepath.Join(above, "secret"), folder + "/../secret", "a\x00b",
	} {
		if f, err := reads(t, folder, map[string]any{"path": path}); err == nil || strings.Contains(err.Error(), "pelican") || len(f.Data) > 0 {
			t.Errorf("%q is handed over: %q, %v", path, f.Data, err)
		}
	}
	for _, file := range []any{
		map[string]any{}, map[string]any{"path": "empty", "data": "eA=="}, map[string]any{"data": "no base64!"}, map[string]any{"data": ""}, "text", 7, []any{},
	} {
		if _, err := reads(t, folder, file); err == nil {
			t.Errorf("%v is taken", file)
		}
	}
	if _, err := reads(t, "", map[string]any{"path": "secret"}); err == nil || !strings.Contains(err.Error(), "no folder") {
		t.Errorf("a task without a folder: %v", err)
	}
}
