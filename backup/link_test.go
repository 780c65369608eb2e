package backup

import (
	"os"
	"path/filepath"
	"testing"
)

// Under systemd the data folder is a symbolic link, and the folder of a backup may be one as well.
func TestFoldersThatAreLinks(t *testing.T) {
	b := newBot(t)
	b.commits(20)
	link := func(to string) string {
		name := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(to, name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	direct, err := sizeOf(b.Folder)
	if err != nil || direct == 0 {
		t.Fatalf("the folder has %d bytes, %v", direct, err)
	}
	b.Folder = link(b.Folder)
	if size, err := sizeOf(b.Folder); err != nil || size != direct {
		t.Errorf("by a link it has %d bytes instead of %d, %v", size, direct, err)
	}
	made := b.backUp(Request{Dir: link(t.TempDir())})
	made.Folder = link(made.Folder)
	if opened, err := made.Check(t.Context(), nil); err != nil || !opened {
		t.Errorf("by a link the backup is not whole: opened %v, %v", opened, err)
	}
}
