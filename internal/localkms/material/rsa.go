package material

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"strings"
)

// minExponent is the least public exponent that FIPS 186-5 (section 5.1) allows, and the usual one.
const minExponent = 1<<16 + 1

// rsaKey is a key of RSA_2048, RSA_3072 or RSA_4096.
type rsaKey struct{ *rsa.PrivateKey }

func rsaOID() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1} }

// checkRSA does what takes too long to be done for every operation.
func (s Spec) checkRSA(plain []byte) error {
	private, err := s.readRSA(plain)
	if err != nil {
		return err
	}
	for _, prime := range private.Primes {
		if !prime.ProbablyPrime(0) { // a Baillie-PSW test: no composite number is known to pass it
			return errMaterial("The factors of the modulus of the RSA private key are not prime numbers.")
		}
	}
	return nil
}

// readRSA reads a private key in the format of RFC 8017, appendix A.1.2, in PKCS #8.
func (s Spec) readRSA(plain []byte) (rsaKey, error) {
	info, err := s.readPKCS8(plain, rsaOID())
	if err != nil {
		return rsaKey{}, err
	}
	private, err := x509.ParsePKCS1PrivateKey(info.PrivateKey)
	switch {
	case info.Version != 0 || !bytes.Equal(info.Algorithm.Parameters.FullBytes, asn1.NullBytes):
		err = errMaterial("The PKCS #8 private key holds what has no place in one for RSA (RFC 8017, appendix A.1).")
	case err != nil:
		err = errMaterial("The key material is not a valid RSA private key (RFC 8017, appendix A.1.2).")
	case len(private.Primes) != 2:
		err = errMaterial("The RSA private key has more than two prime factors.")
	case private.N.BitLen() != s.size:
		err = errMaterial("%s keys take an RSA private key with a modulus of %d bits.", s.name, s.size)
	case private.E < minExponent:
		err = errMaterial("The RSA private key has a public exponent below %d.", minExponent)
	case !bytes.Equal(x509.MarshalPKCS1PrivateKey(private), info.PrivateKey):
		err = errMaterial("The RSA private key is not encoded as RFC 8017, appendix A.1.2, has it.")
	}
	return rsaKey{private}, err
}

func generateRSA(bits int) ([]byte, error) {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(private)
}

func (k rsaKey) public() ([]byte, error) { return x509.MarshalPKIXPublicKey(&k.PublicKey) }

func (k rsaKey) sign(algorithm string, digest []byte) ([]byte, error) {
	if isPSS(algorithm) {
		return rsa.SignPSS(rand.Reader, k.PrivateKey, hashOf(algorithm), digest, pssOptions())
	}
	return rsa.SignPKCS1v15(rand.Reader, k.PrivateKey, hashOf(algorithm), digest)
}

func (k rsaKey) verify(algorithm string, digest, signature []byte) bool {
	if isPSS(algorithm) {
		return rsa.VerifyPSS(&k.PublicKey, hashOf(algorithm), digest, signature, pssOptions()) == nil
	}
	return rsa.VerifyPKCS1v15(&k.PublicKey, hashOf(algorithm), digest, signature) == nil
}

func isPSS(algorithm string) bool { return strings.HasPrefix(algorithm, "RSASSA_PSS_") }

func pssOptions() *rsa.PSSOptions { return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash} }

// Encrypt encrypts under the public half of an RSA key by an EncryptionAlgorithm of KMS. How long the plaintext may be
// depends on both.
func (k *Key) Encrypt(algorithm string, plaintext []byte) ([]byte, error) {
	private, err := k.decrypting(algorithm)
	if err != nil {
		return nil, err
	}
	hash := hashOf(algorithm)
	if most := private.Size() - 2*hash.Size() - 2; len(plaintext) > most { // RFC 8017, section 7.1.1
		return nil, errInput("Algorithm %s and key spec %s cannot encrypt data larger than %d bytes.", algorithm, k.spec.name, most)
	}
	return rsa.EncryptOAEP(hash.New(), rand.Reader, &private.PublicKey, plaintext, nil)
}

// Decrypt decrypts what was encrypted under the public half of an RSA key by an EncryptionAlgorithm of KMS.
func (k *Key) Decrypt(algorithm string, ciphertext []byte) ([]byte, error) {
	private, err := k.decrypting(algorithm)
	if err != nil {
		return nil, err
	}
	plaintext, err := rsa.DecryptOAEP(hashOf(algorithm).New(), nil, private.PrivateKey, ciphertext, nil)
	if err != nil {
		return nil, errCiphertext()
	}
	return plaintext, nil
}

func (k *Key) decrypting(algorithm string) (rsaKey, error) {
	if k.spec.family != rsaPair { // a symmetric key's algorithm is not one of these operations
		return rsaKey{}, errAlgorithm(k.spec, algorithm)
	}
	if err := k.checkAlgorithm(EncryptDecrypt, algorithm); err != nil {
		return rsaKey{}, err
	}
	return k.spec.readRSA(k.Bytes())
}
