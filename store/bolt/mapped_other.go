//go:build !unix || !(amd64 || arm64 || loong64 || mips64 || mips64le || ppc64 || ppc64le || riscv64 || s390x)

package bolt

// mapped leaves the mapping to bbolt: 32 bits have no room for a large one, and Windows would make
// the file as large.
const mapped = 0
