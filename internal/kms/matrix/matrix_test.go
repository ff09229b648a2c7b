// Package matrix_test imports key material of every kind, by every wrapping and in every encoding, through the adapter
// into the local KMS, and proves each import by using the key. What the operator thinks impossible the local KMS has to
// refuse, and the other way round: their tables were written apart. docs/compatibility.md is what a run saw.
package matrix_test

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/keyimport-dev/kms-key-import-operator/internal/keymaterial"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

func TestMatrix(t *testing.T) {
	isolate(t)
	var runs []*run
	for _, dialect := range []kms.Dialect{kms.DialectAWS, kms.DialectQKMS} {
		r := &run{endpoint: start(t, dialect), limits: map[kms.Wrapping]int{}}
		runs = append(runs, r)
		t.Run(string(dialect), r.everything)
	}
	if !t.Failed() {
		t.Run("table", func(t *testing.T) { compareTable(t, runs) })
	}
}

// run is one dialect, with what was seen.
type run struct {
	*endpoint
	keys    []key
	limits  map[kms.Wrapping]int // bytes of the longest material that was imported
	refused []kms.KeySpec        // those of which there are no keys to import into
}

// key is what was seen of one KeySpec.
type key struct {
	spec      kms.KeySpec
	bytes     int          // of its material
	spellings []string     // of its material, in the order of the documents
	chosen    kms.Wrapping // where nothing is asked for
	imports   []imported
}

// imported is one import that was proven.
type imported struct {
	usage    string
	wrapping kms.Wrapping
	spelling string
}

// everything is what the SDK has a name for.
func (r *run) everything(t *testing.T) {
	t.Run("limits", r.tryLimits)
	for _, spec := range keySpecs() {
		t.Run(string(spec), func(t *testing.T) {
			if r.dialect.Imports(spec) {
				r.imports(t, spec)
			} else {
				r.refuses(t, spec)
			}
		})
	}
}

// keySpecs begins with the common ones, in the order of the documents.
func keySpecs() (specs []kms.KeySpec) {
	specs = []kms.KeySpec{
		"SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512", "RSA_2048", "RSA_3072", "RSA_4096",
		"ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1",
	}
	for _, spec := range types.KeySpec("").Values() {
		if !slices.Contains(specs, kms.KeySpec(spec)) {
			specs = append(specs, kms.KeySpec(spec))
		}
	}
	return specs
}

func wrappings() (all []kms.Wrapping) {
	for _, algorithm := range types.AlgorithmSpec("").Values() {
		for _, keySpec := range types.WrappingKeySpec("").Values() {
			all = append(all, kms.Wrapping{Algorithm: kms.WrappingAlgorithm(algorithm), KeySpec: kms.WrappingKeySpec(keySpec)})
		}
	}
	return all
}

// refuses makes sure that there are no keys of a spec that take material.
func (r *run) refuses(t *testing.T, spec kms.KeySpec) {
	for _, usage := range types.KeyUsageType("").Values() {
		r.refusesKey(t, spec, string(usage))
	}
	for _, wrapping := range append(wrappings(), kms.Wrapping{}) {
		if choice := kms.ChooseWrapping(r.dialect, spec, 0, wrapping); choice != (kms.Choice{}) {
			t.Errorf("%v is chosen", choice)
		}
	}
	r.refused = append(r.refused, spec)
}

func (r *run) refusesKey(t *testing.T, spec kms.KeySpec, usage string) {
	t.Helper()
	if _, code := r.tryCreate(t, spec, usage); code != "UnsupportedOperationException" && code != "ValidationException" {
		t.Errorf("the operator imports into no key for %s, and CreateKey answers %q", usage, code)
	}
}

// imports tries the KeyUsages and wrappings of one spec.
func (r *run) imports(t *testing.T, spec kms.KeySpec) {
	source := newSource(t, spec)
	known, _ := spec.Imported()
	k := key{
		spec: spec, bytes: known.Bytes,
		chosen: kms.ChooseWrapping(r.dialect, spec, len(source.material), kms.Wrapping{}).Wrapping,
	}
	for _, spelling := range source.spellings {
		k.spellings = append(k.spellings, spelling.name)
	}
	if off := len(source.material) - known.Bytes; off != 0 && (!isRSA(spec) || off < -8 || off > 8) {
		t.Errorf("material of %d bytes, want %d", len(source.material), known.Bytes)
	}
	cells := 0
	for _, usage := range types.KeyUsageType("").Values() {
		if !slices.Contains(known.Usages, string(usage)) {
			r.refusesKey(t, spec, string(usage))
			continue
		}
		for _, wrapping := range wrappings() {
			keyARN := r.create(t, spec, string(usage))
			asked := kms.ChooseWrapping(r.dialect, spec, len(source.material), wrapping)
			if asked != kms.ChooseWrapping(r.dialect, spec, 0, wrapping) {
				t.Errorf("%v: the choice differs once the length is known", wrapping)
			}
			if asked.Wrapping != wrapping {
				r.refusesWrapping(t, keyARN, spec, wrapping)
				continue
			}
			t.Run(fmt.Sprintf("%s/%s/%s", usage, wrapping.Algorithm, wrapping.KeySpec), func(t *testing.T) {
				c := cell{r.endpoint, source, spec, string(usage), wrapping, keyARN}
				k.imports = append(k.imports, c.imports(t, cells)...)
			})
			cells++
		}
	}
	r.keys = append(r.keys, k)
}

