package matrix_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

//go:generate go test -count=1 -run TestMatrix . -update

const document = "../../../docs/compatibility.md"

var update = flag.Bool("update", false, "write docs/compatibility.md instead of comparing it with the run")

// compareTable keeps the document true: it says what this run saw.
func compareTable(t *testing.T, runs []*run) {
	seen := render(runs)
	if *update {
		if err := os.WriteFile(document, []byte(seen), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(written), seen); diff != "" {
		t.Errorf("docs/compatibility.md is not what this run saw: `go generate ./internal/kms/matrix` writes it (-written +seen):\n%s", diff)
	}
}

func render(runs []*run) string {
	total := 0
	for _, r := range runs {
		for _, k := range r.keys {
			total += len(k.imports)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# What can be imported

<!-- Written by: go generate ./internal/kms/matrix. Do not edit: `+"`make test`"+` compares it with a run. -->

These tables are what one run of the tests saw: %d imports. For each the operator's own code decoded the material,
validated and wrapped it, and sent it through its adapter over HTTP to the [local KMS](localkms.md). Then AWS's SDK used
the key there. What does not stand here was tried too: the operator's table of wrappings calls it impossible, and the
local KMS, whose table was written apart, refuses it. The local KMS follows AWS's and QKMS's documentation; their own
servers were not asked.

Each encoding was imported by each wrapping, for each KeyUsage. The encodings of a material went into the same key, in
changing order, with a withdrawal (DeleteImportedKeyMaterial) in between: to KMS they are one material. How to import
your own is in the [manual](kmskeyimport.md#the-material).
`, total)
	for _, r := range runs {
		fmt.Fprintf(&b, "\n## Dialect %s\n", r.dialect)
		r.writeKeys(&b)
		r.writeWrappings(&b)
		r.writeLimits(&b)
		fmt.Fprintf(&b, "\n### Keys that take no material\n\nThere are none with Origin `EXTERNAL` to import into: %s.\n", code(r.refused...))
	}
	return b.String()
}

func (r *run) writeKeys(b *strings.Builder) {
	b.WriteString("\n### Keys\n\n")
	writeHead(b, "KeySpec", "KeyUsage", "bytes", "encodings", "imports", "proven by")
	for _, k := range r.keys {
		for _, usage := range distinct(k.imports, func(i imported) string { return i.usage }) {
			imports := slices.DeleteFunc(slices.Clone(k.imports), func(i imported) bool { return i.usage != usage })
			spellings := slices.DeleteFunc(slices.Clone(k.spellings), func(s string) bool {
				return !slices.ContainsFunc(imports, func(i imported) bool { return i.spelling == s })
			})
			length := fmt.Sprint(k.bytes)
			if isRSA(k.spec) {
				length = "about " + length
			}
			writeRow(b, code(k.spec), code(usage), length, strings.Join(spellings, ", "), fmt.Sprint(len(imports)), proof(k.spec, usage))
		}
	}
}

// proof puts into words what prove does.
func proof(spec kms.KeySpec, usage string) string {
	switch usage {
	case "GENERATE_VERIFY_MAC":
		return "KMS and the owner of the material make the same MAC"
	case "SIGN_VERIFY":
		return "each verifies the other's signature"
	case "KEY_AGREEMENT":
		return "both derive the same secret with somebody else"
	default:
		if isRSA(spec) {
			return "each decrypts what the other encrypted, and KMS what it had encrypted before the withdrawal"
		}
		return "KMS decrypts what it had encrypted before the withdrawal"
	}
}

func (r *run) writeWrappings(b *strings.Builder) {
	var all []imported
	for _, k := range r.keys {
		all = append(all, k.imports...)
	}
	algorithms := distinct(all, func(i imported) kms.WrappingAlgorithm { return i.wrapping.Algorithm })
	b.WriteString("\n### Wrappings\n\nThe sizes in bits of the RSA wrapping keys with which each wrapping algorithm was used, and what the operator\n" +
		"chooses for such material where `spec.wrapping` is absent.\n\n")
	head := []string{"KeySpec"}
	for _, algorithm := range algorithms {
		head = append(head, code(algorithm))
	}
	writeHead(b, append(head, "chosen")...)
	for _, k := range r.keys {
		row := []string{code(k.spec)}
		for _, algorithm := range algorithms {
			row = append(row, k.under(algorithm))
		}
		writeRow(b, append(row, code(k.chosen.Algorithm)+" with "+code(k.chosen.KeySpec))...)
	}
}

// under lists the wrapping keys with which an algorithm brought material into the key.
func (k key) under(algorithm kms.WrappingAlgorithm) string {
	imports := slices.DeleteFunc(slices.Clone(k.imports), func(i imported) bool { return i.wrapping.Algorithm != algorithm })
	sizes := distinct(imports, func(i imported) string { return strings.TrimPrefix(string(i.wrapping.KeySpec), "RSA_") })
	if len(sizes) == 0 {
		return "no"
	}
	return strings.Join(sizes, ", ")
}

func (r *run) writeLimits(b *strings.Builder) {
	if len(r.limits) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### Limits\n\nThe longest material in bytes that each wrapping takes: an `ECC_NIST_P256` key that an attribute made as long was\n"+
		"imported, and one of a byte more was refused before the import. %d is the limit of the operator, which reads no longer\n"+
		"private key.\n\n", readable)
	algorithms := []kms.WrappingAlgorithm{kms.RSAESOAEPSHA1, kms.RSAESOAEPSHA256, kms.RSAAESKeyWrapSHA1, kms.RSAAESKeyWrapSHA256}
	writeHead(b, "wrapping key", code(algorithms[0]), code(algorithms[1]), code(algorithms[2]), code(algorithms[3]))
	for _, keySpec := range []kms.WrappingKeySpec{kms.WrappingKeyRSA2048, kms.WrappingKeyRSA3072, kms.WrappingKeyRSA4096} {
		row := []string{code(keySpec)}
		for _, algorithm := range algorithms {
			row = append(row, fmt.Sprint(r.limits[kms.Wrapping{Algorithm: algorithm, KeySpec: keySpec}]))
		}
		writeRow(b, row...)
	}
}

func writeHead(b *strings.Builder, columns ...string) {
	writeRow(b, columns...)
	b.WriteString("|" + strings.Repeat("---|", len(columns)) + "\n")
}

func writeRow(b *strings.Builder, columns ...string) {
	b.WriteString("| " + strings.Join(columns, " | ") + " |\n")
}

// code sets names of KMS as code.
func code[S ~string](names ...S) string {
	set := make([]string, 0, len(names))
	for _, name := range names {
		set = append(set, "`"+string(name)+"`")
	}
	return strings.Join(set, ", ")
}

// distinct is what imports differ in, in the order in which it turned up.
func distinct[T comparable](imports []imported, of func(imported) T) (values []T) {
	for _, i := range imports {
		if !slices.Contains(values, of(i)) {
			values = append(values, of(i))
		}
	}
	return values
}
