package material_test

import (
	"bytes"
	"encoding/hex"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"
)

// published is a signature on secp256k1 that others made.
type published struct {
	reason                         string
	private, message, public, r, s string
}

// publishedSignatures are deterministic (RFC 6979) with the lower S, from https://bitcointalk.org/index.php?topic=285142,
// and one with a random nonce, from https://crypto.stackexchange.com/q/41316.
func publishedSignatures() map[string]published {
	return map[string]published{
		"smallest key": {
			reason:  "the private key is 1",
			private: "0000000000000000000000000000000000000000000000000000000000000001",
			message: "Satoshi Nakamoto",
			public: "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" +
				"483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
			r: "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8",
			s: "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
		},
		"largest key": {
			reason:  "the private key is one below the order, its point the mirror image of the generator",
			private: "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
			message: "Satoshi Nakamoto",
			public: "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" +
				"b7c52588d95c3b9aa25b0403f1eef75702e84bb7597aabe663b82f6f04ef2777",
			r: "fd567d121db66e382991534ada77a6bd3106f0a1098c231e47993447cd6af2d0",
			s: "6b39cd0eb1bc8603e159ef5c20a5c8ad685a45b06ce9bebed3f153d10d93bed5",
		},
		"longer message": {
			reason:  "more than a block of the hash",
			private: "0000000000000000000000000000000000000000000000000000000000000001",
			message: "All those moments will be lost in time, like tears in rain. Time to die...",
			public: "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" +
				"483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
			r: "8600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b",
			s: "547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21",
		},
	}
}

// foreignSignature has a nonce that no rule gives, so that it can only be verified.
func foreignSignature() published {
	return published{
		private: "ebb2c082fd7727890a28ac82f6bdf97bad8de9f5d7c9028692de1a255cad3e0f",
		message: "Maarten Bodewes generated this test vector on 2016-11-08",
		public: "779dd197a5df977ed2cf6cb31d82d43328b790dc6b3b7d4437a427bd5847dfcd" +
			"e94b724a555b6d017bb7607c3e3281daf5b1699d6ef4124975c9237b917d426f",
		r: "241097efbf8b63bf145c8961dbdf10c310efbb3b2676bbc0f8b08505c9e2f795",
		s: "021006b7838609339e8b415a7f9acb1b661828131aef1ecbc7955dfb01f3ca0e",
	}
}

func (p published) key(t *testing.T) *material.Key {
	t.Helper()
	return parse(t, "ECC_SECG_P256K1", ec(oidSecp256k1(), unhex(p.private)))
}

// signature encodes as RFC 3279, section 2.2.3, has it.
func (p published) signature(t *testing.T, otherS bool) []byte {
	t.Helper()
	r, s := new(big.Int).SetBytes(unhex(p.r)), new(big.Int).SetBytes(unhex(p.s))
	if otherS {
		s.Sub(secgOrder(), s)
	}
	return encoded(t, []*big.Int{r, s})
}

func TestPublishedSecp256k1(t *testing.T) {
	for name, c := range publishedSignatures() {
		t.Run(name, func(t *testing.T) {
			key := c.key(t)
			m := material.Message{Content: []byte(c.message)}
			if got := sign(t, key, "ECDSA_SHA_256", m); !bytes.Equal(got, c.signature(t, false)) {
				t.Errorf("%x, want %x: %s", got, c.signature(t, false), c.reason)
			}
			expectVerifies(t, key, "ECDSA_SHA_256", m, c.signature(t, false))
			expectVerifies(t, key, "ECDSA_SHA_256", m, c.signature(t, true))
			expectPublic(t, key, c.public)
		})
	}
	foreign := foreignSignature()
	expectVerifies(t, foreign.key(t), "ECDSA_SHA_256", material.Message{Content: []byte(foreign.message)}, foreign.signature(t, false))
	expectPublic(t, foreign.key(t), foreign.public)
}

// expectPublic compares with a SubjectPublicKeyInfo made by hand.
func expectPublic(t *testing.T, key *material.Key, coordinates string) {
	t.Helper()
	got, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	want := sequence(sequence(oidEC(), oidSecp256k1()), bits(unhex("04"+coordinates)))
	if diff := cmp.Diff(hex.EncodeToString(want), hex.EncodeToString(got)); diff != "" {
		t.Error(diff)
	}
}

// TestSecp256k1Digest shows that a digest is signed as it is.
func TestSecp256k1Digest(t *testing.T) {
	c := publishedSignatures()["smallest key"]
	hashed := unhex("a0dc65ffca799873cbea0ac274015b9526505daaaed385155425f7337704883e") // SHA-256 of the message
	m := material.Message{Content: hashed, Digested: true}
	if got := sign(t, c.key(t), "ECDSA_SHA_256", m); !bytes.Equal(got, c.signature(t, false)) {
		t.Errorf("%x, want %x", got, c.signature(t, false))
	}
	expectVerifies(t, c.key(t), "ECDSA_SHA_256", m, c.signature(t, false))
}

// TestGeneratedSecp256k1 shows the exact shape of a generated private key: named curve outside, public key inside.
func TestGeneratedSecp256k1(t *testing.T) {
	key := generate(t, "ECC_SECG_P256K1")
	public, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(key.Bytes(), []byte{0x04, 0x20}) // the scalar's OCTET STRING: nothing in front of it looks like it
	want := ec(oidSecp256k1(), key.Bytes()[at+2:at+34], point(public[len(public)-65:]))
	if !bytes.Equal(key.Bytes(), want) {
		t.Error("the private key has another shape")
	}
}
