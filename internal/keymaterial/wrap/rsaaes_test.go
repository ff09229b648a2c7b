package wrap

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"strings"
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// unwrapped undoes AES key wrap with padding as RFC 5649, section 4.2 describes it, written for these tests alone.
func unwrapped(key, wrapped []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	buffer := bytes.Clone(wrapped)
	if n := len(buffer)/8 - 1; n == 1 {
		block.Decrypt(buffer, buffer)
	} else {
		for t := 6 * n; t > 0; t-- { // RFC 3394, section 2.2.2
			half := buffer[8*((t-1)%n+1):][:8]
			ab := append(bytes.Clone(buffer[:8]), half...)
			binary.BigEndian.PutUint64(ab, binary.BigEndian.Uint64(ab)^uint64(t))
			block.Decrypt(ab, ab)
			copy(buffer, ab[:8])
			copy(half, ab[8:])
		}
	}
	length := int(binary.BigEndian.Uint32(buffer[4:]))
	padded := buffer[8:]
	if !bytes.Equal(buffer[:4], []byte{0xa6, 0x59, 0x59, 0xa6}) || length > len(padded) || len(padded)-length > 7 {
		return nil, errors.New("integrity check failed")
	}
	if !bytes.Equal(padded[length:], make([]byte, len(padded)-length)) {
		return nil, errors.New("padding check failed")
	}
	return padded[:length], nil
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// RFC 5649, section 6. Its examples have a 192-bit key, which the library does not take: they prove the unwrapping
// above, which proves the library.
func TestUnwrapOfRFC5649(t *testing.T) {
	const key = "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8"
	for wrapped, want := range map[string]string{
		"138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a": "c37b7e6492584340bed12207808941155068f738",
		"afbeb0f07dfbf5419200f2ccb50bb24f":                                 "466f7250617369",
	} {
		got, err := unwrapped(unhex(t, key), unhex(t, wrapped))
		if err != nil || hex.EncodeToString(got) != want {
			t.Errorf("got %x (error %v), want %s", got, err, want)
		}
	}
}

// Vectors of Project Wycheproof, aes_kwp_test.json, numbers 164, 167 and 170: AES-256, and in the last a round counter
// over 255.
func TestKeyWrapVectors(t *testing.T) {
	for name, vector := range map[string]struct{ key, message, want string }{
		"164": {
			"07518a82cbc8da1dcec55f3763a206d277487abd03cedd0b8bef9ee2fb157121",
			"faa4664d79fce3c7d2fdd462f6c1c423c2f8e6b69be2e071",
			"4b1220525c537aec30ebcd562b694b4e9e2ccd819de22ef608b5d8090779d9de",
		},
		"167": {
			"38e1b1d075d9d852b9a6c01c8ff6965af01bac457a4e339ae3e1d7b2ffacc0cd",
			"80ad6820f1c90981e2ca42b817a345c1179d0a11d8e23a8adc0505e13d87295a",
			"b63b7e0fec7e315816233db6758fd3e744b9f6a40862bdf866487e53bcb950d8b2649269e51b4475",
		},
		"170": {
			"b6121acad51038e11873aaa7e6c7be06f93826b74fec0ea1c02f9981ed49d16a",
			strings.Repeat("00", 384),
			"1c6b7e4003384f071bf29baea9098ad81da8e9862909329f52793b35d592c10dba15aa89400ea6403df8dcaffd0dbf5606303f109f79ad70" +
				"0ed5d5ad4e59950ce9ce5296c9d186a0df441973d1835f9ac000ad1a6797875c3a03161e9e3f5ea464032e407854eadca5a9e7a386bb0d29" +
				"253e3804adefd8c0402cc8c40ac7f9041429cc0bb77a405b284baa2dae764ea09c654c0a82f2c5724221ba44e341503d3103dbc393c77021" +
				"82f8cc2762ddbc873b7f84197709886a4b5df5b04ff9d21b79b50904af3c32128dfb9cde94fe1254d981e6ce3acfda82db1fa2badbccd2d2" +
				"9052a04a69ce1f5652f30496ea57edc7e3e885dd4a35ca15aba602bb4c888a8064da94c2ac5c12c11f608810af46fbb49c3e8f8771ff661f" +
				"8d8dccd163d0c4a401b8b9aa74e68a56011cf78d21dc7541a974f9dad5ae27f8a26d1b0e76be2f86c6a21e9d1c2b5df3c8878a8bcae143b3" +
				"af1f082afc52616eeadd2232926597b245d394931e02e493b0bc27a92d013e111694cac2c5a2a46e008a8498b5c31bb5ec35a4e9957e365d",
		},
	} {
		got, err := keyWrap(unhex(t, vector.key), unhex(t, vector.message))
		if err != nil || hex.EncodeToString(got) != vector.want {
			t.Errorf("%s: got %x (error %v), want %s", name, got, err, vector.want)
		}
	}
}

// The 20-byte material of RFC 5649 under its own key, lengthened to the 256 bits that KMS wants. Python's cryptography
// package computed the result.
func TestKeyWrapOfRFC5649Material(t *testing.T) {
	const (
		key      = "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a85840df6e29b02af1"
		material = "c37b7e6492584340bed12207808941155068f738"
		want     = "3ff652a2bf53a75c9804ab291e3726ca63c424e38457463fd102db42f73514d8"
	)
	got, err := keyWrap(unhex(t, key), unhex(t, material))
	if err != nil || hex.EncodeToString(got) != want {
		t.Errorf("got %x (error %v), want %s", got, err, want)
	}
}

func TestKeyWrapAtEveryPadding(t *testing.T) {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	for length := 16; length <= 300; length++ {
		material := make([]byte, length)
		_, _ = rand.Read(material)
		wrapped, err := keyWrap(key, material)
		if err != nil {
			t.Fatalf("%d bytes: %v", length, err)
		}
		if want := (length+7)/8*8 + 8; len(wrapped) != want {
			t.Errorf("%d bytes became %d, want %d", length, len(wrapped), want)
		}
		got, err := unwrapped(key, wrapped)
		if err != nil || !bytes.Equal(got, material) {
			t.Errorf("%d bytes: unwrapping gave others (error %v)", length, err)
		}
	}
}

func TestMaxRSAAES(t *testing.T) {
	for bits, want := range map[int]int{2048: 5880, 3072: 5752, 4096: 5624, 2047: 5880, 6144 * 8: 0, 1 << 20: 0} {
		if got := MaxRSAAES(bits); got != want {
			t.Errorf("%d bits: MaxRSAAES = %d, want %d", bits, got, want)
		}
	}
}

func TestRSAAESUnwraps(t *testing.T) {
	cases := map[string]struct {
		reason  string
		hash    crypto.Hash
		newHash func() hash.Hash
		other   func() hash.Hash
		bits    int
		length  int
		want    int // length of what is sent: k + 8·⌈n/8⌉ + 8
	}{
		"SHA-256, RSA_4096 key":   {"the usual choice for RSA keys", crypto.SHA256, sha256.New, sha1.New, 4096, 2375, 2896},
		"SHA-1, RSA_2048 key":     {"the other algorithm KMS offers", crypto.SHA1, sha1.New, sha256.New, 2048, 1218, 1488},
		"SHA-256, P-256 key":      {"EC keys may be wrapped so too", crypto.SHA256, sha256.New, sha1.New, 3072, 138, 536},
		"SHA-256, least":          {"the least that the library wraps", crypto.SHA256, sha256.New, sha1.New, 2048, 16, 280},
		"SHA-256, most, RSA_2048": {"the most that KMS takes", crypto.SHA256, sha256.New, sha1.New, 2048, 5880, 6144},
		"SHA-256, most, RSA_4096": {"the most that KMS takes", crypto.SHA256, sha256.New, sha1.New, 4096, 5624, 6144},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			key := newKey(t, tc.bits)
			material := make([]byte, tc.length)
			_, _ = rand.Read(material)
			before := bytes.Clone(material)

			wrapped, err := RSAAES(tc.hash, &key.PublicKey, material)
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if len(wrapped) != tc.want {
				t.Errorf("wrapped material has %d bytes, want %d", len(wrapped), tc.want)
			}
			aesKey, err := rsa.DecryptOAEP(tc.newHash(), nil, key, wrapped[:tc.bits/8], nil)
			if err != nil || len(aesKey) != 32 {
				t.Fatalf("%s: an AES key of %d bytes (error %v)", tc.reason, len(aesKey), err)
			}
			got, err := unwrapped(aesKey, wrapped[tc.bits/8:])
			if err != nil || !bytes.Equal(got, material) || !bytes.Equal(before, material) {
				t.Errorf("%s: unwrapping gave other bytes (error %v)", tc.reason, err)
			}
			if _, err := rsa.DecryptOAEP(tc.other(), nil, key, wrapped[:tc.bits/8], nil); err == nil {
				t.Error("unwrapping with the other hash succeeded")
			}
		})
	}
}

