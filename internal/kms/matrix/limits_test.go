package matrix_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/keymaterial"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// readable is the length in bytes of the longest private key that the operator reads, more than any key needs.
const readable = 4096

// tryLimits imports material as long as each wrapping takes, and shows that one byte more gets nowhere. Private keys are
// the only material without a fixed length: attributes may stand beside the key.
func (r *run) tryLimits(t *testing.T) {
	const spec, usage = kms.KeySpecECCP256, "SIGN_VERIFY"
	for _, wrapping := range wrappings() {
		if kms.ChooseWrapping(r.dialect, spec, 0, wrapping).Wrapping != wrapping {
			continue
		}
		longest := min(wrapping.Limit(), readable)
		t.Run(string(wrapping.Algorithm+"/")+string(wrapping.KeySpec), func(t *testing.T) {
			c := cell{r.endpoint, sourceOf(t, longest), spec, usage, wrapping, r.create(t, spec, usage)}
			c.imports(t, 0)
			c.refusesLonger(t, sourceOf(t, longest+1).material)
			r.limits[wrapping] = longest
		})
	}
}

// refusesLonger shows that the validation refuses private keys of more bytes than the operator reads, and that the choice
// of the wrapping and the wrapping itself refuse shorter ones that do not fit.
func (c cell) refusesLonger(t *testing.T, pkcs8 []byte) {
	t.Helper()
	material, err := keymaterial.Decode(keymaterial.Raw, pkcs8)
	if err != nil {
		t.Fatal(err)
	}
	err = keymaterial.Validate(material, string(c.spec), c.usage)
	if (err == nil) != (len(pkcs8) <= readable) {
		t.Errorf("a private key of %d bytes: %v", len(pkcs8), err)
	}
	if err != nil {
		return
	}
	choice := kms.ChooseWrapping(c.dialect, c.spec, len(pkcs8), c.wrapping)
	if choice != (kms.Choice{Limit: c.wrapping.Limit()}) {
		t.Errorf("for %d bytes the choice is %v", len(pkcs8), choice)
	}
	parameters, err := c.operator.GetParametersForImport(t.Context(), c.keyARN, c.wrapping)
	if err != nil {
		t.Fatal(err)
	}
	_, err = parameters.Seal(func(w kms.Wrapping, publicKey *rsa.PublicKey) ([]byte, error) {
		return material.Wrap(string(w.Algorithm), publicKey)
	})
	if err == nil {
		t.Errorf("%d bytes are wrapped", len(pkcs8))
	}
}

// sourceOf is a private key on P-256 that an attribute makes exactly so many bytes of PKCS#8.
func sourceOf(t *testing.T, length int) source {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plain := marshal(t, key)
	const overhead = 40 // of an attribute, at most
	for less := range overhead {
		pkcs8 := withAttribute(t, plain, max(0, length-len(plain)-less))
		if len(pkcs8) == length {
			return source{
				material: pkcs8, spellings: []spelling{{"Raw", keymaterial.Raw, pkcs8}},
				owner: map[string]party{"SIGN_VERIFY": ecdsaSignatures(key)},
			}
		}
	}
	t.Fatalf("no attribute makes a private key %d bytes long", length)
	return source{}
}

// withAttribute adds an unstructured name (RFC 2985, section 5.4.1) of so many letters to a private key (RFC 5958,
// section 2).
func withAttribute(t *testing.T, pkcs8 []byte, letters int) []byte {
	t.Helper()
	type attribute struct {
		Type   asn1.ObjectIdentifier
		Values []asn1.RawValue `asn1:"set"`
	}
	var info struct {
		Version    int
		Algorithm  asn1.RawValue
		PrivateKey []byte
		Attributes []attribute `asn1:"optional,set,tag:0"`
	}
	if _, err := asn1.Unmarshal(pkcs8, &info); err != nil {
		t.Fatal(err)
	}
	name := asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: bytes.Repeat([]byte{'x'}, letters)}
	info.Attributes = []attribute{{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 2}, []asn1.RawValue{name}}}
	return encode(t, info)
}
