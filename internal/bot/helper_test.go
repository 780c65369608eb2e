package bot

import (
	"os"

	"pgregory.net/rapid"
)

// tempDir makes a folder for one run of a property.
func tempDir(t *rapid.T) string {
	dir, err := os.MkdirTemp("", "moot")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
