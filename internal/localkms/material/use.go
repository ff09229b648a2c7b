package material

import (
	"slices"
	"strconv"
)

// symmetricDefault is the name of a spec and of the algorithm of its keys.
const symmetricDefault = "SYMMETRIC_DEFAULT"

// use is one KeyUsage of a spec and the algorithms that go with it.
type use struct {
	usage      string
	algorithms []string
}

// Usages returns what keys of this spec can be made for. A key has one of them for life.
func (s Spec) Usages() []string {
	var usages []string
	for _, u := range s.uses() {
		usages = append(usages, u.usage)
	}
	return usages
}

// Algorithms returns what a key of this spec can do in a usage, as KMS lists it in KeyMetadata: nothing where the usage
// is not one of the spec's.
func (s Spec) Algorithms(usage string) []string {
	uses := s.uses()
	i := slices.IndexFunc(uses, func(u use) bool { return u.usage == usage })
	if i < 0 {
		return nil
	}
	return uses[i].algorithms
}

// https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html
func (s Spec) uses() []use {
	switch s.family {
	case symmetric:
		return []use{{EncryptDecrypt, []string{symmetricDefault}}}
	case hmacKey:
		return []use{{GenerateVerifyMac, []string{"HMAC_SHA_" + strconv.Itoa(s.size)}}}
	case rsaPair:
		return []use{
			{EncryptDecrypt, []string{"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"}},
			{SignVerify, []string{
				"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
				"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
			}},
		}
	case nistCurve:
		return []use{{SignVerify, s.ecdsa()}, {KeyAgreement, []string{"ECDH"}}}
	case secgCurve:
		return []use{{SignVerify, s.ecdsa()}}
	case edwardsCurve:
		return []use{{SignVerify, []string{pureEd25519, prehashedEd25519}}}
	case sm2:
		return []use{
			{EncryptDecrypt, []string{"SM2PKE"}}, {SignVerify, []string{"SM2DSA"}}, {KeyAgreement, []string{"ECDH"}},
		}
	case mlDSA:
		return []use{{SignVerify, []string{"ML_DSA_SHAKE_256"}}}
	case mlKEM:
		return []use{{EncapsulateDecapsulate, []string{"ML_KEM"}}}
	}
	return nil
}

// ecdsa returns the one signing algorithm of a curve: its hash is as long as the field, as far as there is one.
func (s Spec) ecdsa() []string {
	return []string{"ECDSA_SHA_" + strconv.Itoa(min(s.size, 512))}
}
