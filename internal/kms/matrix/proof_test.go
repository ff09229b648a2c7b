package matrix_test

import (
	"fmt"
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// prove has the KMS and the owner of the material use the key against each other, and the KMS open what it encrypted
// before the material was withdrawn. It returns what the KMS made. Nobody but KMS can use a symmetric key.
func prove(kms, owner party, kept []byte) (made []byte, err error) {
	if made, err = kms.makes(); err != nil {
		return nil, fmt.Errorf("the KMS cannot use the key: %w", err)
	}
	if kept != nil {
		if err := kms.takes(kept); err != nil {
			return nil, fmt.Errorf("the KMS does not take what it made before the withdrawal: %w", err)
		}
	}
	if owner.makes == nil {
		return made, kms.takes(made)
	}
	if err := owner.takes(made); err != nil {
		return nil, fmt.Errorf("the owner does not take what the KMS made: %w", err)
	}
	own, err := owner.makes()
	if err != nil {
		return nil, err
	}
	if err := kms.takes(own); err != nil {
		return nil, fmt.Errorf("the KMS does not take what the owner made: %w", err)
	}
	return made, nil
}

// A proof proves nothing that other material passes as well.
func TestOtherMaterialFailsTheProof(t *testing.T) {
	isolate(t)
	e := start(t, kms.DialectAWS)
	cases := map[string]struct {
		reason string
		spec   kms.KeySpec
		usage  string
	}{
		"encryption":     {"nobody else opens it", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"},
		"MAC":            {"it depends on the secret", "HMAC_256", "GENERATE_VERIFY_MAC"},
		"RSA encryption": {"the other private key does not open it", "RSA_2048", "ENCRYPT_DECRYPT"},
		"RSA signature":  {"the other public key does not verify it", "RSA_2048", "SIGN_VERIFY"},
		"signature":      {"the other public key does not verify it", "ECC_NIST_P256", "SIGN_VERIFY"},
		"secp256k1":      {"the other public key does not verify it", "ECC_SECG_P256K1", "SIGN_VERIFY"},
		"key agreement":  {"others agree on another secret", "ECC_NIST_P256", "KEY_AGREEMENT"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			other := newSource(t, tc.spec)
			use := func() party {
				wrapping := kms.ChooseWrapping(kms.DialectAWS, tc.spec, 0, kms.Wrapping{KeySpec: kms.WrappingKeyRSA2048}).Wrapping
				c := cell{e, newSource(t, tc.spec), tc.spec, tc.usage, wrapping, e.create(t, tc.spec, tc.usage)}
				c.importMaterial(t, c.source.spellings[0], "")
				return e.party(t, c.keyARN, tc.spec, tc.usage, other.peer)
			}
			key := use()
			made, err := key.makes()
			if err != nil {
				t.Fatal(err)
			}
			owner := other.owner[tc.usage]
			if owner.makes == nil {
				owner = use() // another key of the KMS
			}
			others, err := owner.makes()
			if err != nil {
				t.Fatal(err)
			}
			if owner.takes(made) == nil || key.takes(others) == nil {
				t.Errorf("%s, and yet one with other material takes what the key made, or the other way round", tc.reason)
			}
		})
	}
}