func TestRSAAESIsRandomised(t *testing.T) {
	key := newKey(t, 2048)
	first, errFirst := RSAAES(crypto.SHA256, &key.PublicKey, make([]byte, 138))
	second, errSecond := RSAAES(crypto.SHA256, &key.PublicKey, make([]byte, 138))
	if errFirst != nil || errSecond != nil || bytes.Equal(first[256:], second[256:]) {
		t.Errorf("two wrappings of one material have the same AES key (errors %v, %v)", errFirst, errSecond)
	}
}

func TestRSAAESRefuses(t *testing.T) {
	key := newKey(t, 2048)
	cases := map[string]struct {
		reason   string
		hash     crypto.Hash
		key      *rsa.PublicKey
		material []byte
		want     string
	}{
		"too long": {
			"one byte over the limit; the sentence gives the limit and not the length",
			crypto.SHA256, &key.PublicKey, make([]byte, 5881),
			"AES key wrap and RSA-OAEP with SHA-256 under a key of 2048 bits take 16 to 5880 bytes",
		},
		"too short": {
			"the library has no such construction", crypto.SHA1, &key.PublicKey, make([]byte, 15),
			"AES key wrap and RSA-OAEP with SHA-1 under a key of 2048 bits take 16 to 5880 bytes",
		},
		"other hash": {"KMS offers two hashes", crypto.SHA512, &key.PublicKey, make([]byte, 138), "RSA-OAEP with SHA-512 is not offered"},
		"no key":     {"a nil key is an error and no panic", crypto.SHA256, nil, make([]byte, 138), "no wrapping public key"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := RSAAES(tc.hash, tc.key, tc.material)
			if err == nil || err.Error() != tc.want {
				t.Errorf("%s: error %v, want %s", tc.reason, err, tc.want)
			}
		})
	}
}

// The plan chooses by these limits before anything is wrapped.
func TestLimitsAreThoseOfThePlan(t *testing.T) {
	for _, keySpec := range []kms.WrappingKeySpec{"RSA_2048", "RSA_3072", "RSA_4096"} {
		for algorithm, want := range map[kms.WrappingAlgorithm]int{
			"RSAES_OAEP_SHA_1":         MaxOAEP(crypto.SHA1, keySpec.Bits()),
			"RSAES_OAEP_SHA_256":       MaxOAEP(crypto.SHA256, keySpec.Bits()),
			"RSA_AES_KEY_WRAP_SHA_1":   MaxRSAAES(keySpec.Bits()),
			"RSA_AES_KEY_WRAP_SHA_256": MaxRSAAES(keySpec.Bits()),
		} {
			if got := (kms.Wrapping{Algorithm: algorithm, KeySpec: keySpec}).Limit(); got != want || want == 0 {
				t.Errorf("%s with %s: the plan says %d, and %d fit", algorithm, keySpec, got, want)
			}
		}
	}
}
