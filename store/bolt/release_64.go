//go:build linux && (amd64 || arm64 || loong64 || mips64 || mips64le || ppc64 || ppc64le || riscv64 || s390x)

package bolt

import "syscall"

// Release takes the pages of the file out of the memory of the process, in which all that is ever
// read would stay. They are in the page cache of the system, from where they come back one by one.
func (f *File) Release() {
	info, err := f.file.Stat()
	if err != nil || info.Size() == 0 || info.Size() > mapped { // beyond that there may be something else
		return
	}
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, f.db.Info().Data, uintptr(info.Size()), syscall.MADV_DONTNEED)
}
