//go:build unix && (amd64 || arm64 || loong64 || mips64 || mips64le || ppc64 || ppc64le || riscv64 || s390x)

package bolt

// mapped is how much of the address space a file gets when it is opened. bbolt maps the file anew
// when it outgrows its mapping, and for that it waits until no view is open (etcd-io/bbolt#850):
// one long view would hold up all commits, and they all other views. A mapping that is larger than
// any file takes address space only.
const mapped = 64 << 30
