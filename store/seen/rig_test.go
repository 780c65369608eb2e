package seen

import "os"

func mkdir(t tb, dir string) string {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatalf("make a folder: %v", err)
	}
	return dir
}
