package disk

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMakeFolder(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b", "c")
	for range 2 { // one that is there stays
		if err := MakeFolder(deep); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{deep, filepath.Dir(deep)} {
		if info, err := os.Stat(path); err != nil || info.Mode() != os.ModeDir|0o700 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below")} {
		if err := MakeFolder(path); err == nil {
			t.Errorf("%s is a folder now", path)
		}
	}
	if err := os.Symlink(deep, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := MakeFolder(filepath.Join(dir, "link")); err != nil {
		t.Errorf("a link to a folder: %v", err)
	}
}
