package material

import (
	"bytes"
	"crypto/sha3"
	"encoding/asn1"
)

// Sizes of ML-KEM private keys (FIPS 203, sections 7.1 and 8), in bytes.
const (
	mlKEMSeedSize = 64
	// mlKEMPerRank and mlKEMRest make up an expanded key: vectors of as many polynomials as the rank says, then a seed, the
	// hash of the public key, and a random value.
	mlKEMPerRank = 768
	mlKEMRest    = 96
)

// checkMLKEM reads a private key as RFC 9935 has it: a seed, an expanded key, or both. It does not
// expand seeds, so that it cannot tell whether both belong together.
func (s Spec) checkMLKEM(plain []byte) error {
	info, err := s.readPKCS8(plain, s.mlKEMOID())
	if err != nil {
		return err
	}
	var choice asn1.RawValue
	_, err = asn1.Unmarshal(info.PrivateKey, &choice)
	wellFormed := err == nil && isDER(info.PrivateKey, choice) && info.Version == 0 && len(info.Algorithm.Parameters.FullBytes) == 0
	if !wellFormed || !s.isMLKEM(choice) {
		return errMaterial("The key material is not a valid %s private key (RFC 9935).", s.name)
	}
	return nil
}

func (s Spec) mlKEMOID() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 4, s.rank() - 1}
}

// rank is the k of FIPS 203: 2, 3 or 4.
func (s Spec) rank() int { return s.size / 256 }

func (s Spec) isMLKEM(choice asn1.RawValue) bool {
	switch {
	case choice.Class == asn1.ClassContextSpecific && choice.Tag == 0 && !choice.IsCompound:
		return len(choice.Bytes) == mlKEMSeedSize
	case choice.Class != asn1.ClassUniversal:
		return false
	case choice.Tag == asn1.TagOctetString:
		return s.isExpanded(choice.Bytes)
	}
	var both struct{ Seed, Expanded []byte }
	_, err := asn1.Unmarshal(choice.FullBytes, &both)
	return err == nil && isDER(choice.FullBytes, both) && len(both.Seed) == mlKEMSeedSize && s.isExpanded(both.Expanded)
}

// isExpanded is the check that FIPS 203, section 7.3, asks for before a private key is used.
func (s Spec) isExpanded(key []byte) bool {
	if len(key) != mlKEMPerRank*s.rank()+mlKEMRest {
		return false
	}
	public := key[mlKEMPerRank/2*s.rank() : mlKEMPerRank*s.rank()+32]
	hash := sha3.Sum256(public)
	return bytes.HasPrefix(key[mlKEMPerRank*s.rank()+32:], hash[:])
}