// isRSA tells the keys that differ in length by a few bytes: their numbers have no leading zeroes.
func isRSA(spec kms.KeySpec) bool { return strings.HasPrefix(string(spec), "RSA_") }

// refusesWrapping asks the KMS what the operator would not ask it for.
func (r *run) refusesWrapping(t *testing.T, keyARN string, spec kms.KeySpec, wrapping kms.Wrapping) {
	t.Helper()
	_, err := r.users.GetParametersForImport(t.Context(), &sdk.GetParametersForImportInput{
		KeyId: &keyARN, WrappingAlgorithm: types.AlgorithmSpec(wrapping.Algorithm), WrappingKeySpec: types.WrappingKeySpec(wrapping.KeySpec),
	})
	want := fmt.Sprintf("Wrapping algorithm %s and wrapping key spec %s cannot be used to import a %s key.", wrapping.Algorithm, wrapping.KeySpec, spec)
	var refusal smithy.APIError
	if !errors.As(err, &refusal) || refusal.ErrorCode() != "ValidationException" || refusal.ErrorMessage() != want {
		t.Errorf("the operator thinks %v impossible, and the KMS answers %v", wrapping, err)
	}
}

// cell is one field of the matrix: a key whose material comes in one wrapping.
type cell struct {
	*endpoint
	source   source
	spec     kms.KeySpec
	usage    string
	wrapping kms.Wrapping
	keyARN   string
}

// imports brings the material in each spelling into the same key, with a withdrawal in between: all of them are one
// material, for KMS takes no other. Which spelling comes first, into the key that has never had material, changes from
// cell to cell.
func (c cell) imports(t *testing.T, first int) (proven []imported) {
	users := c.party(t, c.keyARN, c.spec, c.usage, c.source.peer)
	n := len(c.source.spellings)
	var materialID string
	var kept []byte // what the KMS encrypted before the first withdrawal
	for i := range n {
		spelling := c.source.spellings[(first+i)%n]
		if i > 0 {
			c.withdraw(t, c.keyARN)
		}
		again := c.importMaterial(t, spelling, materialID)
		if i > 0 && again != materialID {
			t.Fatalf("%s: another KeyMaterialId than at the first import", spelling.name)
		}
		materialID = again
		c.expectState(t, c.keyARN, "Enabled")
		made, err := prove(users, c.source.owner[c.usage], kept)
		if err != nil {
			t.Fatalf("%s: %v", spelling.name, err)
		}
		if kept == nil && c.usage == "ENCRYPT_DECRYPT" {
			kept = made
		}
		proven = append(proven, imported{c.usage, c.wrapping, spelling.name})
	}
	return proven
}

// importMaterial does what the operator does.
func (c cell) importMaterial(t *testing.T, from spelling, reimportOf string) (keyMaterialID string) {
	t.Helper()
	material, err := keymaterial.Decode(from.encoding, from.value)
	if err != nil {
		t.Fatal(err)
	}
	defer material.Destroy()
	if material.Len() != len(c.source.material) {
		t.Fatalf("%s is decoded into %d bytes, want %d", from.name, material.Len(), len(c.source.material))
	}
	if err := keymaterial.Validate(material, string(c.spec), c.usage); err != nil {
		t.Fatal(err)
	}
	parameters, err := c.operator.GetParametersForImport(t.Context(), c.keyARN, c.wrapping)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := parameters.Seal(func(w kms.Wrapping, publicKey *rsa.PublicKey) ([]byte, error) {
		return material.Wrap(string(w.Algorithm), publicKey)
	})
	if err != nil {
		t.Fatal(err)
	}
	result, err := c.operator.ImportKeyMaterial(t.Context(), kms.ImportRequest{
		Material: sealed, Expiry: kms.Expiry{Model: kms.KeyMaterialDoesNotExpire}, ReimportOf: reimportOf,
	})
	if err != nil {
		t.Fatal(err)
	}
	return result.KeyMaterialID
}
